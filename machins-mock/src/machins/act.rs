//! Running one operation on the platform, with its consequences: timers, events and webhooks.

use super::context::{Audience, Context};
use super::platform::{Machins, Timer};
use super::records::{Subscription, Webhook};
use crate::clock::Time;
use crate::random::Random;

impl Machins {
    /// Runs the timers that are due, then an operation. Returns the result of the operation and the
    /// webhooks to send.
    pub(crate) fn act<T>(
        &mut self,
        now: Time,
        random: &mut Random,
        operation: impl FnOnce(&mut Self, &mut Context<'_>) -> T,
    ) -> (T, Vec<Webhook>) {
        let mut webhooks = Vec::new();
        self.fire_timers(now, random, &mut webhooks);
        let mut cx = Context::new(now, random);
        let result = operation(self, &mut cx);
        self.fan_out(&mut cx, &mut webhooks);
        self.check_sometimes();
        (result, webhooks)
    }

    /// Runs the timers that are due, in order, each at the time at which it became due.
    fn fire_timers(&mut self, now: Time, random: &mut Random, webhooks: &mut Vec<Webhook>) {
        while let Some((at, due)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            let mut cx = Context::new(at, random);
            match due {
                Timer::Expiry(listing) => self.expire_listing(&mut cx, listing),
                Timer::Dispute(trade) => self.resolve_by_time(&mut cx, trade),
                Timer::Pruning(agent) => {
                    if let Some(agent) = self.agents.get_mut(&agent) {
                        agent.inbox.prune(at);
                    }
                }
            }
            self.fan_out(&mut cx, webhooks);
        }
    }

    fn slug(&self, subscription: &Subscription) -> &str {
        self.agents.get(&subscription.agent_id).map_or("", |agent| &agent.slug)
    }

    /// Adds events to the inboxes of their receivers, and turns them into webhooks of
    /// subscriptions.
    fn fan_out(&mut self, cx: &mut Context<'_>, webhooks: &mut Vec<Webhook>) {
        for event in cx.take_events() {
            match event.audience {
                Audience::Everyone => {
                    let all = self.subscriptions.values();
                    webhooks.extend(all.filter_map(|one| one.webhook(&event, self.slug(one))));
                }
                Audience::One(agent) => {
                    let own = self.subscriptions.values().filter(|own| own.agent_id == agent);
                    webhooks.extend(own.filter_map(|one| one.webhook(&event, self.slug(one))));
                    if let Some(agent) = self.agents.get_mut(&agent) {
                        agent.inbox.push(cx, &event);
                    }
                }
            }
        }
    }
}
