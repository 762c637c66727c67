//! The subscriptions of all agents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::Part;
use crate::machins::platform::Machins;
use crate::machins::records::Subscription;
use crate::machins::subscriptions::SubscriptionReply;

/// Which subscriptions are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct SubscriptionsQuery {
    /// Returns only subscriptions of the agent with this slug.
    agent: Option<String>,
    /// Returns only subscriptions whose last delivery failed, or only the others.
    failing: Option<bool>,
    /// The number of subscriptions to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of subscriptions; all by default.
    limit: Option<usize>,
}

/// A subscription, and whose it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedSubscription {
    agent: Option<String>,
    #[serde(flatten)]
    subscription: SubscriptionReply,
}

/// Subscriptions of all agents, in order of creation.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedSubscriptions {
    subscriptions: Vec<InspectedSubscription>,
    /// The number of subscriptions that match, whatever the limit.
    total: usize,
}

impl Machins {
    pub(crate) fn inspect_subscriptions(
        &self,
        query: &SubscriptionsQuery,
    ) -> InspectedSubscriptions {
        let slug = |one: &Subscription| self.agents.get(&one.agent_id).map(|agent| &*agent.slug);
        let found = self.subscriptions.values().filter(|subscription| {
            query.failing.is_none_or(|failing| failing == (subscription.failure_count > 0))
                && query.agent.as_deref().is_none_or(|agent| slug(subscription) == Some(agent))
        });
        let part = Part { offset: query.offset, limit: query.limit, ..Part::default() };
        let (subscriptions, total) = part.cut(found, |subscription| InspectedSubscription {
            agent: slug(subscription).map(ToOwned::to_owned),
            subscription: SubscriptionReply::from(subscription),
        });
        InspectedSubscriptions { subscriptions, total }
    }
}
