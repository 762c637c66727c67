//! `machins mock`: the embedded mock server, and its control API for a shell.

mod address;
mod control;
mod demo_data;
mod exec;
mod exports;
mod filter;
mod listen;
mod options;
mod record;
mod serve;

use clap::Subcommand;

use self::control::Control;
use self::exec::Exec;
use self::record::Record;
use self::serve::Serve;
use crate::context::Context;
use crate::error::{ExitCode, Failure};

/// Run a mock server of both APIs for tests, or control one
#[derive(Debug, Subcommand)]
#[command(version, after_help = "Example:\n  machins mock exec -- machins status")]
pub(crate) enum Mock {
    Serve(Box<Serve>),
    Exec(Exec),
    Record(Record),
    #[command(flatten)]
    Control(Box<Control>),
}

impl Mock {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Serve(serve) => serve.run(context.out),
            // Exits with the status of its command.
            Self::Exec(exec) => exec.run(context.out),
            Self::Record(record) => record.run(context),
            Self::Control(control) => control.run(context).map(|()| ExitCode::SUCCESS),
        }
    }
}
