//! `machins trigger`.

use agent_client_core::{BaseUrl, Blocking, Call, Transport};
use clap::Args;
use machins_client::{AgentId, DEFAULT_BASE_URL, Document, EventType, InboxQuery, reqwest};
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::key::BASE_URL;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::known;
use crate::random;
use crate::style::GOOD;

/// What the base URL of machins ends with; the control API is beside it.
const VERSION: &str = "/api/v1";
/// The number of newest notifications among which that of the event is looked for.
const NEWEST: u32 = 50;

/// Make an event happen on a mock server
///
/// Another agent, made for this, does what leads to the event: proposes, accepts, delivers, lists.
/// Your agent gets the notification, and those of the steps before it. trade_delivered costs your agent 1
/// credit, which is held in escrow; for trade_proposed and match_found it gets a listing. new_listing,
/// new_request and new_agent are in no inbox, but are posted to webhook subscriptions.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins trigger trade_proposed")]
pub(crate) struct Trigger {
    /// Event, for example trade_proposed
    #[arg(value_name = "EVENT", value_parser = known(EventType::WORDS))]
    event: String,
}

/// What was made to happen.
#[derive(Serialize)]
struct Triggered<'a> {
    event_type: &'a EventType,
    /// The notification that the acting agent got. `None` if the event is in no inbox.
    notification_id: Option<String>,
    trade_id: Option<&'a str>,
    listing_id: Option<&'a str>,
    /// The other agent.
    agent_slug: &'a str,
}

impl Trigger {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let event = EventType::from(self.event);
        let mock = Mock::of(context)?;
        let is_broadcast =
            matches!(event, EventType::NewListing | EventType::NewRequest | EventType::NewAgent);
        let own = if is_broadcast { None } else { Some(mock.own_slug(context)?) };
        let other = format!("trigger-{}", &random::hex()?[..12]);
        let fixtures = fixtures(&event, own.as_deref().unwrap_or_default(), &other);
        let made = mock.call(Call::post("/_mock/fixtures").body(&fixtures))?;
        let id = |list: &str| made[list][0]["id"].as_str();
        let triggered = Triggered {
            event_type: &event,
            notification_id: match own {
                Some(_) => notification(context, &event, id("trades"), id("listings"))?,
                None => None,
            },
            trade_id: id("trades"),
            listing_id: id("listings"),
            agent_slug: &other,
        };
        context.out.result(&triggered, || {
            let about = triggered.trade_id.or(triggered.listing_id).unwrap_or(&other);
            format!("{GOOD}triggered{GOOD:#}  {event}  {about}")
        })?;
        if is_broadcast {
            let what = "it is in no inbox; webhook subscriptions get it";
            context.out.note(&format!("{what}: `machins subscribe --help`"));
        }
        Ok(())
    }
}

/// What makes an event happen: another agent, a listing, and a trade that is brought to a status by
/// its parties.
fn fixtures(event: &EventType, own: &str, other: &str) -> Value {
    let listing = |agent: &str, side: &str| {
        json!({
            "agent": agent, "slug": format!("{other}-{side}"), "title": "Made by machins trigger",
            "listing_type": "task", "side": side, "price": 1, "tags": [other],
        })
    };
    // Of a request, its agent is the buyer.
    let sold = |status: &str| {
        let trade = json!({"listing": format!("{other}-request"), "seller": own, "status": status});
        (vec![listing(other, "request")], vec![trade])
    };
    let bought_from = |seller: &str, buyer: &str, status: &str| {
        let trade = json!({"listing": format!("{other}-offer"), "buyer": buyer, "status": status});
        (vec![listing(seller, "offer")], vec![trade])
    };
    let (listings, trades) = match event {
        EventType::TradeProposed => bought_from(own, other, "proposed"),
        EventType::TradeDelivered => bought_from(other, own, "delivered"),
        EventType::TradeAccepted => sold("escrow_held"),
        EventType::TradeCompleted => sold("completed"),
        EventType::TradeCancelled => sold("cancelled"),
        EventType::TradeDisputed => sold("disputed"),
        EventType::NewListing => (vec![listing(other, "offer")], vec![]),
        EventType::NewRequest => (vec![listing(other, "request")], vec![]),
        EventType::MatchFound => (vec![listing(own, "offer"), listing(other, "request")], vec![]),
        // The agent itself is what is new.
        _ => (vec![], vec![]),
    };
    let agents = [json!({"slug": other, "name": "Made by machins trigger"})];
    json!({"agents": agents, "listings": listings, "trades": trades})
}

/// The id of the notification of an event about this trade, or else about this listing.
fn notification(
    context: &Context,
    event: &EventType,
    trade: Option<&str>,
    listing: Option<&str>,
) -> Result<Option<String>, Failure> {
    let query = InboxQuery::new().event_type(event.clone()).limit(NEWEST);
    let newest = context.machins()?.list_inbox(&query)?.items.into_iter();
    let (field, id) = match trade {
        Some(trade) => ("trade_id", Some(trade)),
        None => ("listing_id", listing),
    };
    let is_of_it = |payload: &Document| payload.get(field).and_then(|id| id.as_str()) == id;
    let mut found = newest.filter(|notification| is_of_it(&notification.payload));
    Ok(found.next().map(|notification| notification.id.to_string()))
}

/// The control API of the mock server that the base URL of machins leads to.
struct Mock(Blocking);

impl Mock {
    fn of(context: &Context) -> Result<Self, Failure> {
        let url = context.value(&BASE_URL)?.unwrap_or_default();
        let no_mock = || {
            let what = format!("events can be triggered only on a mock server, and {url} is none");
            Failure::refused(what).hint(
                "give the URL of one with --base-url or MACHINS_BASE_URL; to start one: \
                 `machins mock serve`",
            )
        };
        let base = url.trim_end_matches('/');
        // The service itself need not be asked.
        let Some(root) = base.strip_suffix(VERSION).filter(|_| base != DEFAULT_BASE_URL) else {
            return Err(no_mock());
        };
        // A mock server is on this machine or in the next container.
        let options = context.options().http(reqwest::ClientBuilder::no_proxy);
        // No key is sent.
        let mock = Self(Blocking::new(BaseUrl::parse_insecure(root)?, Vec::new(), options)?);
        let health = mock.0.send(Call::get("/_mock/health"))?;
        let says_ok = health.json::<Value>().is_ok_and(|health| health["status"] == "ok");
        if health.is_success() && says_ok { Ok(mock) } else { Err(no_mock()) }
    }

    fn call(&self, call: Call<agent_client_core::Reply>) -> Result<Value, Failure> {
        Ok(self.0.send(call.single_attempt().json())?)
    }

    /// The slug of the acting agent.
    fn own_slug(&self, context: &Context) -> Result<String, Failure> {
        let wallet = context.machins()?.get_wallet()?;
        let id = wallet.agent_id.as_ref().map(AgentId::as_str);
        let agents = self.call(Call::get("/_mock/machins/agents"))?;
        let mut agents = agents["agents"].as_array().into_iter().flatten();
        let own = agents.find(|agent| agent["agent_id"].as_str() == id);
        let slug = own.and_then(|own| own["slug"].as_str());
        slug.map(Into::into).ok_or_else(|| Failure::not_found("the mock server has no such agent"))
    }
}
