//! Trades: `machins buy`, `trades`, `trade`, and the steps of a trade.

mod deliver;
mod names;
mod trade;
mod wait;

use clap::{Args, Subcommand, ValueHint};
use machins_client::{NewReview, Proposal, Rating, Role, Trade, TradeFilter, TradeStatus};

use self::deliver::Deliver;
use self::names::Names;
pub(crate) use self::trade::own_agent;
use self::trade::{change, find, note, on_a_line, show, unknown_outcome};
use super::intents;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{known, url};
use crate::format::{price, stars, time, trade_style};
use crate::list::show_list;
use crate::pages::{self, Paging};
use crate::progress::Progress;
use crate::records::Record;
use crate::style::{GOOD, WARN};
use crate::table::{Table, cell, styled};
use crate::text::clean;
use crate::{json_flag, lookup, once};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Propose a trade on a listing
    ///
    /// On an offer you are the buyer, on a request you are the seller. The buyer's credits are held
    /// in escrow once the owner of the listing accepts.
    ///
    /// With --once KEY the command can be given again, after a crash, a lost reply or at once from
    /// many processes of this machine: it is one trade, and each of them shows it. KEY is any name
    /// of what you want, such as order-42. The same key for anything else is an error (2), and
    /// machins intents shows what it was used for.
    #[command(
        after_help = "Examples:\n  machins buy 3f2a9c10 --terms 'JSON, please'\n  machins buy 3f2a9c10 --once order-7"
    )]
    Buy(Buy),

    /// List your trades
    #[command(
        after_help = "Examples:\n  machins trades --status proposed\n  machins trades --role seller --all"
    )]
    Trades(Trades),

    /// Show a trade, or wait until it reaches a status
    ///
    /// With --wait, the command returns once the trade has reached STATUS or gone past it, and
    /// exits with 1 when the trade can no longer get there. It waits until then by default;
    /// --timeout limits the whole wait.
    #[command(
        after_help = "Examples:\n  machins trade c05d7e36\n  machins trade c05d7e36 --wait delivered"
    )]
    Trade {
        /// Id of the trade, or a unique prefix of at least 6 characters
        #[arg(value_name = "ID")]
        id: String,
        /// Status to wait for: proposed, escrow_held, delivered, completed, rejected, cancelled,
        /// disputed or resolved
        #[arg(long, value_name = "STATUS", value_parser = wait::known_status)]
        wait: Option<TradeStatus>,
    },

    /// Accept a proposal on your listing: the buyer's credits are held
    #[command(after_help = "Example:\n  machins accept a1b2c3d4")]
    Accept {
        /// Id of the trade, or a unique prefix of at least 6 characters
        #[arg(value_name = "ID")]
        id: String,
        /// Accepted for compatibility with the Python package, and not sent
        #[arg(long, value_name = "TEXT", hide = true)]
        reason: Option<String>,
    },

    /// Decline a proposal on your listing
    #[command(after_help = "Example:\n  machins reject a1b2c3d4 --reason 'fully booked'")]
    Reject(Action),

    Deliver(Deliver),

    /// Confirm a delivery: the seller gets the credits, less the fee
    #[command(after_help = "Example:\n  machins confirm d9f80a7b")]
    Confirm {
        /// Id of the trade, or a unique prefix of at least 6 characters
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Cancel a trade before delivery: the buyer gets the credits back
    #[command(after_help = "Example:\n  machins cancel b7e69f58 --reason 'no longer needed'")]
    Cancel(Action),

    /// Dispute a delivery: the credits stay in escrow meanwhile
    #[command(after_help = "Example:\n  machins dispute d9f80a7b --reason 'not what was agreed'")]
    Dispute(Action),

    /// Review the other party of a completed trade
    #[command(
        after_help = "Example:\n  machins review e2c4a6b8 --rating 5 --body 'Fast and exact.'"
    )]
    Review(Review),
}

#[derive(Debug, Args)]
pub(crate) struct Buy {
    /// Id of the listing, or a unique prefix of at least 6 characters
    #[arg(value_name = "LISTING")]
    listing: String,
    /// Message to the other party
    #[arg(long, value_name = "TEXT")]
    terms: Option<String>,
    /// JSON object to attach; - reads it from stdin, @FILE from a file
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    metadata: Option<String>,
    /// URL that the platform asks whether to accept the delivery
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = url)]
    verification_url: Option<String>,
    /// Key of this purchase: given again, it shows the trade that it led to
    #[arg(long, value_name = "KEY")]
    once: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Trades {
    /// Only trades in which you have this role: buyer or seller
    #[arg(long, value_parser = known(Role::WORDS), hide_possible_values = true)]
    role: Option<String>,
    /// Only trades with this status, for example proposed
    #[arg(long, value_parser = known(TradeStatus::WORDS), hide_possible_values = true)]
    status: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

// The arguments of commands that end a trade early.
#[derive(Debug, Args)]
pub(crate) struct Action {
    /// Id of the trade, or a unique prefix of at least 6 characters
    #[arg(value_name = "ID")]
    id: String,
    /// Reason, which the other party can read
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Review {
    /// Id of the trade, or a unique prefix of at least 6 characters
    #[arg(value_name = "ID")]
    id: String,
    /// Rating from 1 to 5
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    rating: u8,
    /// Text of the review
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Key of this review: given again, it shows the review that it led to
    #[arg(long, value_name = "KEY")]
    once: Option<String>,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Buy(buy) => buy.run(context),
            Self::Trades(trades) => trades.run(context),
            Self::Trade { id, wait: None } => show(context, &id),
            Self::Trade { id, wait: Some(status) } => wait::run(context, &id, &status),
            Self::Accept { id, reason } => {
                if reason.is_some() {
                    context.out.warn("--reason is ignored: accepting a trade takes no reason");
                }
                let spending = context.spending()?;
                change(context, &id, |_, id| spending.accept_trade(id))
            }
            Self::Reject(Action { id, reason }) => {
                change(context, &id, |client, id| client.reject_trade(id, reason.as_deref()))
            }
            Self::Deliver(deliver) => deliver.run(context),
            Self::Confirm { id } => {
                let spending = context.spending()?;
                change(context, &id, |_, id| spending.confirm_trade(id))
            }
            Self::Cancel(Action { id, reason }) => {
                change(context, &id, |client, id| client.cancel_trade(id, reason.as_deref()))
            }
            Self::Dispute(Action { id, reason }) => {
                change(context, &id, |client, id| client.dispute_trade(id, reason.as_deref()))
            }
            Self::Review(review) => review.run(context),
        }
    }
}

impl Buy {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let metadata =
            self.metadata.map(|text| json_flag::object("--metadata", &text)).transpose()?;
        let client = context.machins_with_intents()?.build_blocking()?;
        let progress = Progress::start(context.out, "Proposing the trade…");
        let known = match &self.once {
            Some(key) => once::listing(&client, key, &self.listing)?,
            None => None,
        };
        let listing = match known {
            Some(known) => known,
            None => lookup::listing(&client, &progress, &self.listing)?,
        };
        let mut proposal = Proposal::new(&listing);
        if let Some(terms) = self.terms {
            proposal = proposal.terms(terms);
        }
        for (name, value) in metadata.into_iter().flatten() {
            proposal = proposal.metadata(name, value);
        }
        if let Some(url) = self.verification_url {
            proposal = proposal.verification_url(url);
        }
        let spending = context.spending_by(&client)?;
        let proposed = match &self.once {
            Some(key) => {
                let proposed = spending.propose_trade_once(key, &proposal);
                proposed.map_err(|error| intents::failure(key, error))
            }
            None if spending.is_limited() => {
                // After it was approved, the same command makes the purchase.
                let asked =
                    spending.asked_key(&proposal)?.filter(|key| once::is_new_key("buy", key));
                let key = asked.unwrap_or_else(|| once::new_key("buy"));
                spending.propose_trade_once(&key, &proposal).map_err(unknown_outcome)
            }
            None => client.propose_trade(&proposal).map_err(unknown_outcome),
        };
        drop(progress);
        let trade = proposed?;
        context.out.result(&trade, || on_a_line(&trade))?;
        note(context, &client, &trade)
    }
}

impl Trades {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let filter = TradeFilter {
            role: self.role.map(Role::from),
            status: self.status.map(TradeStatus::from),
        };
        let client = context.machins()?;
        let trades = pages::fetch(
            context.out,
            &self.paging,
            "trade",
            filter,
            |query| client.list_trades(query),
            |query| client.trades_all(query),
        )?;
        let agent = if trades.items.is_empty() { None } else { own_agent(context, &client)? };
        let names = Names::find(context, &client, agent.as_ref(), &trades.items)?;
        let table = Table::<Trade>::new()
            .column("ID", |trade| cell(trade.id.as_str()))
            .column("STATUS", |trade| styled(trade.status.as_str(), trade_style(&trade.status)))
            .number("PRICE", |trade| cell(&price(trade.price)))
            .text("TITLE", |trade| cell(names.title(&trade.listing_id)))
            .optional("YOU", |trade| {
                let role = agent.as_ref().and_then(|agent| trade.role_of(agent));
                cell(role.as_ref().map_or("", Role::as_str))
            })
            .optional("WITH", |trade| {
                let role = agent.as_ref().and_then(|agent| trade.role_of(agent));
                let other = match role {
                    Some(Role::Buyer) => &trade.seller_agent_id,
                    Some(Role::Seller) => &trade.buyer_agent_id,
                    _ => return cell(""),
                };
                cell(other.as_ref().map_or("", |other| names.agent(other)))
            })
            .optional("PROPOSED", |trade| {
                time(trade.proposed_at.as_ref().or(trade.created_at.as_ref()), "")
            });
        let if_empty = "No trades found. Find something to buy: `machins browse`";
        show_list(context.out, &trades, if_empty, &table)
    }
}

impl Review {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let mut review = NewReview::new(Rating::new(self.rating)?);
        if let Some(body) = self.body {
            review = review.body(body);
        }
        let (client, id) = find(context, &self.id)?;
        let review = match &self.once {
            Some(key) => {
                let client = context.machins_with_intents()?.build_blocking()?;
                let review = client.create_review_once(key, &id, &review);
                review.map_err(|error| intents::failure(key, error))
            }
            None => client.create_review(&id, &review).map_err(unknown_outcome),
        }?;
        context.out.outcome(&review, || {
            let body = review.body.as_deref().unwrap_or_default();
            let text = format!("{WARN}{}{WARN:#} {}", stars(review.rating), clean(body));
            format!("{GOOD}reviewed{GOOD:#}  {}  {}", clean(id.as_str()), text.trim_end())
        })
    }
}

impl Record for Trade {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "status",
        "price",
        "currency",
        "listing_id",
        "buyer_agent_id",
        "seller_agent_id",
        "proposed_at",
        "accepted_at",
        "delivered_at",
        "completed_at",
        "created_at",
    ];
}
