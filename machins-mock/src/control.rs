//! The control API under `/_mock`: what the typed controls do, for tests in any language.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{MAX_ADVANCE, Time};
use crate::delivery::WebhookAttempt;
use crate::fault::{Fault, PlantedFault};
use crate::http::{
    Api, App, BodyError, JsonBody, Output, PathText, Problem, Reply, Responses, StoredBody,
};
use crate::journal::RequestRecord;
use crate::machineid::{self, OrgState, OrgUpdate, Plan};
use crate::machins::{AgentHandle, AgentRequest, LedgerBooks, MarketError, Outcome, TradeReply};
use crate::state::Snapshot;

/// The most that a stored world may hold: 64 MiB.
const MAX_STATE: usize = 64 * 1024 * 1024;

pub(crate) fn routes(api: Api) -> Api {
    api.tag("Mock control")
        .get("/_mock/health", "Is the server up?", health)
        .post("/_mock/reset", "Empty world, real time, no faults, no requests", reset)
        .get("/_mock/clock", "The virtual time", clock)
        .post("/_mock/clock/advance", "Move the virtual time forward", advance)
        .post("/_mock/machineid/orgs", "Make an organisation", create_org)
        .patch("/_mock/machineid/orgs/{org_key}", "Turn an organisation's switches", update_org)
        .post("/_mock/machins/agents", "Make an agent", create_agent)
        .post("/_mock/machins/trades/{id}/resolve", "End a dispute", resolve_dispute)
        .get("/_mock/machins/ledger", "The books of the marketplace", ledger)
        .get("/_mock/webhooks", "The webhooks so far, oldest first", webhooks)
        .get("/_mock/requests", "The requests so far, oldest first, without secrets", requests)
        .delete("/_mock/requests", "Forget the requests so far", clear_requests)
        .get("/_mock/faults", "The faults in force", faults)
        .post("/_mock/faults", "Make something go wrong", add_fault)
        .delete("/_mock/faults", "Remove every fault", clear_faults)
        .get("/_mock/state", "The whole world, keys included", state)
        .put("/_mock/state", "Make the world what it was", restore)
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) | BodyError::Full(_) => {
                Self::new(413, "PAYLOAD_TOO_LARGE", error.to_string())
            }
            error => Self::bad_request(&error),
        }
    }
}

/// The call is done.
#[derive(Serialize, JsonSchema)]
struct Done {
    status: &'static str,
}

const DONE: Reply<200, Done> = Reply(Done { status: "ok" });

async fn health() -> Reply<200, Done> {
    DONE
}

async fn reset(State(app): State<App>) -> Reply<200, Done> {
    app.reset();
    DONE
}

/// The virtual time.
#[derive(Serialize, JsonSchema)]
struct ClockState {
    now: Time,
    /// How far it is ahead of the real time.
    offset_seconds: f64,
}

impl ClockState {
    fn of(app: &App) -> Self {
        let clock = &app.world().clock;
        Self { now: clock.now(), offset_seconds: clock.offset().as_secs_f64() }
    }
}

async fn clock(State(app): State<App>) -> Reply<200, ClockState> {
    Reply(ClockState::of(&app))
}

#[derive(Deserialize, JsonSchema)]
struct Advance {
    /// At least 0; parts of a second count to the millisecond.
    seconds: f64,
}

async fn advance(
    State(app): State<App>,
    JsonBody(body): JsonBody<Advance>,
) -> Result<Reply<200, ClockState>, Problem> {
    let by = Duration::try_from_secs_f64(body?.seconds).map_err(|_| {
        let most = MAX_ADVANCE.as_secs();
        Problem::bad_request(&format!("`seconds` is a number from 0 to {most}"))
    })?;
    app.advance(by).map_err(|error| Problem::bad_request(&error))?;
    Ok(Reply(ClockState::of(&app)))
}

#[derive(Deserialize, JsonSchema)]
struct NewOrg {
    #[serde(default = "free")]
    plan: Plan,
}

fn free() -> Plan {
    Plan::Free
}

async fn create_org(
    State(app): State<App>,
    StoredBody(body): StoredBody<NewOrg>,
) -> Result<Reply<201, OrgState>, Problem> {
    let org = machineid::OrgHandle::create(&app, body?.plan);
    org.state().map(Reply).map_err(unknown_org)
}

async fn update_org(
    State(app): State<App>,
    PathText(key): PathText,
    JsonBody(body): JsonBody<OrgUpdate>,
) -> Result<Reply<200, OrgState>, Problem> {
    let update = body?;
    machineid::control::update(&mut app.world().machineid, &key, update)
        .map(Reply)
        .map_err(unknown_org)
}

fn unknown_org(error: machineid::UnknownOrg) -> Problem {
    Problem::new(404, "ORG_NOT_FOUND", error.to_string())
}

impl From<MarketError> for Problem {
    fn from(error: MarketError) -> Self {
        let (status, code) = match error {
            MarketError::Invalid(_) => (400, "BAD_REQUEST"),
            MarketError::NotFound(_) => (404, "TRADE_NOT_FOUND"),
            MarketError::Duplicate(_) => (409, "DUPLICATE"),
            MarketError::InvalidTransition(_) => (422, "INVALID_TRANSITION"),
        };
        Self::new(status, code, error.to_string())
    }
}

/// A problem of a call that can also be refused with this status.
struct Refused<const STATUS: u16>(Problem);

impl<T: Into<Problem>, const STATUS: u16> From<T> for Refused<STATUS> {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

impl<const STATUS: u16> IntoResponse for Refused<STATUS> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<const STATUS: u16> Output for Refused<STATUS> {
    fn describe(responses: &mut Responses<'_>) {
        Problem::describe(responses);
        responses.add::<Problem>(STATUS);
    }
}

async fn create_agent(
    State(app): State<App>,
    StoredBody(body): StoredBody<AgentRequest>,
) -> Result<Reply<201, AgentHandle>, Refused<409>> {
    let body = body?;
    let agent = app.market(|market, cx| market.create_agent(cx, body));
    Ok(Reply(agent.map_err(MarketError::from)?))
}

/// What a dispute is to come to.
#[derive(Deserialize, JsonSchema)]
struct Resolution {
    outcome: Outcome,
}

async fn resolve_dispute(
    State(app): State<App>,
    PathText(id): PathText,
    JsonBody(body): JsonBody<Resolution>,
) -> Result<Reply<200, TradeReply>, Refused<422>> {
    let Resolution { outcome } = body?;
    let trade = app.market(|market, cx| market.resolve(cx, &id, outcome));
    Ok(Reply(trade.map_err(MarketError::from)?))
}

async fn ledger(State(app): State<App>) -> Reply<200, LedgerBooks> {
    Reply(app.market(|market, _| market.books()))
}

/// The webhooks so far, oldest first.
#[derive(Serialize, JsonSchema)]
struct Webhooks {
    webhooks: Vec<WebhookAttempt>,
}

async fn webhooks(State(app): State<App>) -> Reply<200, Webhooks> {
    Reply(Webhooks { webhooks: app.deliveries.attempts() })
}

/// The requests so far, oldest first.
#[derive(Serialize, JsonSchema)]
struct Requests {
    requests: Vec<RequestRecord>,
}

async fn requests(State(app): State<App>) -> Reply<200, Requests> {
    Reply(Requests { requests: app.instruments().journal.records().cloned().collect() })
}

async fn clear_requests(State(app): State<App>) -> Reply<200, Done> {
    app.instruments().journal.clear();
    DONE
}

/// The faults in force, in the order in which they were added.
#[derive(Serialize, JsonSchema)]
struct FaultList {
    faults: Vec<PlantedFault>,
}

async fn faults(State(app): State<App>) -> Reply<200, FaultList> {
    Reply(FaultList { faults: app.instruments().faults.all().to_vec() })
}

async fn add_fault(
    State(app): State<App>,
    JsonBody(body): JsonBody<Fault>,
) -> Result<Reply<201, PlantedFault>, Problem> {
    let fault = body?;
    let faults = &mut app.instruments().faults;
    faults.add(fault).map(|it| Reply(it.clone())).map_err(|error| Problem::bad_request(&error))
}

async fn clear_faults(State(app): State<App>) -> Reply<200, Done> {
    app.instruments().faults.clear();
    DONE
}

async fn state(State(app): State<App>) -> Reply<200, Snapshot> {
    Reply(Snapshot(app.world().clone()))
}

async fn restore(
    State(app): State<App>,
    JsonBody(body): JsonBody<Snapshot, MAX_STATE>,
) -> Result<Reply<200, Done>, Problem> {
    let Snapshot(world) = body?;
    app.replace(world);
    Ok(DONE)
}

impl JsonSchema for Snapshot {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Snapshot".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = schemars::Schema::default();
        schema.insert("type".into(), "object".into());
        schema.insert("description".into(), Value::from("A world, as the server stores it."));
        schema
    }
}
