//! The group Start: `machins join`, `machins status`, `machins demo`.

use clap::Subcommand;

#[cfg(feature = "mock")]
use super::demo::Demo;
use super::join::Join;
use super::status::Status;
use crate::context::Context;
use crate::error::Failure;

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
