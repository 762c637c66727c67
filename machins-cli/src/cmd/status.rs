//! `machins status`.

use clap::Args;
use serde_json::json;

use crate::config::key::{AGENT_ID, AGENT_SLUG, BASE_URL};
use crate::context::Context;
use crate::error::Failure;
use crate::format::{credits, or_unknown};
use crate::style::GOOD;
use crate::table::{cell, fields, styled};

/// Show your agent and its balance
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins status")]
pub(crate) struct Status;

impl Status {
    #[expect(clippy::unused_self, reason = "the command has no arguments")]
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let wallet = context.machins()?.get_wallet()?;
        let configured = context.value(&AGENT_ID)?;
        // The key may belong to another agent than the one in the config file.
        let is_configured =
            wallet.agent_id.as_ref().is_none_or(|id| configured.as_deref() == Some(id.as_str()));
        let slug = if is_configured { context.value(&AGENT_SLUG)? } else { None };
        let id = wallet.agent_id.as_ref().map(ToString::to_string).or(configured);
        let url = context.value(&BASE_URL)?;
        let document = json!({
            "agent_slug": slug, "agent_id": id, "base_url": url, "wallet": wallet,
        });
        context.out.result(&document, || {
            fields(&[
                ("agent", or_unknown(slug.as_deref())),
                ("agent id", or_unknown(id.as_deref())),
                ("base URL", or_unknown(url.as_deref())),
                ("balance", cell(&credits(wallet.balance))),
                ("in escrow", cell(&credits(wallet.held_balance))),
                ("available", styled(&credits(wallet.available_balance), GOOD)),
            ])
        })
    }
}
