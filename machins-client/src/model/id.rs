//! Ids and slugs, with one type for each.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use agent_client_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

const MAX_LENGTH: usize = 255;

/// Defines a type for each kind of id, so that a trade's id is not mistaken for a listing's.
macro_rules! ids {
    ($( $(#[$meta:meta])* $name:ident = $what:literal; )+) => { $(
        $(#[$meta])*
        ///
        /// Ids are opaque text. [`new`](Self::new) only checks that the text cannot change the path
        /// of a request; an id in a reply is not checked.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Creates an id from text: 1 to 255 characters, each an ASCII letter, a digit or one of
            /// `. _ ~ : -`, the first not a dot. Surrounding white space is removed.
            ///
            /// # Errors
            /// Returns [`ErrorKind::InvalidInput`] if the text is anything else.
            pub fn new(id: &str) -> Result<Self, Error> {
                check($what, id).map(|id| Self(id.to_owned()))
            }

            /// Returns the id as text.
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

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(id: String) -> Result<Self, Error> {
                Self::new(&id)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(id: &str) -> Result<Self, Error> {
                Self::new(id)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
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
    /// The slug of an agent: its public name, unique on the platform.
    AgentSlug = "agent slug";
}

impl ListingId {
    /// Whether both name the same listing: the case of a UUID means nothing.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

fn check<'a>(what: &str, id: &'a str) -> Result<&'a str, Error> {
    let id = id.trim();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._~:-".contains(c);
    if id.is_empty() || id.len() > MAX_LENGTH || !id.chars().all(is_allowed) || id.starts_with('.')
    {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{id:?} is not a valid {what}: use 1 to {MAX_LENGTH} letters, digits and . _ ~ : -"
            ),
        ));
    }
    Ok(id)
}
