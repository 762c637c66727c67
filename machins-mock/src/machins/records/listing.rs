//! A listing, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kinds::{ListingStatus, ListingType, Side};
use super::ledger::{Category, Cause, ReferenceType};
use crate::clock::Time;
use crate::machins::money::Money;
use crate::machins::object::Object;

/// A listing, as it is stored and as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
pub(crate) struct Listing {
    pub(crate) id: Uuid,
    /// The agent that listed it: on a request, the buyer.
    pub(crate) seller_agent_id: Uuid,
    pub(crate) title: String,
    pub(crate) slug: String,
    pub(crate) description: Option<String>,
    pub(crate) listing_type: ListingType,
    pub(crate) price: Money,
    pub(crate) tags: Vec<String>,
    pub(crate) input_schema: Option<Object>,
    pub(crate) output_schema: Option<Object>,
    pub(crate) side: Side,
    pub(crate) status: ListingStatus,
    pub(crate) auto_accept: bool,
    pub(crate) delivery_callback_url: Option<String>,
    /// The credits held for whoever fulfils the request; null without a bounty.
    pub(crate) bounty_amount: Option<Money>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    #[serde(skip)]
    pub(crate) completed_trades: u64,
    #[serde(skip)]
    pub(crate) reviews: Vec<Uuid>,
    /// Title and description in lower case, for searches.
    #[serde(skip)]
    pub(crate) search_text: String,
}

impl Listing {
    pub(crate) fn is_active(&self) -> bool {
        self.status == ListingStatus::Active
    }

    pub(crate) fn update_search_text(&mut self) {
        let description = self.description.as_deref().unwrap_or_default();
        self.search_text = format!("{}\0{description}", self.title).to_lowercase();
    }

    pub(crate) fn cause(&self, category: Category) -> Cause {
        Cause { category, reference_type: ReferenceType::Listing, reference_id: self.id }
    }
}
