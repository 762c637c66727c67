//! The flags of a mock server that is started here, and starting it.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use machins_mock::{MockServer, MockServerBuilder};

use super::demo_data::{self, Keys};
use crate::error::Failure;
use crate::output::Output;

/// What a mock server starts with.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Seed: the same seed gives the same ids and keys in every run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// File to load the state from; it is saved within a second of each change
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    state: Option<PathBuf>,
    /// JSON file with orgs, agents, listings and trades to start with; ignored if
    /// the state was loaded from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    fixtures: Option<PathBuf>,
    /// Start with an org, a few devices, and a small market
    #[arg(long)]
    demo_data: bool,
}

impl Options {
    /// Starts the server with what it is to start with, and returns the keys of the demo data if
    /// there is any. `place` tells in an error where it could not start.
    pub(super) fn start(
        &self,
        mut builder: MockServerBuilder,
        out: Output,
        place: &str,
    ) -> Result<(MockServer, Option<Keys>), Failure> {
        // Before anything is started: a file that can't be read is wrong usage.
        let fixtures = self.fixtures.as_deref().map(read).transpose()?;
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        if let Some(path) = &self.state {
            builder = builder.state_file(path);
        }
        let is_restored = self
            .state
            .as_ref()
            .is_some_and(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0));
        let server = builder.start().map_err(|error| {
            Failure::local(format!("the mock server could not start{place}"), error)
        })?;
        if let (Some(path), Some(text)) = (&self.fixtures, fixtures) {
            if is_restored {
                out.note("the state was loaded from a file, so the fixtures were not added again");
            } else {
                server.load_fixtures(&text).map_err(|error| {
                    Failure::usage(format!("--fixtures ({}): {error}", path.display()))
                })?;
            }
        }
        let keys = if self.demo_data { Some(demo_data::add(&server)?) } else { None };
        Ok((server, keys))
    }

    /// Saves the state, if it is to be kept.
    pub(super) fn save(server: &MockServer) -> Result<(), Failure> {
        server
            .save_state()
            .map_err(|error| Failure::local("could not save the state of the mock server", error))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("--fixtures: cannot read {}: {error}", path.display()))
    })
}
