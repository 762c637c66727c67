//! The group Tools: `machins config`, `machins hook`, `machins mock`, `machins api`, `machins conformance`,
//! `machins doctor`, `machins log`, and shell integration.

use clap::Subcommand;

use super::api::Api;
use super::config::Config;
#[cfg(feature = "mock")]
use super::conformance::Conformance;
use super::doctor::Doctor;
use super::hook::Hook;
use super::log::Log;
#[cfg(feature = "mcp")]
use super::mcp::Mcp;
#[cfg(feature = "mock")]
use super::mock::Mock;
use super::profile::Profile;
use super::shell;
use crate::context::Context;
use crate::error::{ExitCode, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Config(Config),
    #[command(subcommand)]
    Profile(Profile),
    #[command(subcommand)]
    Hook(Hook),
    #[cfg(feature = "mock")]
    #[command(subcommand)]
    Mock(Mock),
    #[cfg(feature = "mcp")]
    #[command(subcommand)]
    Mcp(Mcp),
    Api(Api),
    #[cfg(feature = "mock")]
    Conformance(Conformance),
    Doctor(Doctor),
    #[command(subcommand)]
    Log(Log),
    #[command(flatten)]
    Shell(shell::Command),
}

impl Command {
    pub(crate) fn run(self, context: &Context, tree: clap::Command) -> Result<ExitCode, Failure> {
        match self {
            Self::Config(config) => config.run(context)?,
            Self::Profile(profile) => profile.run(context)?,
            // `hook run` answers in the form of a runtime.
            Self::Hook(hook) => return hook.run(context),
            // `mock exec` exits with the status of its command.
            #[cfg(feature = "mock")]
            Self::Mock(mock) => return mock.run(context),
            // `mcp gate` exits with the status of its server.
            #[cfg(feature = "mcp")]
            Self::Mcp(mcp) => return mcp.run(context),
            Self::Api(api) => api.run(context)?,
            #[cfg(feature = "mock")]
            Self::Conformance(conformance) => conformance.run(context)?,
            Self::Doctor(doctor) => doctor.run(context)?,
            Self::Log(log) => log.run(context)?,
            Self::Shell(command) => command.run(context.out, tree)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
