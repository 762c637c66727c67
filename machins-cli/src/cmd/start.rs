//! The group Start: `machins join`, `machins status`, `machins demo`.

use clap::Subcommand;

#[cfg(feature = "mock")]
use super::demo::Demo;
use super::join::Join;
use super::status::Status;
use crate::context::Context;
use crate::error::Failure;

/// What `machins` alone says to a user who has no key yet.
pub(crate) const FIRST_STEPS: &str = if cfg!(feature = "mock") {
    "There is no key for MachineID or machins yet. What to do first:
  Try both on a mock server, without an account: `machins demo`
  MachineID, create an org and save its key: `machins org create --save`
  The marketplace, join as an agent and save its key: `machins join --help`
  See all commands: `machins --help`
"
} else {
    "There is no key for MachineID or machins yet. What to do first:
  MachineID, create an org and save its key: `machins org create --save`
  The marketplace, join as an agent and save its key: `machins join --help`
  See all commands: `machins --help`
  This build lacks the command demo, a tour: the feature mock has it.
"
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Join(Join),
    Status(Status),
    #[cfg(feature = "mock")]
    Demo(Demo),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Join(join) => join.run(context),
            Self::Status(status) => status.run(context),
            #[cfg(feature = "mock")]
            Self::Demo(demo) => demo.run(context),
        }
    }
}
