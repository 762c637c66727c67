//! Random operations on an org, compared with a simpler implementation.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::decision::DecisionCode;
use super::device::DeviceId;
use super::org::{Org, Registration, Restored, RestoredAll, Revoked};
use super::plan::Plan;
use crate::clock::Clock;

#[derive(Debug, Clone)]
enum Operation {
    Register(u8),
    Validate(u8),
    Revoke(u8),
    Unrevoke(u8),
    Remove(u8),
    RevokeAll,
    UnrevokeAll,
    SetPlan(Plan),
    SetFrozen(bool),
    SetEnabled(bool),
    StoreAndLoad,
}

fn operation() -> impl Strategy<Value = Operation> {
    let device = 0..40_u8;
    prop_oneof![
        8 => device.clone().prop_map(Operation::Register),
        4 => device.clone().prop_map(Operation::Validate),
        4 => device.clone().prop_map(Operation::Revoke),
        4 => device.clone().prop_map(Operation::Unrevoke),
        2 => device.prop_map(Operation::Remove),
        1 => Just(Operation::RevokeAll),
        2 => Just(Operation::UnrevokeAll),
        1 => prop_oneof![Just(Plan::Free), Just(Plan::Pro)].prop_map(Operation::SetPlan),
        1 => any::<bool>().prop_map(Operation::SetFrozen),
        1 => any::<bool>().prop_map(Operation::SetEnabled),
        1 => Just(Operation::StoreAndLoad),
    ]
}

/// The simplest possible org: its devices, and since which operation each is revoked.
#[derive(Default)]
struct Reference(BTreeMap<u8, Option<usize>>);

impl Reference {
    fn active(&self) -> usize {
        self.0.values().filter(|revoked| revoked.is_none()).count()
    }
}

fn id(device: u8) -> DeviceId {
    DeviceId::parse(&format!("d{device}")).unwrap()
}

proptest! {
    #[test]
    fn an_org_does_what_the_plainest_one_does(operations in proptest::collection::vec(operation(), 1..120)) {
        let now = Clock::default().now();
        let mut org = Org::new(Plan::Free);
        let mut reference = Reference::default();
        for (step, operation) in operations.into_iter().enumerate() {
            let limit = org.settings.plan.limit();
            let (before, full) = (reference.active(), reference.active() >= limit);
            match operation {
                Operation::Register(device) => {
                    let expected = match reference.0.get(&device) {
                        _ if org.settings.frozen => Registration::PlanFrozen,
                        Some(None) => Registration::Exists,
                        Some(Some(_)) => Registration::Revoked,
                        None if full => Registration::AtCap,
                        None => Registration::Created,
                    };
                    if expected == Registration::Created {
                        reference.0.insert(device, None);
                    }
                    prop_assert_eq!(org.register(id(device), now), expected);
                }
                Operation::Validate(device) => {
                    let expected = match reference.0.get(&device) {
                        _ if !org.settings.execution_enabled => DecisionCode::OrgDisabled,
                        _ if org.settings.frozen => DecisionCode::PlanFrozen,
                        None => DecisionCode::DeviceNotFound,
                        Some(Some(_)) => DecisionCode::DeviceRevoked,
                        Some(None) => DecisionCode::Allow,
                    };
                    prop_assert_eq!(org.decide(Ok(&id(device)), now), expected);
                }
                Operation::Revoke(device) => {
                    let expected = match reference.0.get_mut(&device) {
                        None => Revoked::NotFound,
                        Some(Some(_)) => Revoked::Already,
                        Some(active) => {
                            *active = Some(step);
                            Revoked::Now
                        }
                    };
                    prop_assert_eq!(org.revoke(&id(device), now), expected);
                }
                Operation::Unrevoke(device) => {
                    let expected = match reference.0.get_mut(&device) {
                        None => Restored::NotFound,
                        Some(None) => Restored::Already,
                        Some(_) if full => Restored::AtCap,
                        Some(revoked) => {
                            *revoked = None;
                            Restored::Now
                        }
                    };
                    prop_assert_eq!(org.unrevoke(&id(device)), expected);
                }
                Operation::Remove(device) => {
                    prop_assert_eq!(org.remove(&id(device)), reference.0.remove(&device).is_some());
                }
                Operation::RevokeAll => {
                    for revoked in reference.0.values_mut() {
                        *revoked = revoked.or(Some(step));
                    }
                    prop_assert_eq!(org.revoke_all(now), before, "counts changes only");
                }
                Operation::UnrevokeAll => {
                    let since = |id: &DeviceId| {
                        let device = reference.0.keys().find(|device| self::id(**device) == *id);
                        reference.0[device.unwrap()].unwrap()
                    };
                    let revoked = reference.0.len() - before;
                    match org.unrevoke_all() {
                        RestoredAll::NoneRevoked => prop_assert_eq!(revoked, 0),
                        RestoredAll::AtCap => prop_assert!(revoked > 0 && full),
                        RestoredAll::Some(ids) => {
                            prop_assert_eq!(ids.len(), revoked.min(limit - before));
                            prop_assert!(ids.is_sorted_by_key(|id| usize::MAX - since(id)));
                            let oldest = ids.iter().map(since).min();
                            for device in 0..40 {
                                let Some(Some(since)) = reference.0.get(&device) else { continue };
                                if ids.contains(&id(device)) {
                                    reference.0.insert(device, None);
                                } else {
                                    prop_assert!(Some(*since) <= oldest, "newest revoked first");
                                }
                            }
                        }
                    }
                }
                Operation::SetPlan(plan) => org.settings.plan = plan,
                Operation::SetFrozen(frozen) => org.settings.frozen = frozen,
                Operation::SetEnabled(enabled) => org.settings.execution_enabled = enabled,
                Operation::StoreAndLoad => {
                    let stored = serde_json::to_string(&org).unwrap();
                    let loaded: Org = serde_json::from_str(&stored).unwrap();
                    prop_assert_eq!(&loaded, &org);
                    org = loaded;
                }
            }
            let active = org.devices().filter(|(_, device)| device.is_active()).count();
            prop_assert_eq!(org.figures().used, active, "the count is right");
            prop_assert_eq!(active, reference.active());
            prop_assert_eq!(org.devices().len(), reference.0.len());
            let limit = org.settings.plan.limit();
            prop_assert!(active <= limit || active <= before, "grew beyond the plan");
        }
    }

    #[test]
    fn device_ids_are_what_the_rule_says(text in "\\PC{0,140}|[ A-Za-z0-9._:@/-]{0,140}|[a-z ]{120,140}") {
        let rule = |text: &str| {
            (1..=128).contains(&text.chars().count())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "._:@/-".contains(c))
        };
        let parsed = DeviceId::parse(&text);
        prop_assert_eq!(parsed.is_ok(), rule(text.trim()));
        if let Ok(id) = parsed {
            prop_assert_eq!(id.to_string(), text.trim());
        }
    }
}
