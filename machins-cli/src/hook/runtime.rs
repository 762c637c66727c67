//! What a runtime must tell about itself to be gated.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_client_core::home_folder;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::answer::Answer;
use super::event::Event;
use process_containment::Command;

/// How long a runtime waits for the hook before it gives up: more than the hook ever takes.
pub(super) const RUNTIME_TIMEOUT: Duration = Duration::from_secs(30);

/// Which settings of a runtime hold its hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// The settings of this user, for every project
    #[default]
    User,
    /// The settings in the current directory, for this project
    Project,
}

/// An agent runtime that asks a hook before each tool call.
pub(crate) trait Runtime: fmt::Debug + Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// The name that its makers use.
    fn title(&self) -> &'static str;

    /// The events that come before a tool call, as its settings name them.
    fn events(&self) -> &'static [&'static str];

    /// Reads an event. Fails unless it is one of [`events`](Self::events), whole and in its shape.
    fn read(&self, text: &[u8]) -> Result<Event, String>;

    /// The answer that lets the tool call go on to the runtime's own permission rules.
    fn allow(&self) -> Answer;

    /// The answer that blocks the tool call, and tells the model why.
    fn deny(&self, reason: &str) -> Answer;

    /// The path of its settings file. `None` if this user has no home directory.
    fn settings(&self, scope: Scope) -> Option<PathBuf>;

    /// The entry of the settings that runs `command` before each tool call, for each of its events.
    fn entry(&self, command: &str) -> Value {
        json!({"matcher": "*", "hooks": [self.handler(command)]})
    }

    /// The part of the entry that runs the command.
    fn handler(&self, command: &str) -> Value;

    /// Fields that its settings must have beside the hooks.
    fn required(&self) -> &'static [(&'static str, u32)] {
        &[]
    }

    /// The command that starts it for one prompt, with the model at `model`. `Err` says why it can't
    /// be run against another model than its own.
    fn session(&self, program: &Path, model: &str) -> Result<Command, &'static str>;

    /// The name of its program.
    fn program(&self) -> &'static str;

    /// What decides in this runtime whether a hook is run at all.
    fn switches(&self) -> &'static str;
}

/// The part of a command by which an entry of this program is recognised.
pub(super) fn marker(runtime: &dyn Runtime) -> String {
    format!(" hook run {}", runtime.name())
}

/// The path of a file in the folder that `variable` names, or else in `folder` of the home directory;
/// for a project, in `folder` of the current directory.
pub(super) fn settings_file(
    scope: Scope,
    variable: Option<&str>,
    folder: &str,
    file: &str,
) -> Option<PathBuf> {
    let folder = match scope {
        Scope::Project => std::env::current_dir().ok()?.join(folder),
        Scope::User => match variable.and_then(std::env::var_os).filter(|path| !path.is_empty()) {
            Some(path) => path.into(),
            None => home_folder()?.join(folder),
        },
    };
    Some(folder.join(file))
}
