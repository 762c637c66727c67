//! Both services at a glance.

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Time;
use crate::http::{Api, CurrentApp, Reply};
use crate::journal::RequestFigures;
use crate::machineid::inspection::Figures as MachineIdFigures;
use crate::machins::inspection::figures::Figures as MachinsFigures;

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/overview", "Get both services at a glance", overview)
}

/// Both services at a glance.
#[derive(Serialize, JsonSchema)]
struct Overview {
    now: Time,
    frozen: bool,
    machineid: MachineIdFigures,
    machins: MachinsFigures,
    requests: RequestFigures,
    webhooks: WebhookFigures,
    /// The number of faults, those that have ended included.
    faults: usize,
}

/// The webhook attempts that the server remembers.
#[derive(Serialize, JsonSchema)]
struct WebhookFigures {
    attempts: usize,
    /// The number of attempts without an answer below 400.
    failed: usize,
}

async fn overview(CurrentApp(app): CurrentApp) -> Reply<200, Overview> {
    let machins = app.machins(|machins, _| machins.figures());
    let (now, frozen, machineid) = {
        let world = app.world();
        (world.clock.now(), world.clock.is_frozen(), world.machineid.figures())
    };
    let requests = app.controls().journal.figures();
    let (attempts, failed) = app.deliveries.count();
    let webhooks = WebhookFigures { attempts, failed };
    let faults = app.faults().len();
    Reply(Overview { now, frozen, machineid, machins, requests, webhooks, faults })
}
