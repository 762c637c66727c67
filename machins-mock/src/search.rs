//! Searching bytes for a text.

/// Returns whether bytes contain a text, ignoring the case of ASCII letters.
pub(crate) fn contains(bytes: &[u8], searched: &str) -> bool {
    let searched = searched.as_bytes();
    let Some(&first) = searched.first() else {
        return true;
    };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, bytes).any(|at| {
        let end = at + searched.len();
        bytes.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(searched))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::middle("one Two three", "tWo", true)]
    #[case::end("one two", "WO", true)]
    #[case::beyond("one tw", "two", false)]
    #[case::nothing("", "", true)]
    fn texts_are_found_ignoring_case(#[case] text: &str, #[case] part: &str, #[case] found: bool) {
        assert_eq!(contains(text.as_bytes(), part), found);
    }
}
