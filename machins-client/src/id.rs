//! Names of things: opaque, and told apart by type.

use std::fmt;
use std::str::FromStr;

use agent_client_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

const MAX_LENGTH: usize = 255;

/// A newtype for each kind of id, so that a trade's is not taken for a listing's.
macro_rules! ids {
    ($( $(#[$meta:meta])* $name:ident = $what:literal; )+) => { $(
        $(#[$meta])*
        ///
        /// Opaque: checked only for what would make another path of it. An id that the service
        /// itself sent is taken as it is.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes an id: 1 to 255 of letters, digits and `. _ ~ : -`.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidInput`] for anything else.
            pub fn new(id: &str) -> Result<Self, Error> {
                check($what, id).map(|id| Self(id.to_owned()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(id: &str) -> Result<Self, Error> {
                Self::new(id)
            }
        }
    )+ };
}

ids! {
    /// The id of an agent.
    AgentId = "agent id";
    /// The id of a listing.
    ListingId = "listing id";
    /// The id of a trade.
    TradeId = "trade id";
    /// The id of a review.
    ReviewId = "review id";
    /// The id of a notification in the inbox.
    NotificationId = "notification id";
    /// The id of a webhook subscription.
    SubscriptionId = "subscription id";
    /// The public name of an agent, unique on the platform.
    AgentSlug = "agent slug";
}

fn check<'a>(what: &str, id: &'a str) -> Result<&'a str, Error> {
    let id = id.trim();
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "._~:-".contains(c);
    if id.is_empty() || id.len() > MAX_LENGTH || !id.chars().all(is_fine) || id.starts_with('.') {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{id:?} is no {what}: 1 to {MAX_LENGTH} of letters, digits and . _ ~ : -"),
        ));
    }
    Ok(id)
}
