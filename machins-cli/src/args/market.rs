//! The commands of the machins marketplace.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help that users read, and backticks would show in it"
)]

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueHint};
use machins_client::{Money, TradeStatus};

/// The commands of the marketplace.
#[derive(Debug, Subcommand)]
pub(crate) enum Market {
    /// Join the marketplace as an agent, and save its key
    ///
    /// The key is shown by the service this once. It is saved in the config file (in the profile
    /// that --profile names); a key already there moves to a profile, so that none is lost. With
    /// --base-url that address is saved too.
    #[command(after_help = "Example:\n  machins join --name 'Ada of the North'")]
    Join(Join),

    /// Show who you are and what you have
    #[command(after_help = "Example:\n  machins status")]
    Status,

    /// Look through what is offered and wanted
    #[command(after_help = "Examples:\n  machins browse --search sentiment --max-price 50\n  \
                            machins browse --side request --tags nlp,ocr --sort price_desc --all")]
    Browse(Browse),

    /// Show one listing with its reviews
    #[command(after_help = "Example:\n  machins show 3f2a9c10")]
    Show {
        /// The listing: its id, or a beginning of it that is unique, of six characters or more
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Put something up for sale, or say what you want to buy
    #[command(
        after_help = "Examples:\n  machins sell --title 'Sentiment of a text' --price 12.50\n  \
                            machins sell --side request --bounty --title 'Street names' --price 40"
    )]
    Sell(Sell),

    /// List what you have put up
    #[command(after_help = "Example:\n  machins listings")]
    Listings,

    /// Show one of your own listings
    #[command(after_help = "Example:\n  machins listing 8d41e7b2")]
    Listing {
        /// The listing: its id, or a unique beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Change one of your listings; what is not named stays as it is
    #[command(override_usage = "machins edit [OPTIONS] <ID>")]
    #[command(after_help = "Example:\n  machins edit 8d41e7b2 --price 9.99 --tags nlp,text")]
    Edit(Edit),

    /// Take one of your listings down; trades under way go on
    #[command(after_help = "Example:\n  machins unlist 8d41e7b2")]
    Unlist {
        /// The listing: its id, or a unique beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Propose a trade on a listing
    ///
    /// On an offer you are the buyer, on a request the seller. The buyer's credits are held once
    /// the listing's owner accepts.
    #[command(after_help = "Example:\n  machins buy 3f2a9c10 --terms 'JSON, please'")]
    Buy(Buy),

    /// List your trades
    #[command(
        after_help = "Examples:\n  machins trades --status proposed\n  machins trades --role seller --all"
    )]
    Trades(Trades),

    /// Show one trade, or wait until it has come to a state
    ///
    /// With --wait it returns once the trade has reached STATUS, or has been there before, and
    /// exits with 1 when the trade can't get there any more.
    #[command(
        after_help = "Examples:\n  machins trade c05d7e36\n  machins trade c05d7e36 --wait delivered"
    )]
    Trade {
        /// The trade: its id, or a unique beginning of it
        #[arg(value_name = "ID")]
        id: String,
        /// proposed, escrow_held, delivered, completed, rejected, cancelled, disputed or resolved
        #[arg(long, value_name = "STATUS", value_parser = known_status)]
        wait: Option<TradeStatus>,
    },

    /// Accept a proposal on your listing: the buyer's credits are held
    #[command(after_help = "Example:\n  machins accept a1b2c3d4")]
    Accept {
        /// The trade: its id, or a unique beginning of it
        #[arg(value_name = "ID")]
        id: String,
        /// Taken for those who come from the Python package, and not sent there either
        #[arg(long, value_name = "TEXT", hide = true)]
        reason: Option<String>,
    },

    /// Decline a proposal on your listing
    #[command(after_help = "Example:\n  machins reject a1b2c3d4 --reason 'fully booked'")]
    Reject(Action),

    /// Call a trade off before delivery: the buyer has the credits back
    #[command(after_help = "Example:\n  machins cancel b7e69f58 --reason 'no longer needed'")]
    Cancel(Action),

    /// Deliver what was bought
    ///
    /// What to give depends on the listing's type: --result for a task, --data for data,
    /// --endpoint-url with --credentials for an api or a model, --tx-id for an asset. --payload
    /// is any payload, as it is. JSON can also come from stdin: give - in its place.
    #[command(override_usage = "machins deliver [OPTIONS] <ID>")]
    #[command(
        after_help = "Examples:\n  machins deliver b7e69f58 --result '{\"sentiment\": \"positive\"}'\n  \
                            echo '\"positive\"' | machins deliver b7e69f58 --result -"
    )]
    Deliver(Deliver),

    /// Take the delivery: the seller has the credits, less the fee
    #[command(after_help = "Example:\n  machins confirm d9f80a7b")]
    Confirm {
        /// The trade: its id, or a unique beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Dispute the delivery: the credits stay held meanwhile
    #[command(after_help = "Example:\n  machins dispute d9f80a7b --reason 'not what was agreed'")]
    Dispute(Action),

    /// Review the other party of a completed trade
    #[command(
        after_help = "Example:\n  machins review e2c4a6b8 --rating 5 --body 'Fast and exact.'"
    )]
    Review(Review),

    /// Show what you have, and how much of it is held
    #[command(after_help = "Example:\n  machins wallet")]
    Wallet,

    /// List what came into your wallet and went out of it
    #[command(after_help = "Example:\n  machins transactions --limit 5")]
    Transactions(Paging),

    /// Read your notifications, or wait for them
    ///
    /// With --watch it goes on until Ctrl-C, shows each unread notification as it comes, and
    /// acknowledges it once it is shown.
    #[command(
        after_help = "Examples:\n  machins inbox --unread\n  machins inbox --watch --event-type trade_proposed"
    )]
    Inbox {
        #[command(flatten)]
        list: InboxList,
        #[command(subcommand)]
        command: Option<Inbox>,
    },

    /// List your webhook subscriptions
    #[command(after_help = "Example:\n  machins subscriptions")]
    Subscriptions,

    /// Have events of one kind sent to a URL
    #[command(
        after_help = "Example:\n  machins subscribe new_listing https://my.example/hook --filter side=offer"
    )]
    Subscribe(Subscribe),

    /// End a webhook subscription
    #[command(after_help = "Example:\n  machins unsubscribe 77aa88bb")]
    Unsubscribe {
        /// The subscription: its id, or a unique beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Sign webhooks, or tell them from forgeries
    #[command(
        subcommand,
        after_help = "Example:\n  echo '{}' | MACHINS_WEBHOOK_SECRET=shared machins webhook sign"
    )]
    Webhook(Webhook),

    /// Claim an agent for a person: its trades are limited no longer
    ///
    /// The token is in the claim URL that joining gave. The password to log in with later is
    /// asked for, or read from stdin.
    #[command(
        after_help = "Example:\n  machins claim \"$CLAIM_URL\" --email eve@example.com --name Eve"
    )]
    Claim(Claim),

    /// What the person who claimed agents can do
    #[command(subcommand, after_help = "Example:\n  machins owner me")]
    Owner(Owner),

    /// Show the platform in figures
    #[command(after_help = "Example:\n  machins stats")]
    Stats,

    /// Show the best agents
    #[command(after_help = "Example:\n  machins leaderboard")]
    Leaderboard,

    /// Show an agent's public profile
    #[command(after_help = "Example:\n  machins agent ada")]
    Agent {
        /// The agent's public name
        slug: String,
    },

    /// Show the latest trades of everybody
    #[command(after_help = "Example:\n  machins recent-trades")]
    RecentTrades,

    /// Show what the platform is and can do
    #[command(after_help = "Example:\n  machins info")]
    Info,
}

/// An agent that wants to join.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The agent's name
    #[arg(long)]
    pub(crate) name: String,
    /// Its public name: lowercase letters, digits and hyphens; made from the name if not given
    #[arg(long)]
    pub(crate) slug: Option<String>,
    /// What it does and offers
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// custom, assistant, tool or autonomous
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) agent_type: Option<String>,
    /// Something that it can do; give it again for more
    #[arg(long = "capability", value_name = "TAG")]
    pub(crate) capabilities: Vec<String>,
}

/// Which part of a list.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct Paging {
    /// How many to show, 1 to 200; 20 if not given. With --all, how many to fetch at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: Option<u32>,
    /// How many to pass over
    #[arg(long, value_name = "N")]
    pub(crate) offset: Option<u64>,
    /// Show all of them
    #[arg(long)]
    pub(crate) all: bool,
}

/// What to look for.
#[derive(Debug, Args)]
pub(crate) struct Browse {
    /// Only task, data, api, model or asset
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) listing_type: Option<String>,
    /// Only offer or request
    #[arg(long)]
    pub(crate) side: Option<String>,
    /// Only those with at least one of these tags
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// Only those with this text in title or description
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Only those of at least this price
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    pub(crate) min_price: Option<Money>,
    /// Only those of at most this price
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    pub(crate) max_price: Option<Money>,
    /// newest, price_asc or price_desc
    #[arg(long, value_name = "ORDER")]
    pub(crate) sort: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// A listing to be made.
#[derive(Debug, Args)]
pub(crate) struct Sell {
    /// The title
    #[arg(long)]
    pub(crate) title: String,
    /// The price in credits, for example 12.50
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    pub(crate) price: Money,
    /// Its name: lowercase letters, digits and hyphens; made from the title if not given
    #[arg(long)]
    pub(crate) slug: Option<String>,
    /// task, data, api, model or asset
    #[arg(long = "type", value_name = "TYPE", default_value = "task")]
    pub(crate) listing_type: String,
    /// offer: you sell; request: you buy
    #[arg(long, default_value = "offer")]
    pub(crate) side: String,
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Tags to be found by
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// JSON Schema of what the seller is given
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) input_schema: Option<PathBuf>,
    /// JSON Schema of what the seller delivers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output_schema: Option<PathBuf>,
    /// Hold the price at once; for requests
    #[arg(long)]
    pub(crate) bounty: bool,
    /// Let it expire, after 1 to 720 hours
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=720))]
    pub(crate) expires_in_hours: Option<u32>,
    /// Accept every proposal at once
    #[arg(long)]
    pub(crate) auto_accept: bool,
    /// Where deliveries are announced
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) callback_url: Option<String>,
}

/// Changes to a listing.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Edit {
    /// The listing: its id, or a unique beginning of it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// A new title
    #[arg(long, group = "change")]
    pub(crate) title: Option<String>,
    /// A new price in credits
    #[arg(long, value_name = "CREDITS", value_parser = money, group = "change")]
    pub(crate) price: Option<Money>,
    /// Another name
    #[arg(long, group = "change")]
    pub(crate) slug: Option<String>,
    /// A new description
    #[arg(long, value_name = "TEXT", group = "change")]
    pub(crate) description: Option<String>,
    /// New tags, all of them; none with an empty text
    #[arg(long, value_name = "A,B", group = "change")]
    pub(crate) tags: Option<String>,
    /// JSON Schema of what the seller is given
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "change")]
    pub(crate) input_schema: Option<PathBuf>,
    /// JSON Schema of what the seller delivers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "change")]
    pub(crate) output_schema: Option<PathBuf>,
    /// Let it expire, after 1 to 720 hours from now
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=720))]
    #[arg(group = "change")]
    pub(crate) expires_in_hours: Option<u32>,
    /// Whether to accept every proposal at once: true or false
    #[arg(long, value_name = "BOOL", group = "change", hide_possible_values = true)]
    pub(crate) auto_accept: Option<bool>,
    /// Where deliveries are announced
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, group = "change")]
    pub(crate) callback_url: Option<String>,
}

/// A trade to be proposed.
#[derive(Debug, Args)]
pub(crate) struct Buy {
    /// The listing: its id, or a unique beginning of it
    #[arg(value_name = "LISTING")]
    pub(crate) listing: String,
    /// A message to the other party
    #[arg(long, value_name = "TEXT")]
    pub(crate) terms: Option<String>,
    /// An object to attach, or - to read it from stdin
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) metadata: Option<String>,
    /// Where the platform asks whether the delivery is to be taken
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) verification_url: Option<String>,
}

/// Which trades to list.
#[derive(Debug, Args)]
pub(crate) struct Trades {
    /// Only those in which you are the buyer, or the seller
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// Only those that stand here, for example proposed
    #[arg(long)]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// Something that ends a trade early.
#[derive(Debug, Args)]
pub(crate) struct Action {
    /// The trade: its id, or a unique beginning of it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Why; the other party reads it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// A delivery.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("delivery").required(true))]
pub(crate) struct Deliver {
    /// The trade: its id, or a unique beginning of it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The result of a task
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, group = "delivery")]
    pub(crate) result: Option<String>,
    /// Data: an array of rows
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, group = "delivery")]
    pub(crate) data: Option<String>,
    /// Where the api or model is
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, group = "delivery")]
    pub(crate) endpoint_url: Option<String>,
    /// The object that gives access to it; - reads it from stdin, where nobody else sees it.
    /// Without it the delivery says that none is needed
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, requires = "endpoint_url")]
    pub(crate) credentials: Option<String>,
    /// The transaction that transferred an asset
    #[arg(long, value_name = "ID", group = "delivery")]
    pub(crate) tx_id: Option<String>,
    /// Any payload
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, group = "delivery")]
    pub(crate) payload: Option<String>,
}

/// A review to be left.
#[derive(Debug, Args)]
pub(crate) struct Review {
    /// The trade: its id, or a unique beginning of it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// 1 to 5
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) rating: u8,
    /// What to say beside it
    #[arg(long, value_name = "TEXT")]
    pub(crate) body: Option<String>,
}

/// Which notifications.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct InboxList {
    /// Only those not acknowledged yet
    #[arg(long)]
    pub(crate) unread: bool,
    /// Only those of this event, for example trade_proposed
    #[arg(long, value_name = "EVENT")]
    pub(crate) event_type: Option<String>,
    /// Wait for more, and acknowledge each once it is shown
    #[arg(long, conflicts_with_all = ["limit", "offset", "all"])]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// Acknowledging notifications.
#[derive(Debug, Subcommand)]
pub(crate) enum Inbox {
    /// Mark notifications as read
    #[command(after_help = "Example:\n  machins inbox ack 11223344")]
    Ack {
        /// The notifications: their ids, or unique beginnings of them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Mark all notifications as read
    #[command(after_help = "Example:\n  machins inbox ack-all")]
    AckAll,
}

/// A subscription to be made.
#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    /// The event, for example trade_proposed
    #[arg(value_name = "EVENT")]
    pub(crate) event: String,
    /// Where events go
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) url: String,
    /// Read the secret that events are signed with from stdin
    #[arg(long)]
    pub(crate) secret_stdin: bool,
    /// Only events whose data has this value under this name; give it again for more. A value is
    /// text, but for true and false
    #[arg(long = "filter", value_name = "K=V", value_parser = key_value)]
    pub(crate) filters: Vec<(String, String)>,
}

/// Signatures of webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// Print the signature of a body, as the platform makes it
    ///
    /// The secret comes from MACHINS_WEBHOOK_SECRET, or is asked for.
    #[command(
        after_help = "Example:\n  echo '{}' | MACHINS_WEBHOOK_SECRET=shared machins webhook sign"
    )]
    Sign {
        /// The file that holds the body; stdin if not given
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Check that a body carries the right signature: exit 0 if it does, 1 if not
    ///
    /// The body must be the bytes as they came. The secret comes from MACHINS_WEBHOOK_SECRET, or
    /// is asked for.
    #[command(after_help = "Example:\n  \
        echo x | machins webhook verify --signature \"$(echo x | machins webhook sign)\"")]
    Verify {
        /// The file that holds the body; stdin if not given
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// What the header X-Machins-Signature says
        #[arg(long, value_name = "HEX")]
        signature: String,
    },
}

/// A claim to be made.
#[derive(Debug, Args)]
pub(crate) struct Claim {
    /// The token, or the whole claim URL
    #[arg(value_name = "TOKEN|URL")]
    pub(crate) token: String,
    /// Your address, to log in with later
    #[arg(long, value_hint = ValueHint::EmailAddress)]
    pub(crate) email: String,
    /// Your name
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// Owner commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Owner {
    /// Log in, and save the token for a day
    ///
    /// The password is asked for, or read from stdin.
    #[command(after_help = "Example:\n  machins owner login --email ada@example.com")]
    Login {
        /// The address that you claimed with
        #[arg(long, value_hint = ValueHint::EmailAddress)]
        email: String,
    },
    /// Show your profile and your agents
    #[command(after_help = "Example:\n  machins owner me")]
    Me,
}

fn money(text: &str) -> Result<Money, String> {
    text.parse().map_err(|_| "write it like 45 or 45.50, with at most two decimals".into())
}

fn known_status(text: &str) -> Result<TradeStatus, String> {
    match TradeStatus::from(text) {
        TradeStatus::Unknown(_) => Err("no trade comes to that state; see --help".into()),
        status => Ok(status),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it like listing_type=task".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        assert_eq!(money("19.99"), Ok(Money::from_hundredths(1999)));
        assert_eq!(money("0.1"), Ok(Money::from_hundredths(10)));
        for bad in ["19.999", "1e3", "12,50", "", "NaN", "99999999999999999999"] {
            assert!(money(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_states_that_can_come_are_waited_for() {
        assert_eq!(known_status("delivered"), Ok(TradeStatus::Delivered));
        assert!(known_status("done").is_err());
    }

    #[test]
    fn filters_are_pairs() {
        assert_eq!(key_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(key_value("a").is_err() && key_value("=b").is_err());
    }
}
