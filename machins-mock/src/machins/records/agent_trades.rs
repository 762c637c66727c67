//! An agent's trades, indexed for lists: one list for each combination of filters.

use std::collections::HashMap;

use super::kinds::{Role, TradeStatus};

/// The role of the agent and the status of the trades in a list; `None` includes all of them.
type Filters = (Option<Role>, Option<TradeStatus>);

/// The trades in which an agent is a party.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AgentTrades {
    /// The indexes in the list of all trades, which grow with time.
    lists: HashMap<Filters, Vec<u32>>,
}

impl AgentTrades {
    pub(crate) fn add(&mut self, index: usize, role: Role, status: TradeStatus) {
        for role in [None, Some(role)] {
            for status in [None, Some(status)] {
                self.insert((role, status), index);
            }
        }
    }

    pub(crate) fn change_status(
        &mut self,
        index: usize,
        role: Role,
        from: TradeStatus,
        to: TradeStatus,
    ) {
        for role in [None, Some(role)] {
            self.remove((role, Some(from)), index);
            self.insert((role, Some(to)), index);
        }
    }

    /// Returns the indexes of the trades that match, in order of creation.
    pub(crate) fn matching(&self, role: Option<Role>, status: Option<TradeStatus>) -> &[u32] {
        self.lists.get(&(role, status)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn len(&self) -> usize {
        self.matching(None, None).len()
    }

    fn insert(&mut self, filters: Filters, index: usize) {
        let list = self.lists.entry(filters).or_default();
        let index = stored(index);
        let at = list.partition_point(|other| *other < index);
        list.insert(at, index);
    }

    /// Removes a trade from a list, and the list with its last trade.
    fn remove(&mut self, filters: Filters, index: usize) {
        if let Some(list) = self.lists.get_mut(&filters) {
            if let Ok(at) = list.binary_search(&stored(index)) {
                list.remove(at);
            }
            if list.is_empty() {
                self.lists.remove(&filters);
            }
        }
    }
}

/// A world of 2^32 trades fits no memory.
fn stored(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
