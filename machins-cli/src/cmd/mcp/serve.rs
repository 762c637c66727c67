//! `machins mcp serve`: the marketplace, the wallet and devices as tools for agents.

use std::net::SocketAddr;

use agent_client_core::variable;
use clap::Args;
use machineid_client::{CancellationToken, Gate};
use machins_client::{Money, Secret, SpendingClient, SpendingPolicy};
use machins_mcp::{MarketplaceServer, McpGate};
use serde_json::json;
use tokio::net::TcpListener;

use super::gate::{address, client, register_meanwhile};
use crate::config::key::{MACHINEID_DEVICE_ID, MACHINEID_ORG_KEY};
use crate::context::Context;
use crate::error::{ExitCode, Failure};
use crate::flags::money;
use crate::process::{self, Signals};
use crate::{background, panic, random, runtime};

/// The variable with the token of the server over HTTP.
const TOKEN: &str = "MACHINS_MCP_TOKEN";

/// Serve the marketplace, the wallet and devices as MCP tools
///
/// Speaks MCP on stdin and stdout, for one client. The tool propose_trade buys: the same listing,
/// terms and purpose are one purchase, however often it is called. What it may spend is limited by
/// the policy of the config file and by the flags here; all of them hold, whatever the model says,
/// and across restarts. Text that other agents wrote is marked as data.
///
/// With an org key and a device, MachineID is asked before each tool that changes something, and a
/// denial is answered with its code. The device is registered at the start.
///
/// With --listen, serves streamable HTTP on a loopback address. Requests need the token that
/// MACHINS_MCP_TOKEN holds, or else a new one. The URL and the token are the first lines on stdout;
/// with --json, it is a JSON object with the fields url, token and pid.
#[derive(Debug, Args)]
#[command(
    name = "serve",
    after_help = "Examples:\n  machins mcp serve --read-only < /dev/null\n  \
    claude mcp add machins -- machins mcp serve --max-per-day 100"
)]
pub(crate) struct McpServeCommand {
    /// Most that one trade may cost
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    max_per_trade: Option<Money>,
    /// Most that may be spent in one day (UTC)
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    max_per_day: Option<Money>,
    /// Most that may be spent in one calendar month (UTC)
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    max_per_month: Option<Money>,
    /// Most that may be proposed or held in escrow at once
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    max_in_escrow: Option<Money>,
    /// Price above which a person must approve: machins approvals
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    approval_above: Option<Money>,
    /// Only seller to buy from, by id or slug (repeatable)
    #[arg(long, value_name = "SELLER", value_delimiter = ',')]
    allow_seller: Vec<String>,
    /// Confirm only deliveries that the verification URL has accepted
    #[arg(long)]
    require_verified: bool,
    /// Leave out every tool that changes something
    #[arg(long)]
    read_only: bool,
    /// Device to ask about before each tool that changes something [default: MACHINEID_DEVICE_ID or
    /// the setting machineid.device_id]
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// Loopback address to serve streamable HTTP at; port 0 picks a free one
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
}

impl McpServeCommand {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        panic::deny_on_panic();
        background::start().map_err(|error| Failure::local("could not start a thread", error))?;
        if let Some(address) = self.listen.filter(|address| !address.ip().is_loopback()) {
            let what = format!("{address} is not a loopback address");
            return Err(Failure::usage(what).hint("for example --listen 127.0.0.1:8090"));
        }
        context.limit_each_call();
        let client = context.machins_with_intents()?.build()?;
        let spending = context.spending_by(&client)?.and(self.policy());
        let (server, gate) = self.server(context, spending)?;
        runtime::block_on(async {
            if let Some(gate) = gate {
                register_meanwhile(&gate, context.out, "mcp serve");
            }
            self.serve(context, server).await
        })?
    }

    /// The policy that the flags give.
    fn policy(&self) -> SpendingPolicy {
        type Set = fn(SpendingPolicy, Money) -> SpendingPolicy;
        let amounts: [(Option<Money>, Set); 5] = [
            (self.max_per_trade, SpendingPolicy::max_per_trade),
            (self.max_per_day, SpendingPolicy::max_per_day),
            (self.max_per_month, SpendingPolicy::max_per_month),
            (self.max_in_escrow, SpendingPolicy::max_in_escrow),
            (self.approval_above, SpendingPolicy::approval_above),
        ];
        let set = |policy, (amount, set): (Option<Money>, Set)| match amount {
            Some(amount) => set(policy, amount),
            None => policy,
        };
        let mut policy = amounts.into_iter().fold(SpendingPolicy::new(), set);
        if !self.allow_seller.is_empty() {
            policy = policy.allow_sellers(&self.allow_seller);
        }
        if self.require_verified {
            policy = policy.require_verified();
        }
        if self.read_only { policy.read_only() } else { policy }
    }

    /// The server, and the gate that asks about its device if it has one.
    fn server(
        &self,
        context: &Context,
        spending: SpendingClient<machins_client::Async>,
    ) -> Result<(MarketplaceServer, Option<McpGate>), Failure> {
        let server = MarketplaceServer::new(spending);
        if context.setting(&MACHINEID_ORG_KEY)?.is_none() {
            if self.device.is_some() {
                // It says which key is missing.
                drop(context.machineid_with_key()?);
            }
            return Ok((server, None));
        }
        let client = client(context)?;
        let has_device = self.device.is_some() || context.setting(&MACHINEID_DEVICE_ID)?.is_some();
        let server = server.devices(client.clone());
        if !has_device {
            return Ok((server, None));
        }
        let device = context.device(self.device.as_deref())?;
        let gate = McpGate::new(Gate::new(&client, device).register_on_start());
        Ok((server.gate(gate.clone()), Some(gate)))
    }

    async fn serve(
        &self,
        context: &Context,
        server: MarketplaceServer,
    ) -> Result<ExitCode, Failure> {
        let stop = CancellationToken::new();
        let mut signals = Signals::new()?;
        let serving = async {
            match self.listen {
                None => {
                    let ended = server.serve_stdio(&stop).await;
                    ended.map_err(|error| Failure::local("could not serve", error))
                }
                Some(listen) => serve_http(context, server, listen, &stop).await,
            }
        };
        tokio::select! {
            ended = serving => ended.map(|()| ExitCode::SUCCESS),
            signal = signals.asked_to_stop() => match self.listen {
                None => Ok(process::signalled(signal)),
                Some(_) => Ok(ExitCode::SUCCESS),
            },
        }
    }
}

async fn serve_http(
    context: &Context,
    server: MarketplaceServer,
    listen: SocketAddr,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let token = match variable(TOKEN).map_err(|error| Failure::usage(error.message().to_owned()))? {
        Some(token) => token,
        None => random::hex()?,
    };
    let could_not = |error| Failure::local(format!("could not listen at {listen}"), error);
    let listener = TcpListener::bind(listen).await.map_err(could_not)?;
    let address = listener.local_addr().map_err(could_not)?;
    let url = format!("http://{address}/mcp");
    if context.out.is_json() {
        context.out.line(&json!({"url": url, "token": token, "pid": std::process::id()}))?;
    } else {
        context.out.text(&format!("{url}\n{token}\n"))?;
    }
    server.serve_http(listener, Secret::new(token), stop).await.map_err(could_not)
}
