//! Pages of an agent's lists, compared with a plain filter over all records.

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::reference::Reference;
use super::tested::Tested;
use crate::machins::context::EventType;

#[derive(Debug, Clone, Copy)]
pub(super) enum List {
    Trades { role: Option<&'static str>, status: Option<&'static str> },
    Inbox { unread: bool, event_type: Option<&'static str> },
    Ledger,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    offset: usize,
    limit: usize,
}

const ROLES: &[&str] = &["buyer", "seller"];
const STATUSES: &[&str] = &[
    "proposed",
    "escrow_held",
    "delivered",
    "completed",
    "rejected",
    "cancelled",
    "disputed",
    "resolved",
];

pub(super) fn list() -> impl Strategy<Value = List> {
    let one_of = |names: &'static [&str]| prop::option::of(prop::sample::select(names));
    let event_type = prop::sample::select(&EventType::ALL).prop_map(EventType::as_str);
    prop_oneof![
        2 => (one_of(ROLES), one_of(STATUSES))
            .prop_map(|(role, status)| List::Trades { role, status }),
        2 => (any::<bool>(), prop::option::of(event_type))
            .prop_map(|(unread, event_type)| List::Inbox { unread, event_type }),
        1 => Just(List::Ledger),
    ]
}

pub(super) fn part() -> impl Strategy<Value = Part> {
    (0..10_usize, 1..10_usize).prop_map(|(offset, limit)| Part { offset, limit })
}

/// Reads a query as it is sent.
fn query<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

impl List {
    /// Compares a page with that part of all that the agent `me` may see and that matches.
    pub(super) fn compare(self, me: usize, part: Part, tested: &Tested, reference: &Reference) {
        let (machins, caller) = (&tested.machins, tested.agents[me]);
        let Part { offset, limit } = part;
        let window = query(json!({"offset": offset, "limit": limit}));
        let (page, matching): (_, Vec<Value>) = match self {
            Self::Trades { role, status } => {
                let filters = query(json!({"role": role, "status": status}));
                let all = tested.trades.iter().zip(&reference.trades).rev();
                let matching = all.filter(|(_, trade)| {
                    let own_role = if me == trade.buyer { "buyer" } else { "seller" };
                    (me == trade.buyer || me == trade.seller)
                        && role.is_none_or(|role| role == own_role)
                        && status.is_none_or(|status| status == trade.status)
                });
                let page = json!(machins.own_trades(caller, &filters, window).unwrap());
                (page, matching.map(|(id, _)| json!(id)).collect())
            }
            Self::Inbox { unread, event_type } => {
                let filters =
                    query(json!({"unread": unread.to_string(), "event_type": event_type}));
                let inbox = json!(machins.agents[&caller].inbox);
                let all = inbox.as_array().unwrap().iter().rev();
                let is_unread = |one: &&Value| one["read_at"].is_null();
                let page = json!(machins.inbox(caller, &filters, window).unwrap());
                assert_eq!(page["unread_count"], all.clone().filter(is_unread).count());
                assert_eq!(page["total"], all.len());
                let matching = all.filter(|one| {
                    (!unread || is_unread(one))
                        && event_type.is_none_or(|event_type| event_type == one["event_type"])
                });
                (page, matching.map(|one| one["id"].clone()).collect())
            }
            Self::Ledger => {
                let transactions = machins.ledger.transactions();
                let all = transactions.iter().flat_map(|transaction| &transaction.entries).rev();
                let own = all.filter(|entry| entry.account.agent() == Some(caller));
                let page = json!(machins.transactions(caller, window).unwrap());
                (page, own.map(|entry| json!(entry.id)).collect())
            }
        };
        let items = page["items"].as_array().unwrap().iter();
        let shown: Vec<_> = items.map(|item| item["id"].clone()).collect();
        let expected: Vec<_> = matching.iter().skip(offset).take(limit).cloned().collect();
        assert_eq!(shown, expected, "{self:?}");
        assert_eq!(page["has_more"], offset + limit < matching.len(), "{self:?}");
        if !matches!(self, Self::Inbox { .. }) {
            assert_eq!(page["total"], matching.len(), "{self:?}");
        }
    }
}
