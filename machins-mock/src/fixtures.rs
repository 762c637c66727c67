//! Fixtures: orgs, agents, listings, trades and subscriptions that a test begins with.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::machineid::{DeviceId, OrgKeyError, OrgState, OrgUpdate, Plan, org};
use crate::machins::listings::{ListingReply, NewListing};
use crate::machins::subscriptions::{NewSubscription, SubscriptionReply};
use crate::machins::trade_fixtures::TradeFixture;
use crate::machins::trades::TradeReply;
use crate::machins::{Agent, AgentRequest, Context, Error, Machins, Webhook};
use crate::reading::{FieldError, JsonError, read_object};
use crate::world::World;

/// An example for [`MockServer::load_fixtures`](crate::MockServer::load_fixtures): an org
/// with devices and a small market, which `machins mock serve --demo-data` starts with.
pub const DEMO_DATA: &str = include_str!("demo_data.json");

/// What a test begins with. Everything is added to what is there already, or nothing if a part of
/// it is refused.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(example = serde_json::json!({
    "orgs": [{"org_key": "org_test", "plan": "pro", "devices": ["agent-01"], "revoked": ["agent-02"]}],
    "agents": [
        {"slug": "a-seller", "api_key": "at_seller", "credits": 500, "tier": "verified"},
        {"slug": "a-buyer", "api_key": "at_buyer", "credits": 500},
    ],
    "listings": [{
        "agent": "a-seller", "slug": "a-summary", "title": "A summary", "listing_type": "task", "price": 50,
    }],
    "trades": [{"listing": "a-summary", "buyer": "a-buyer", "status": "escrow_held"}],
    "subscriptions": [{
        "agent": "a-seller", "event_type": "trade_proposed", "webhook_url": "http://127.0.0.1:9000/hook",
    }],
}))]
pub(crate) struct Fixtures {
    orgs: Vec<OrgFixture>,
    agents: Vec<AgentRequest>,
    #[schemars(with = "Vec<ListingFixture>")]
    listings: Vec<Box<RawValue>>,
    trades: Vec<TradeFixture>,
    #[schemars(with = "Vec<SubscriptionFixture>")]
    subscriptions: Vec<Box<RawValue>>,
}

/// An org with its devices.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct OrgFixture {
    /// The key: `org_` and 1 to 128 letters, digits and `. _ -`; random by default.
    org_key: Option<String>,
    /// The plan; `free` by default.
    plan: Option<Plan>,
    /// The ids of the active devices.
    devices: Vec<String>,
    /// The ids of the revoked devices.
    revoked: Vec<String>,
    execution_enabled: Option<bool>,
    frozen: Option<bool>,
    entitlement_active: Option<bool>,
    available: Option<bool>,
}

/// A listing of an agent.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents what `OfAgent` and `NewListing` read")]
struct ListingFixture {
    /// The slug of the agent that lists it.
    agent: String,
    #[serde(flatten)]
    listing: NewListing,
}

/// A subscription of an agent.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents what `OfAgent` and `NewSubscription` read")]
struct SubscriptionFixture {
    /// The slug of the agent that subscribes.
    agent: String,
    #[serde(flatten)]
    subscription: NewSubscription,
}

/// The agent of a listing or of a subscription.
#[derive(Deserialize, JsonSchema)]
struct OfAgent {
    agent: String,
}

/// What was made of fixtures, in the same order.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Loaded {
    orgs: Vec<OrgState>,
    agents: Vec<Agent>,
    listings: Vec<ListingReply>,
    trades: Vec<TradeReply>,
    subscriptions: Vec<SubscriptionReply>,
}

/// The reason why fixtures were refused.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Refused {
    /// What is wrong, and where.
    pub(crate) error: FieldError,
    /// Whether something of the same name is there already.
    pub(crate) is_duplicate: bool,
}

/// The reason why fixtures were refused. Its message names the place, such as `trades[0].buyer`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FixtureError {
    message: String,
    field: Option<String>,
}

impl FixtureError {
    pub(crate) fn json(error: JsonError) -> Self {
        let message = error.to_string();
        let field = match error {
            JsonError::Field(error) => Some(error.field),
            _ => None,
        };
        Self { message, field }
    }

    pub(crate) fn refused(Refused { error, .. }: Refused) -> Self {
        Self { message: error.to_string(), field: Some(error.field) }
    }

    /// Returns the place of what is wrong, such as `trades[0].buyer`; `None` if the JSON as a whole
    /// is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl Refused {
    fn at(place: &str, error: FieldError) -> Self {
        Self { error: error.within(place), is_duplicate: false }
    }

    fn machins(place: &str, error: Error) -> Self {
        let is_duplicate = error.is_duplicate();
        Self { error: field_error(error).within(place), is_duplicate }
    }
}

/// Returns an error of the platform as the error of a field.
fn field_error(Error { message, details, .. }: Error) -> FieldError {
    let field = details.get("field").and_then(|field| field.as_str()).unwrap_or_default();
    let rule = message.strip_prefix(&format!("`{field}`: ")).unwrap_or(&message);
    FieldError::new(field, rule)
}

fn read<T>(place: &str, json: &RawValue) -> Result<T, Refused>
where
    T: DeserializeOwned + JsonSchema + 'static,
{
    read_object(json.get().as_bytes(), false).map_err(|error| match error {
        JsonError::Field(error) => Refused::at(place, error),
        error => Refused::at(place, FieldError::new("", error)),
    })
}

impl Fixtures {
    /// Adds everything to a world, and returns it with the webhooks to send. If it fails, the world
    /// is to be thrown away.
    pub(crate) fn add_to(self, world: &mut World) -> Result<(Loaded, Vec<Webhook>), Refused> {
        let Self { orgs, agents, listings, trades, subscriptions } = self;
        let mut loaded = Vec::new();
        for (n, org) in orgs.into_iter().enumerate() {
            loaded.push(org.add_to(world, &format!("orgs[{n}]"))?);
        }
        let now = world.clock.now();
        let World { random, machins, .. } = world;
        let (result, webhooks) = machins.act(now, random, |machins, cx| {
            Ok(Loaded {
                orgs: loaded,
                agents: add_agents(machins, cx, agents)?,
                listings: add_listings(machins, cx, &listings)?,
                trades: add_trades(machins, cx, trades)?,
                subscriptions: Vec::new(),
            })
        });
        let mut loaded = result?;
        // By themselves, so that what is added here is not posted to them.
        let (subscriptions, _) =
            machins.act(now, random, |machins, cx| add_subscriptions(machins, cx, &subscriptions));
        loaded.subscriptions = subscriptions?;
        Ok((loaded, webhooks))
    }
}

impl OrgFixture {
    fn add_to(self, world: &mut World, place: &str) -> Result<OrgState, Refused> {
        let Self { org_key, plan, devices, revoked, .. } = &self;
        let plan = plan.unwrap_or(Plan::Free);
        let now = world.clock.now();
        let machineid = &mut world.machineid;
        let key = match org_key {
            None => machineid.create_org(plan, &mut world.random),
            Some(key) => machineid.create_org_with_key(plan, key.clone()).map_err(|error| {
                let message = error.to_string();
                let rule = message.strip_prefix("`org_key`: ").unwrap_or(&message);
                let mut refused = Refused::at(place, FieldError::new("org_key", rule));
                refused.is_duplicate = error == OrgKeyError::Duplicate;
                refused
            })?,
        };
        let org = machineid.org_mut(key.as_str());
        // It was created above.
        let org = org.ok_or_else(|| Refused::at(place, FieldError::new("", "there is none")))?;
        // Revoked devices do not count against the plan.
        for (list, ids, is_revoked) in [("revoked", revoked, true), ("devices", devices, false)] {
            for (n, id) in ids.iter().enumerate() {
                let at = |rule: &dyn std::fmt::Display| {
                    Refused::at(place, FieldError::new(format!("{list}[{n}]"), rule))
                };
                let id = DeviceId::parse(id).map_err(|error| at(&error))?;
                match org.register(id.clone(), now) {
                    org::Registration::Created => {}
                    org::Registration::AtCap => {
                        let limit = plan.limit();
                        return Err(at(&format_args!(
                            "the plan allows only {limit} active devices"
                        )));
                    }
                    _ => return Err(at(&"the device is listed twice")),
                }
                if is_revoked {
                    org.revoke(&id, now);
                }
            }
        }
        let update = OrgUpdate::from_settings(
            self.execution_enabled,
            self.frozen,
            self.entitlement_active,
            self.available,
        );
        let updated = machineid.update_org(key.as_str(), update);
        updated.map_err(|error| Refused::at(place, FieldError::new("", error)))
    }
}

fn add_agents(
    machins: &mut Machins,
    cx: &mut Context<'_>,
    agents: Vec<AgentRequest>,
) -> Result<Vec<Agent>, Refused> {
    let mut added = Vec::new();
    for (n, agent) in agents.into_iter().enumerate() {
        let agent = machins.create_agent(cx, agent);
        added.push(agent.map_err(|error| Refused::machins(&format!("agents[{n}]"), error))?);
    }
    Ok(added)
}

fn add_listings(
    machins: &mut Machins,
    cx: &mut Context<'_>,
    listings: &[Box<RawValue>],
) -> Result<Vec<ListingReply>, Refused> {
    let mut added = Vec::new();
    for (n, json) in listings.iter().enumerate() {
        let place = format!("listings[{n}]");
        let refused = |error| Refused::machins(&place, error);
        let OfAgent { agent } = read(&place, json)?;
        let agent = machins.agent_of_slug("agent", &agent).map_err(refused)?;
        let listing: NewListing = read(&place, json)?;
        added.push(machins.create_listing(cx, agent, listing).map_err(refused)?);
    }
    Ok(added)
}

fn add_trades(
    machins: &mut Machins,
    cx: &mut Context<'_>,
    trades: Vec<TradeFixture>,
) -> Result<Vec<TradeReply>, Refused> {
    let mut added = Vec::new();
    for (n, trade) in trades.into_iter().enumerate() {
        let trade = machins.add_trade_fixture(cx, trade);
        added.push(trade.map_err(|error| Refused::machins(&format!("trades[{n}]"), error))?);
    }
    Ok(added)
}

fn add_subscriptions(
    machins: &mut Machins,
    cx: &mut Context<'_>,
    subscriptions: &[Box<RawValue>],
) -> Result<Vec<SubscriptionReply>, Refused> {
    let mut added = Vec::new();
    for (n, json) in subscriptions.iter().enumerate() {
        let place = format!("subscriptions[{n}]");
        let refused = |error| Refused::machins(&place, error);
        let OfAgent { agent } = read(&place, json)?;
        let agent = machins.agent_of_slug("agent", &agent).map_err(refused)?;
        let subscription: NewSubscription = read(&place, json)?;
        added.push(machins.subscribe(cx, agent, subscription).map_err(refused)?);
    }
    Ok(added)
}
