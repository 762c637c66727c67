//! The platform under test, and the operations of its agents.

use serde_json::{Value, json};
use uuid::Uuid;

use super::reference::{AGENTS, Action};
use crate::clock::{Clock, Time};
use crate::machins::context::Context;
use crate::machins::error::{ErrorCode, Result};
use crate::machins::joining::Onboarding;
use crate::machins::money::Money;
use crate::machins::platform::Machins;
use crate::machins::records::Tier;
use crate::machins::verification::Verification;
use crate::random::Random;

/// The platform under test, and the ids of its records.
pub(super) struct Tested {
    pub(super) machins: Machins,
    pub(super) random: Random,
    pub(super) start: Time,
    pub(super) now: Time,
    pub(super) agents: Vec<Uuid>,
    pub(super) listings: Vec<String>,
    pub(super) trades: Vec<String>,
}

impl Tested {
    pub(super) fn new() -> Self {
        let mut random = Random::new(7);
        let now = Clock::default().now();
        let mut machins = Machins::new(&mut random);
        let agents = (0..AGENTS).map(|number| {
            let slug = format!("agent-{number}");
            let new = Onboarding {
                name: slug.clone(),
                slug,
                description: None,
                agent_type: None,
                capabilities: None,
            };
            let tier = if number < 2 { Tier::Starter } else { Tier::Verified };
            let join = |machins: &mut Machins, cx: &mut Context<'_>| {
                machins.join(cx, new, Money::credits(500), tier, None)
            };
            machins.act(now, &mut random, join).0.unwrap()
        });
        let agents = agents.collect();
        Self { machins, random, start: now, now, agents, listings: Vec::new(), trades: Vec::new() }
    }

    /// Runs an operation and returns its result in the terms of the reference, with the reply.
    pub(super) fn run<T: serde::Serialize>(
        &mut self,
        operation: impl FnOnce(&mut Machins, &mut Context<'_>) -> Result<T>,
    ) -> (std::result::Result<String, ErrorCode>, Value) {
        let (result, webhooks) = self.machins.act(self.now, &mut self.random, operation);
        assert!(webhooks.is_empty(), "nobody has subscribed");
        match result {
            Ok(reply) => {
                let reply = serde_json::to_value(reply).unwrap();
                (Ok(reply["status"].as_str().unwrap().to_owned()), reply)
            }
            Err(error) => {
                assert_ne!(error.code, ErrorCode::ValidationError, "{error}");
                (Err(error.code), Value::Null)
            }
        }
    }

    pub(super) fn act(
        &mut self,
        me: usize,
        trade: usize,
        action: Action,
    ) -> std::result::Result<String, ErrorCode> {
        let (me, id) = (self.agents[me], self.trades[trade].clone());
        let none = || serde_json::from_value(json!({})).unwrap();
        let payload = serde_json::from_value(json!({"payload": {"result": 1}})).unwrap();
        self.run(|machins, cx| match action {
            Action::Accept => machins.accept(cx, me, &id),
            Action::Reject => machins.reject(cx, me, &id, none()),
            Action::Cancel => machins.cancel(cx, me, &id, none()),
            Action::Confirm => machins.confirm(cx, me, &id),
            Action::Dispute => machins.dispute(cx, me, &id, none()),
            Action::Deliver(accepted) => {
                let answer = accepted.map(|accepted| json!({"accepted": accepted}).to_string());
                let verification = answer.map(|answer| Verification::read(200, answer.as_bytes()));
                machins.deliver(cx, me, &id, &payload, verification)
            }
        })
        .0
    }

    /// Acknowledges every nth notification, from the oldest.
    pub(super) fn acknowledge(&mut self, me: usize, nth: usize) {
        let caller = self.agents[me];
        let inbox = json!(self.machins.agents[&caller].inbox);
        let ids: Vec<_> =
            inbox.as_array().unwrap().iter().step_by(nth).map(|one| &one["id"]).collect();
        let request = serde_json::from_value(json!({"notification_ids": ids})).unwrap();
        let acknowledge = |machins: &mut Machins, cx: &mut Context<'_>| {
            machins.ack(cx, caller, &request).map(drop)
        };
        assert_eq!(self.machins.act(self.now, &mut self.random, acknowledge).0, Ok(()));
    }
}
