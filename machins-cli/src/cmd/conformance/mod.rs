//! `machins conformance`.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

mod check;
mod report;
mod service;

use clap::Args;
use serde_json::{Value, json};

use self::check::{Check, Party};
use self::report::Report;
use self::service::Services;
use crate::context::Context;
use crate::error::Failure;

/// Check that the real services reply as the mock server does
///
/// Makes calls that read and change nothing, with your own keys, and compares the status of each
/// reply and each of its fields and their types with those of the mock server. Exits 1 if
/// something differs or could not be checked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins conformance --live")]
pub(crate) struct Conformance {
    /// Call the services at the configured URLs, with the configured keys
    #[arg(long)]
    live: bool,
}

/// An id that nothing has.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

impl Conformance {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        if !self.live {
            return Err(Failure::usage("conformance calls the real services with your keys")
                .hint("nothing is changed there; to call them: `machins conformance --live`"));
        }
        let services = Services::new(context)?;
        if !services.has_key() {
            return Err(Failure::credentials("no key, neither of an org nor of an agent")
                .hint("set MACHINEID_ORG_KEY or MACHINS_API_KEY"));
        }
        let mut report = Report::new(&services, context);
        machineid(&mut report);
        marketplace(&mut report);
        agent(&mut report);
        report.check(&Check::get(Party::Owner, "/api/v1/owners/me"));
        report.print(context.out)
    }
}

fn machineid(report: &mut Report<'_>) {
    report.check(&Check::get(Party::Org, "/api/v1/usage"));
    report.check(&Check::get(Party::Org, "/api/v1/devices/list"));
    // A device that is not registered: the decision about one that is would be noted.
    let device = json!({"deviceId": "conformance-check"});
    report.check(&Check::post(Party::Org, "/api/v1/devices/validate", device));
    report.check(&Check::get(Party::AnyoneAtMachineId, "/api/v1/usage").refused(401));
}

fn marketplace(report: &mut Report<'_>) {
    let get = |path: &'static str| Check::get(Party::Anyone, path);
    report.check(&get("/api/v1/platform/info"));
    report.check(&get("/api/v1/public/stats"));
    let board = report.check(&get("/api/v1/public/leaderboard").query("limit", "5"));
    report.check(&get("/api/v1/public/recent-trades").query("limit", "5"));
    let slug = first(board.as_ref()).and_then(|agent| agent["slug"].as_str().map(Into::into));
    report.check(&get("/api/v1/public/agent/{slug}").with("slug", slug));
    let listings = report.check(&get("/api/v1/marketplace").query("limit", "5"));
    report.check(&get("/api/v1/marketplace/{id}").with("id", id(listings.as_ref())));
    report.check(&get("/api/v1/marketplace/{id}").with("id", Some(UNKNOWN.into())).refused(404));
    report.check(&get("/api/v1/marketplace").query("limit", "0").refused(400));
}

fn agent(report: &mut Report<'_>) {
    let get = |path: &'static str| Check::get(Party::Agent, path);
    report.check(&get("/api/v1/wallets/me"));
    report.check(&get("/api/v1/wallets/transactions").query("limit", "5"));
    report.check(&get("/api/v1/inbox").query("limit", "5"));
    report.check(&get("/api/v1/subscriptions"));
    let listings = report.check(&get("/api/v1/listings"));
    report.check(&get("/api/v1/listings/{id}").with("id", id(listings.as_ref())));
    let trades = report.check(&get("/api/v1/trades").query("limit", "5"));
    report.check(&get("/api/v1/trades/{id}").with("id", id(trades.as_ref())));
    report.check(&get("/api/v1/trades/{id}").with("id", Some(UNKNOWN.into())).refused(404));
    report.check(&Check::get(Party::Anyone, "/api/v1/wallets/me").refused(401));
}

/// The first entry of a list, or of a page of one.
fn first(reply: Option<&Value>) -> Option<&Value> {
    check::entries(reply?)?.first()
}

fn id(reply: Option<&Value>) -> Option<String> {
    first(reply)?["id"].as_str().map(Into::into)
}
