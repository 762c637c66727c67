//! An agent's trades, indexed for lists: one list for each combination of filters.

use super::kinds::{Role, TradeStatus};

/// The numbers of roles and statuses to filter by, any role and any status included.
const ROLES: usize = 2 + Role::Seller as usize;
const STATUSES: usize = 2 + TradeStatus::Resolved as usize;

/// The trades in which an agent is a party.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AgentTrades {
    /// For each role and status, the indexes in the list of all trades, which grow with time.
    lists: [[Vec<u32>; STATUSES]; ROLES],
}

impl AgentTrades {
    pub(crate) fn add(&mut self, index: usize, role: Role, status: TradeStatus) {
        for role in [None, Some(role)] {
            for status in [None, Some(status)] {
                insert(self.list(role, status), index);
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
            remove(self.list(role, Some(from)), index);
            insert(self.list(role, Some(to)), index);
        }
    }

    /// Returns the indexes of the trades that match, in order of creation.
    pub(crate) fn matching(&self, role: Option<Role>, status: Option<TradeStatus>) -> &[u32] {
        let (role, status) = place(role, status);
        &self.lists[role][status]
    }

    pub(crate) fn len(&self) -> usize {
        self.matching(None, None).len()
    }

    fn list(&mut self, role: Option<Role>, status: Option<TradeStatus>) -> &mut Vec<u32> {
        let (role, status) = place(role, status);
        &mut self.lists[role][status]
    }
}

/// Returns where the list of these trades is; `None` includes all of them.
fn place(role: Option<Role>, status: Option<TradeStatus>) -> (usize, usize) {
    (role.map_or(0, |role| 1 + role as usize), status.map_or(0, |status| 1 + status as usize))
}

fn insert(list: &mut Vec<u32>, index: usize) {
    let index = stored(index);
    let at = list.partition_point(|other| *other < index);
    list.insert(at, index);
}

fn remove(list: &mut Vec<u32>, index: usize) {
    if let Ok(at) = list.binary_search(&stored(index)) {
        list.remove(at);
    }
}

/// A world of 2^32 trades fits no memory.
fn stored(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
