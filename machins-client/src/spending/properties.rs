//! What holds for every policy.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::commitment::{Commitment, Purchase};
use super::decision::{PolicyDecision, PolicyRule};
use super::policy::SpendingPolicy;
use crate::model::id::AgentId;
use crate::model::listing::ListingType;
use crate::model::money::Money;

/// 1 March 2026, 00:00 UTC.
const MARCH: u64 = 1_772_323_200;
const DAY: u64 = 24 * 60 * 60;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn money() -> impl Strategy<Value = Money> {
    (0_i64..20_000).prop_map(Money::from_hundredths)
}

fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[abc]", 0..3)
}

fn types() -> impl Strategy<Value = ListingType> {
    prop_oneof![Just(ListingType::Task), Just(ListingType::Data)]
}

/// An optional setting, by its JSON.
fn setting<T: std::fmt::Debug>(
    name: &'static str,
    value: impl Strategy<Value = T>,
    json: impl Fn(T) -> serde_json::Value,
) -> impl Strategy<Value = Option<(&'static str, serde_json::Value)>> {
    proptest::option::of(value.prop_map(move |value| (name, json(value))))
}

fn policy() -> impl Strategy<Value = SpendingPolicy> {
    let amount = |name| setting(name, money(), |amount| amount.to_string().into());
    let list = |name| setting(name, names(), Into::into);
    let amounts = (
        amount("max_per_trade"),
        amount("max_per_day"),
        amount("max_per_month"),
        amount("max_in_escrow"),
        amount("max_per_seller"),
        amount("approval_above"),
        setting("min_reputation", 0_i64..500, |score| {
            Money::from_hundredths(score).to_string().into()
        }),
        setting("max_per_type", money(), |amount| serde_json::json!({"task": amount.to_string()})),
    );
    let lists =
        (list("allow_sellers"), list("deny_sellers"), list("allow_tags"), list("deny_tags"));
    let flag = setting("require_verified", any::<bool>(), Into::into);
    (amounts, lists, flag).prop_map(|(a, l, flag)| {
        let settings = [a.0, a.1, a.2, a.3, a.4, a.5, a.6, a.7, l.0, l.1, l.2, l.3, flag];
        let object: serde_json::Map<_, _> =
            settings.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect();
        SpendingPolicy::from_json(&serde_json::Value::from(object).to_string()).unwrap()
    })
}

fn purchase() -> impl Strategy<Value = Purchase> {
    let reputation = proptest::option::of(0_i64..500);
    let seller = (proptest::option::of("[abc]"), proptest::option::of("[abc]"));
    (money(), seller, types(), names(), reputation).prop_map(
        |(amount, (id, slug), of, tags, score)| Purchase {
            seller: id.map(|id| AgentId::new(&id).unwrap()),
            seller_slug: slug.map(|slug| slug.parse().unwrap()),
            reputation: score.map(Money::from_hundredths),
            ..Purchase::new(amount, of).tags(tags)
        },
    )
}

fn commitment() -> impl Strategy<Value = Commitment> {
    let time = proptest::option::of(MARCH - 3 * DAY..MARCH + 3 * DAY);
    (money(), time, proptest::option::of("[abc]"), proptest::option::of(types()), any::<bool>())
        .prop_map(|(amount, time, seller, of, is_open)| Commitment {
            amount,
            at: time.map(at),
            seller: seller.map(|seller| AgentId::new(&seller).unwrap()),
            listing_type: of,
            is_open,
        })
}

proptest! {
    #[test]
    fn what_is_bought_stays_within_the_limits(
        policy in policy(),
        purchases in proptest::collection::vec((purchase(), 0..2 * DAY), 1..40),
    ) {
        let mut spent: Vec<Commitment> = Vec::new();
        let mut now = MARCH - 3 * DAY;
        for (purchase, later) in purchases {
            now += later;
            if policy.decide(&purchase, &spent, at(now)) != PolicyDecision::Allowed {
                continue;
            }
            let commitment = Commitment::open(purchase.amount, Some(at(now)))
                .listing_type(purchase.listing_type.clone());
            spent.push(Commitment { seller: purchase.seller.clone(), ..commitment });
        }
        // Summed up in another way: days since 1970, and whether it is March.
        let seconds = |spent: &Commitment| {
            spent.at.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
        };
        let sum = |condition: &dyn Fn(&Commitment) -> bool| -> Money {
            spent.iter().filter(|spent| condition(spent)).map(|spent| spent.amount).sum()
        };
        let limits = serde_json::to_value(&policy).unwrap();
        let limit = |name: &str| -> Money {
            let text = limits.pointer(name).and_then(serde_json::Value::as_str);
            text.map_or(Money::from_hundredths(i64::MAX), |text| text.parse().unwrap())
        };
        prop_assert!(sum(&|_| true) <= limit("/max_in_escrow"));
        for one in &spent {
            prop_assert!(one.amount <= limit("/max_per_trade"));
            prop_assert!(one.amount <= limit("/approval_above"));
            let (day, is_march) = (seconds(one) / DAY, seconds(one) >= MARCH);
            prop_assert!(sum(&|other| seconds(other) / DAY == day) <= limit("/max_per_day"));
            let same_month = |other: &Commitment| (seconds(other) >= MARCH) == is_march;
            // The dates reach from 26 February to the end of April at most.
            if seconds(one) < MARCH + 31 * DAY {
                let same_month = |other: &Commitment| {
                    same_month(other) && seconds(other) < MARCH + 31 * DAY
                };
                prop_assert!(sum(&same_month) <= limit("/max_per_month"));
                let same_seller = |other: &Commitment| other.seller == one.seller;
                prop_assert!(
                    sum(&|other| same_seller(other) && same_month(other)) <= limit("/max_per_seller")
                );
                if one.listing_type == Some(ListingType::Task) {
                    let same_type = |other: &Commitment| other.listing_type == one.listing_type;
                    prop_assert!(
                        sum(&|other| same_type(other) && same_month(other))
                            <= limit("/max_per_type/task")
                    );
                }
            }
        }
    }

    #[test]
    fn more_spent_never_allows_more(
        policy in policy(),
        purchase in purchase(),
        spent in proptest::collection::vec(commitment(), 0..8),
        more in commitment(),
    ) {
        let now = at(MARCH + DAY / 2);
        let before = policy.decide(&purchase, &spent, now);
        let after = policy.decide(&purchase, &[spent, vec![more]].concat(), now);
        if matches!(before, PolicyDecision::Refused(_)) {
            prop_assert!(matches!(after, PolicyDecision::Refused(_)));
        }
        if after == PolicyDecision::Allowed {
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn a_stricter_policy_refuses_at_least_as_much(
        one in policy(),
        other in policy(),
        purchase in purchase(),
        spent in proptest::collection::vec(commitment(), 0..8),
    ) {
        prop_assert!(one.is_as_strict_as(&one));
        prop_assert!(one.is_as_strict_as(&SpendingPolicy::new()));
        let now = at(MARCH + DAY / 2);
        if one.is_as_strict_as(&other)
            && one.decide(&purchase, &spent, now) == PolicyDecision::Allowed
        {
            prop_assert_eq!(other.decide(&purchase, &spent, now), PolicyDecision::Allowed);
        }
    }

    #[test]
    fn a_policy_survives_its_json(policy in policy()) {
        let json = serde_json::to_string(&policy).unwrap();
        prop_assert_eq!(SpendingPolicy::from_json(&json).unwrap(), policy);
    }
}

#[test]
fn a_day_and_a_month_end_at_midnight_in_utc() {
    let policy = SpendingPolicy::new().max_per_day(Money::credits(10));
    let purchase = Purchase::new(Money::credits(6), ListingType::Task);
    let spent = [Commitment::settled(Money::credits(6), Some(at(MARCH - 1)))];
    let is_allowed = |policy: &SpendingPolicy, now| {
        policy.decide(&purchase, &spent, now) == PolicyDecision::Allowed
    };
    assert!(!is_allowed(&policy, at(MARCH - 1)));
    assert!(is_allowed(&policy, at(MARCH)));
    let policy = SpendingPolicy::new().max_per_month(Money::credits(10));
    assert!(!is_allowed(&policy, at(MARCH - 20 * DAY)));
    assert!(is_allowed(&policy, at(MARCH)));
}

#[test]
fn no_list_is_less_strict_than_an_empty_one() {
    let empty = SpendingPolicy::new().deny_sellers([""; 0]);
    assert!(!SpendingPolicy::new().is_as_strict_as(&empty));
    assert!(empty.is_as_strict_as(&SpendingPolicy::new()));
    let unknown = Purchase::new(Money::credits(1), ListingType::Task);
    assert_ne!(empty.decide(&unknown, &[], at(MARCH)), PolicyDecision::Allowed);
}

#[test]
fn a_refusal_names_the_rule_and_the_remainder() {
    let policy = SpendingPolicy::new().max_per_day("50".parse().unwrap());
    let spent = [Commitment::open("30.50".parse().unwrap(), None)];
    let purchase = Purchase::new(Money::credits(20), ListingType::Task);
    let PolicyDecision::Refused(refusal) = policy.decide(&purchase, &spent, at(MARCH)) else {
        panic!("it is too much");
    };
    assert_eq!(refusal.rule(), PolicyRule::MaxPerDay);
    let text = refusal.to_string();
    for part in ["max_per_day", "20.00", "50.00", "30.50 of it is used", "19.50 remains", "UTC"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_not_understood_is_an_error() {
    for json in [
        r#"{"max_per_dya": 1}"#,
        r#"{"max_per_day": -1}"#,
        r#"{"max_per_day": "1.005"}"#,
        r#"{"max_per_type": {"boat": 1}}"#,
        r#"{"require_verified": "perhaps"}"#,
        r#"{"allow_sellers": [1]}"#,
        "[]",
        "null",
    ] {
        assert!(SpendingPolicy::from_json(json).is_err(), "{json}");
    }
}
