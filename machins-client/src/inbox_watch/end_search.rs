//! Decides, without I/O, at which offset a walk to the end of the list begins.

/// The number of offsets that are tried before the list is walked from its beginning.
const MAX_TRIES: u32 = 100;

/// Searches for an offset shortly before the end of a list.
///
/// The count that the service states is the first guess. If the list is shorter, the interval in which
/// it ends is halved until it is known well enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct EndSearch {
    /// The list had an entry at this offset.
    low: u64,
    /// The list had no entry at this offset, or the service counts no more.
    high: u64,
    /// The number of entries from the beginning of the walk to the end of the list, roughly.
    span: u64,
    /// Where the walk begins if there is an entry.
    start: u64,
    tries: u32,
}

impl EndSearch {
    /// Searches a list of at most `count` entries for the last `span` of them.
    pub(super) fn new(count: u64, span: u64) -> Self {
        let start = count.saturating_sub(span);
        Self { low: 0, high: count, span, start, tries: 0 }
    }

    /// The offset to try first.
    pub(super) fn first(&self) -> u64 {
        self.start
    }

    /// Takes in whether the list has entries at `offset`. Returns the next offset to try, or `None` if
    /// the walk can begin here.
    pub(super) fn take(&mut self, offset: u64, has_entries: bool) -> Option<u64> {
        if has_entries && offset == self.start {
            return None;
        }
        if has_entries {
            self.low = offset;
        } else {
            self.high = offset;
            if self.low >= offset {
                // The list has become shorter.
                self.low = 0;
            }
        }
        self.tries += 1;
        let width = self.high - self.low;
        if self.tries > MAX_TRIES {
            Some(0)
        } else if width > self.span {
            Some(self.low + width / 2)
        } else {
            self.start = self.low.saturating_sub(self.span / 2);
            Some(self.start)
        }
    }

    /// Searches the list, which ends at `end`, for twice as many entries. Returns the offset to try.
    pub(super) fn widen(&mut self, end: u64) -> u64 {
        let search = Self::new(end, self.span.saturating_mul(2));
        *self = Self { tries: self.tries, ..search };
        self.start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_true_count_is_the_place() {
        let mut search = EndSearch::new(1_000_000, 1_000);
        assert_eq!((search.first(), search.take(999_000, true)), (999_000, None));
        assert_eq!((search.widen(999_900), search.take(997_900, true)), (997_900, None));
    }

    proptest! {
        #[test]
        fn the_end_is_found_whatever_is_counted(
            len in 1_u64..2_000_000, more in 0_u64..=u64::MAX - 2_000_000, span in 1_u64..2_000,
        ) {
            let mut search = EndSearch::new(len + more, span);
            let (mut offset, mut tries) = (search.first(), 1);
            while let Some(next) = search.take(offset, offset < len) {
                (offset, tries) = (next, tries + 1);
            }
            prop_assert!(offset < len && len - offset <= 3 * span / 2 + 1, "{offset}");
            prop_assert!(tries <= 67, "{tries}");
        }

        #[test]
        fn a_search_ends_whatever_the_service_says(
            count in any::<u64>(), span in 1_u64..2_000, replies in any::<u128>(),
        ) {
            let mut search = EndSearch::new(count, span);
            let (mut offset, mut tries) = (search.first(), 0);
            while offset > 0 {
                let Some(next) = search.take(offset, replies >> tries & 1 == 1) else { break };
                (offset, tries) = (next, tries + 1);
            }
            prop_assert!(tries <= MAX_TRIES + 1);
        }
    }
}
