//! The decision log: what was written is found, and nothing else passes for it.
#![cfg(feature = "decision-log")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod chain;
mod files;
mod gate;
mod processes;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use machineid_client::decision_log::{DecisionLog, Entry, Record, Verifier, entries};
use machineid_client::{DecisionCode, DeviceId};
use tempfile::TempDir;

/// A folder with a log in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path().join("decisions.jsonl")
    }

    pub(crate) fn log(&self) -> DecisionLog {
        DecisionLog::new(self.file())
    }

    /// A log with this many lines. Returns their hashes.
    pub(crate) fn filled(lines: usize) -> (Self, Vec<String>) {
        let folder = Self::new();
        let log = folder.log();
        let hashes =
            (0..lines).map(|n| log.append(&record(&format!("req-{n}"))).unwrap()).collect();
        (folder, hashes)
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        entries(&self.file()).unwrap().map(Result::unwrap).collect()
    }

    /// How many lines the log has. Fails if one of them is not what was written.
    #[track_caller]
    pub(crate) fn count(&self) -> u64 {
        Verifier::new(self.file()).verify().unwrap().entries
    }
}

pub(crate) fn record(request_id: &str) -> Record {
    let device = DeviceId::new("agent-01").unwrap();
    Record::new(Some(&device), &DecisionCode::Allow, Some(request_id), "permitted")
}
