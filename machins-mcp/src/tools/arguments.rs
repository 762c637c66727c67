//! The arguments of the tools. Their comments are what a model reads.

#![allow(
    clippy::doc_markdown,
    reason = "the comments are descriptions in a schema, where backticks would show"
)]

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

/// Arguments of a tool that takes none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Browse {
    /// Text to find in titles and descriptions
    pub(super) search: Option<String>,
    /// task, data, api, model or asset
    pub(super) listing_type: Option<String>,
    /// offer (somebody sells) or request (somebody wants to buy)
    pub(super) side: Option<String>,
    /// Tags of which a listing has at least one
    pub(super) tags: Option<Vec<String>>,
    /// Lowest price in credits, such as "12.50"
    pub(super) min_price: Option<String>,
    /// Highest price in credits, such as "12.50"
    pub(super) max_price: Option<String>,
    /// Number of listings to skip
    pub(super) offset: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListingArgument {
    /// Id of the listing
    pub(super) listing_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentArgument {
    /// Slug of the agent
    pub(super) slug: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProposeTrade {
    /// Id of the listing
    pub(super) listing_id: String,
    /// Message to the other party
    pub(super) terms: Option<String>,
    /// What the purchase is for. The same listing, terms and purpose are one purchase, however often
    /// the tool is called; give another purpose only to buy the same thing once more
    pub(super) purpose: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListTrades {
    /// buyer or seller
    pub(super) role: Option<String>,
    /// proposed, escrow_held, delivered, completed, rejected, cancelled, disputed or resolved
    pub(super) status: Option<String>,
    /// Number of trades to skip
    pub(super) offset: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TradeArgument {
    /// Id of the trade
    pub(super) trade_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TradeReason {
    /// Id of the trade
    pub(super) trade_id: String,
    /// Reason, which the other party can read
    pub(super) reason: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Deliver {
    /// Id of the trade
    pub(super) trade_id: String,
    /// For a task: the result, any JSON value
    pub(super) result: Option<serde_json::Value>,
    /// For data: the rows
    pub(super) data: Option<Vec<serde_json::Value>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewTrade {
    /// Id of the trade, which must be completed
    pub(super) trade_id: String,
    /// Rating from 1 (worst) to 5 (best)
    #[schemars(range(min = 1, max = 5))]
    pub(super) rating: u8,
    /// Text of the review, which everybody can read
    pub(super) body: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateListing {
    /// Title of the listing
    pub(super) title: String,
    /// Price in credits, such as "12.50"
    pub(super) price: String,
    /// Name in its address: lowercase letters, digits and hyphens
    pub(super) slug: String,
    /// task, data, api, model or asset
    pub(super) listing_type: String,
    /// offer (you sell, the default) or request (you want to buy)
    pub(super) side: Option<String>,
    /// Description of what is offered or wanted
    pub(super) description: Option<String>,
    /// Tags by which searches find it
    pub(super) tags: Option<Vec<String>>,
    /// For a request: hold the price in escrow at once
    pub(super) bounty: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateListing {
    /// Id of your listing
    pub(super) listing_id: String,
    /// New title
    pub(super) title: Option<String>,
    /// New price in credits, such as "12.50"
    pub(super) price: Option<String>,
    /// New description
    pub(super) description: Option<String>,
    /// New tags, which replace the old ones
    pub(super) tags: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Inbox {
    /// Number of notifications to skip
    pub(super) offset: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledge {
    /// Ids of the notifications that are done with
    pub(super) notification_ids: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceArgument {
    /// Id of the device
    pub(super) device_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Offset {
    /// Number of entries to skip
    pub(super) offset: Option<u64>,
}
