//! The rules of retries as properties: whatever the outcomes, a call ends in time and is never sent
//! again if it could take effect twice.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use agent_client_core::retry::{Budget, Idempotency, Outcome, Policy, RetryState, Step, classify};
use proptest::prelude::*;

fn outcomes() -> impl Strategy<Value = Outcome> {
    let wait = proptest::option::of((0..100_000_u64).prop_map(Duration::from_millis));
    prop_oneof![
        Just(Outcome::NotSent),
        wait.clone().prop_map(Outcome::RateLimited),
        wait.prop_map(Outcome::Transient),
        Just(Outcome::Inconclusive),
        Just(Outcome::Answered),
    ]
}

fn idempotencies() -> impl Strategy<Value = Idempotency> {
    prop_oneof![
        Just(Idempotency::Idempotent),
        Just(Idempotency::Recoverable),
        Just(Idempotency::NonIdempotent)
    ]
}

proptest! {
    #[test]
    fn a_call_ends_within_its_attempts_and_its_time(
        idempotency in idempotencies(),
        script in proptest::collection::vec((outcomes(), 0..40_000_u64, 0.0..1.0), 20),
    ) {
        let policy = Policy::default();
        let mut state = RetryState::new(policy.clone(), idempotency);
        let mut elapsed = Duration::ZERO;
        let mut ended = false;
        for (outcome, took, random) in script {
            let Some(limit) = state.begin_attempt(elapsed) else { ended = true; break };
            prop_assert!(limit <= policy.attempt_timeout);
            prop_assert!(elapsed + limit <= policy.timeout);
            elapsed += Duration::from_millis(took).min(limit);
            match state.next_step(outcome, elapsed, random, || true) {
                Step::Send(wait) | Step::Probe(wait) => {
                    prop_assert!(elapsed + wait < policy.timeout, "a wait passes the deadline");
                    elapsed += wait;
                }
                Step::Finish | Step::OutcomeUnknown => { ended = true; break }
            }
        }
        prop_assert!(ended);
        prop_assert!(state.attempts() <= policy.max_attempts || idempotency == Idempotency::Recoverable);
    }

    #[test]
    fn only_what_is_harmless_is_sent_again(
        idempotency in idempotencies(), outcome in outcomes(), random in 0.0..1.0,
    ) {
        let mut state = RetryState::new(Policy::default(), idempotency);
        state.begin_attempt(Duration::ZERO);
        let step = state.next_step(outcome, Duration::ZERO, random, || true);
        if let Step::Send(_) = step {
            let harmless = matches!(outcome, Outcome::NotSent | Outcome::RateLimited(_));
            let repeatable = idempotency == Idempotency::Idempotent && matches!(outcome, Outcome::Transient(_));
            prop_assert!(harmless || repeatable);
        }
        let in_doubt = matches!(outcome, Outcome::Transient(_) | Outcome::Inconclusive);
        match (idempotency, in_doubt) {
            (Idempotency::NonIdempotent, true) => prop_assert_eq!(step, Step::OutcomeUnknown),
            // A server may ask to wait past the deadline.
            (Idempotency::Recoverable, true) => {
                prop_assert!(matches!(step, Step::Probe(_) | Step::OutcomeUnknown));
            }
            _ => prop_assert!(!matches!(step, Step::OutcomeUnknown | Step::Probe(_))),
        }
    }

    #[test]
    fn a_wait_is_within_bounds_and_never_shorter_than_asked(
        randoms in proptest::collection::vec(any::<f64>(), 1..20),
        asked in proptest::option::of((0..5_000_u64).prop_map(Duration::from_millis)),
    ) {
        let policy = Policy {
            max_attempts: 100,
            timeout: Duration::from_hours(1),
            ..Policy::default()
        };
        let mut state = RetryState::new(policy.clone(), Idempotency::Idempotent);
        let mut last = policy.first_delay;
        for random in randoms {
            state.begin_attempt(Duration::ZERO);
            let step = state.next_step(Outcome::Transient(asked), Duration::ZERO, random, || true);
            let Step::Send(wait) = step else { return Err(TestCaseError::fail("no wait")) };
            prop_assert!(wait >= policy.first_delay);
            prop_assert!(wait >= asked.unwrap_or_default());
            let ceiling = (last * 3).min(policy.longest_delay).max(asked.unwrap_or_default());
            prop_assert!(wait <= ceiling, "{:?} > {:?}", wait, ceiling);
            last = (last * 3).min(policy.longest_delay);
        }
    }

    #[test]
    fn the_budget_never_pays_out_more_than_it_holds(script in proptest::collection::vec(any::<bool>(), 0..500)) {
        let mut budget = Budget::default();
        let (mut retries, mut successes) = (0_u32, 0_u32);
        for success in script {
            if success {
                budget.deposit();
                successes += 1;
            } else if budget.withdraw() {
                retries += 1;
            }
        }
        prop_assert!(retries * 10 <= 100 + successes);
    }

    #[test]
    fn no_refusal_is_sent_again(status in 100_u16..1000) {
        let outcome = classify(status, None);
        let may_pass = matches!(status, 408 | 429 | 500..=599);
        prop_assert_eq!(outcome == Outcome::Answered, !may_pass);
    }
}

#[test]
fn without_budget_nothing_is_sent_again() {
    let mut state = RetryState::new(Policy::default(), Idempotency::Idempotent);
    state.begin_attempt(Duration::ZERO);
    let step = state.next_step(Outcome::NotSent, Duration::ZERO, 0.5, || false);
    assert_eq!(step, Step::Finish);
    assert!(!state.may_resend_after_absence(Duration::ZERO, || false));
}
