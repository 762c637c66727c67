//! The virtual time.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{ClockOutOfRange, MAX_ADVANCE, Time};
use crate::http::{Api, CurrentApp, JsonBody, Problem, Reply};
use crate::state::App;

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/clock", "Get the virtual time", clock)
        .put("/_mock/clock", "Set or freeze the virtual time", set)
        .post("/_mock/clock/advance", "Move the virtual time forward", advance)
}

/// The virtual time.
#[derive(Serialize, JsonSchema)]
struct ClockState {
    now: Time,
    /// How far the virtual time is ahead of the real time, in seconds; below zero if it is behind.
    /// `None` (null in JSON) while it stands still.
    offset_seconds: Option<f64>,
    /// Whether the time stands still.
    frozen: bool,
}

impl ClockState {
    fn new(app: &App) -> Self {
        let clock = &app.world().clock;
        Self { now: clock.now(), offset_seconds: clock.offset_seconds(), frozen: clock.is_frozen() }
    }
}

async fn clock(CurrentApp(app): CurrentApp) -> Reply<200, ClockState> {
    Reply(ClockState::new(&app))
}

/// How to set the virtual time; what is left out stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct NewClock {
    /// The time, within a hundred years of the real time. What falls due on the way there happens
    /// before the reply; going back undoes nothing.
    now: Option<Time>,
    /// Whether the time stands still.
    frozen: Option<bool>,
}

async fn set(
    CurrentApp(app): CurrentApp,
    JsonBody(body): JsonBody<NewClock>,
) -> Result<Reply<200, ClockState>, Problem> {
    let NewClock { now, frozen } = body?;
    let too_far = |error: ClockOutOfRange| Problem::field("now", error);
    app.set_clock(now, frozen).map_err(too_far)?;
    Ok(Reply(ClockState::new(&app)))
}

/// How far to move the virtual time forward.
#[derive(Deserialize, JsonSchema)]
struct Advance {
    /// The number of seconds, with a precision of milliseconds.
    #[schemars(range(min = 0, max = 3_153_600_000_u64))]
    seconds: f64,
}

async fn advance(
    CurrentApp(app): CurrentApp,
    JsonBody(body): JsonBody<Advance>,
) -> Result<Reply<200, ClockState>, Problem> {
    let by = Duration::try_from_secs_f64(body?.seconds).map_err(|_| {
        let most = MAX_ADVANCE.as_secs();
        Problem::field("seconds", format_args!("must be a number from 0 to {most}"))
    })?;
    app.advance(by).map_err(|error| Problem::field("seconds", error))?;
    Ok(Reply(ClockState::new(&app)))
}
