//! `machins mcp`: MachineID in front of MCP tools, and the marketplace as MCP tools.

mod gate;
mod serve;

use clap::Subcommand;

use self::gate::McpGateCommand;
use self::serve::McpServeCommand;
use crate::context::Context;
use crate::error::{ExitCode, Failure};

/// Serve the marketplace as MCP tools, or gate an MCP server
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  machins mcp gate --device agent-01 -- true < /dev/null")]
pub(crate) enum Mcp {
    Gate(Box<McpGateCommand>),
    Serve(Box<McpServeCommand>),
}

impl Mcp {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Gate(gate) => gate.run(context),
            Self::Serve(serve) => serve.run(context),
        }
    }
}
