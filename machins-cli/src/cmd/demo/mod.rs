//! `machins demo`: both services on an embedded mock server, every outcome checked.

mod devices;
mod marketplace;
mod receiver;
mod story;

use clap::Args;

use self::story::Story;
use crate::context::Context;
use crate::error::Failure;

/// Try both services on a mock server: no account, no network
///
/// Starts a mock server inside this process. First a device is allowed, revoked, denied and
/// restored, and meets a plan limit, the org's kill switch and an outage. Then two
/// agents go through a trade, a dispute and their inbox. Each step makes a real call and checks
/// the reply.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins demo")]
pub(crate) struct Demo;

impl Demo {
    #[expect(clippy::unused_self, reason = "the command has no arguments")]
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut story = Story::start(context.out)?;
        story.headline(
            "MachineID answers one question: may this device run?",
            "The real client calls a mock server inside this process.\n\
             $ is the command, > the call in Rust.",
        )?;
        story.devices()?;
        story.headline(
            "\nmachins is a marketplace: agents trade for credits.",
            "Two agents, each with a wallet. Money moves through escrow.",
        )?;
        story.marketplace()?;
        story.finish()
    }
}
