//! The commands, in the groups that `machins --help` shows: the arguments, help, behaviour and
//! output of each command are in one file.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

mod agent_file;
mod api;
mod approvals;
pub(crate) mod completion;
mod config;
#[cfg(feature = "mock")]
mod conformance;
#[cfg(feature = "mock")]
mod demo;
mod devices;
mod doctor;
mod events;
pub(crate) mod features;
mod forward;
mod guard;
pub(crate) mod hook;
#[cfg(feature = "mock")]
mod hook_verify;
mod inbox;
mod inbox_lock;
mod inbox_watch;
mod intents;
mod join;
mod listen;
mod listen_socket;
mod listings;
mod log;
mod marketplace;
#[cfg(feature = "mcp")]
mod mcp;
#[cfg(feature = "mock")]
mod mock;
mod org;
mod owner;
mod profile;
mod public;
pub(crate) mod python;
#[cfg(feature = "relay")]
mod relay;
mod remove;
mod resend;
mod shell;
pub(crate) mod start;
mod status;
mod subscriptions;
mod tools;
pub(crate) mod topics;
mod trades;
mod trigger;
mod wallet;
mod webhook;

use std::ffi::OsString;
use std::fmt::Write;

use agent_client_core::variable;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, FromArgMatches, Subcommand};

use crate::context::Context;
use crate::error::{ExitCode, Failure};
use crate::flags::{Format, Global, Verbosity};

/// A command, in the group that runs it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Start(start::Command),
    #[command(flatten)]
    Marketplace(marketplace::Command),
    #[command(flatten)]
    Listings(listings::Command),
    #[command(flatten)]
    Trades(trades::Command),
    #[command(flatten)]
    Wallet(wallet::Command),
    #[command(flatten)]
    Events(events::Command),
    #[command(flatten)]
    Owner(owner::Command),
    #[command(flatten)]
    Public(public::Command),
    #[command(flatten)]
    Devices(devices::Command),
    #[command(flatten)]
    Tools(tools::Command),
}

/// Adds the commands of a group to a command tree.
type AddCommands = fn(clap::Command) -> clap::Command;

/// The groups with their headings, in the order of the overview.
const GROUPS: [(&str, AddCommands); 10] = [
    ("Start", start::Command::augment_subcommands),
    ("Marketplace", marketplace::Command::augment_subcommands),
    ("Sell", listings::Command::augment_subcommands),
    ("Trade", trades::Command::augment_subcommands),
    ("Money", wallet::Command::augment_subcommands),
    ("Events", events::Command::augment_subcommands),
    ("Owner", owner::Command::augment_subcommands),
    ("Public", public::Command::augment_subcommands),
    ("Devices", devices::Command::augment_subcommands),
    ("Tools", tools::Command::augment_subcommands),
];

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

impl Command {
    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Start(command) => command.run(context)?,
            Self::Marketplace(command) => command.run(context)?,
            Self::Listings(command) => command.run(context)?,
            Self::Trades(command) => command.run(context)?,
            Self::Wallet(command) => command.run(context)?,
            Self::Events(command) => command.run(context)?,
            Self::Owner(command) => command.run(context)?,
            Self::Public(command) => command.run(context)?,
            // Some of these exit with the status of a child process.
            Self::Devices(command) => return command.run(context),
            Self::Tools(command) => return command.run(context, tree()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The environment variable that names a profile, as `--profile` does.
const PROFILE_VARIABLE: &str = "MACHINS_PROFILE";

/// Parses a command line, checks the environment, and reads the profile from it if the line names none.
/// The command is `None` when the line names none.
pub(crate) fn parse(
    tree: clap::Command,
    line: &[OsString],
) -> Result<(Global, Option<Command>), clap::Error> {
    let matches = tree.try_get_matches_from(line)?;
    let command = match matches.subcommand() {
        Some(_) => Some(Command::from_arg_matches(&matches)?),
        None => None,
    };
    let mut global = Global::of(&matches, line)?;
    if global.format().is_for_programs() && !is_list(&matches) {
        let what = "only commands that list have -o csv, tsv and id\n";
        return Err(clap::Error::raw(clap::error::ErrorKind::InvalidValue, what));
    }
    if global.jq.is_some() && global.format() != Format::Json {
        let what = "--jq filters JSON, which -o table, csv, tsv and id are not\n";
        return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, what));
    }
    let invalid = |error: agent_client_core::Error| {
        clap::Error::raw(clap::error::ErrorKind::InvalidUtf8, format!("{}\n", error.message()))
    };
    // None of ours counts as unset if it is no text, whatever the command needs.
    for name in topics::variables().iter().map(|(name, _)| name).filter(|name| is_ours(name)) {
        if std::env::var_os(name).is_some_and(|value| value.to_str().is_none()) {
            variable(name).map_err(invalid)?;
        }
    }
    if global.profile.is_none() {
        global.profile = variable(PROFILE_VARIABLE).map_err(invalid)?;
    }
    Ok((global, command))
}

/// Whether a variable is read by this program alone.
fn is_ours(name: &str) -> bool {
    name.starts_with("MACHINS_") || name.starts_with("MACHINEID_")
}

/// The commands that list.
const LISTS: [&str; 18] = [
    "browse",
    "listings",
    "trades",
    "transactions",
    "intents",
    "approvals",
    "inbox",
    "subscriptions",
    "leaderboard",
    "recent-trades",
    "devices",
    "profile list",
    "log show",
    "relay dead-letters",
    "mock fault",
    "mock requests",
    "mock webhooks",
    "mock world",
];

/// Whether a command lists.
fn is_list(matches: &clap::ArgMatches) -> bool {
    let mut words = Vec::new();
    let mut level = matches;
    while let Some((name, inner)) = level.subcommand() {
        words.push(name);
        level = inner;
    }
    LISTS.contains(&words.join(" ").as_str())
}

/// Builds the command tree, with the overview of all groups as its help.
pub(crate) fn tree() -> clap::Command {
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let mut tree = clap::Command::new("machins");
    let mut overview = String::new();
    for (heading, add) in GROUPS {
        let known = tree.get_subcommands().count();
        tree = add(tree);
        // Writing to a string never fails.
        let _ = writeln!(overview, "{header}{heading}:{header:#}");
        for command in tree.get_subcommands().skip(known) {
            let name = command.get_name();
            let about = command.get_about().cloned().unwrap_or_default();
            let about = about.ansi();
            let _ = writeln!(overview, "  {literal}{name:<13}{literal:#} {about}");
        }
        overview.push('\n');
    }
    // clap copies a global flag to all commands below at every start. So the flags are global not
    // to the root, but to the command that is called, which gets them only then. clap still takes
    // the value of a flag from wherever on the line it is given. For the same reason, the enums of
    // subcommands are built only when they are needed (`defer`).
    let tree = Global::augment_args(tree)
        .mut_args(|flag| flag.global(false))
        .mut_subcommands(|command| command.defer(add_flags));
    tree.about("Command line for MachineID (may this device run?) and the machins marketplace")
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .styles(STYLES)
        .help_template(format!(
            "{{about}}\n\n{{usage-heading}} machins [OPTIONS] COMMAND\n\n{overview}\
             Options, for every command:\n{{options}}\n\n\
             More: machins help environment, help exit-codes, help config\n\
             Try it with no account and no network: machins demo\n"
        ))
}

/// Adds the flags of every command to one command.
fn add_flags(command: clap::Command) -> clap::Command {
    Global::augment_args(command).mut_subcommands(Verbosity::augment_args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_valid() {
        tree().debug_assert();
    }

    #[test]
    fn the_overview_lists_the_commands_that_run() {
        let names = |tree: &clap::Command| -> Vec<String> {
            tree.get_subcommands().map(|command| command.get_name().to_owned()).collect()
        };
        let derived = Command::augment_subcommands(clap::Command::new("machins"));
        assert_eq!(names(&tree()), names(&derived));
    }
}
