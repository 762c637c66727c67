//! Which values an argument takes.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Instant;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use machins_client::{Sort, TradeStatus};

use super::cache;
use super::fetch::List;
use super::line::{self, context};
use crate::config::key::KEYS;

/// The values of an argument.
#[derive(Clone, Copy)]
enum Values {
    Words(&'static [&'static str]),
    /// The ids in a list of the service; if statuses are given, only of items in one of them.
    Ids(List, &'static [&'static str]),
    Settings,
    Profiles,
    Commands,
    /// A program, and then its arguments.
    Program,
}

/// The arguments by command and name. Without a command it is that of every command.
const ARGUMENTS: &[(&str, &str, Values)] = &[
    ("", "profile", Values::Profiles),
    ("", "device", Values::Ids(List::Devices, &[])),
    ("register", "id", Values::Ids(List::Devices, &[])),
    ("validate", "id", Values::Ids(List::Devices, &[])),
    ("revoke", "ids", Values::Ids(List::Devices, &["active"])),
    ("unrevoke", "ids", Values::Ids(List::Devices, &["revoked"])),
    ("remove", "ids", Values::Ids(List::Devices, &[])),
    ("devices", "status", Values::Words(&["active", "revoked"])),
    ("checkout", "plan", Values::Words(&["pro", "scale", "max"])),
    ("guard", "command", Values::Program),
    ("browse", "sort", Values::Words(Sort::WORDS)),
    ("show", "id", Values::Ids(List::Marketplace, &[])),
    ("buy", "listing", Values::Ids(List::Marketplace, &[])),
    ("listing", "id", Values::Ids(List::Listings, &[])),
    ("edit", "id", Values::Ids(List::Listings, &[])),
    ("unlist", "id", Values::Ids(List::Listings, &["active"])),
    ("trade", "id", Values::Ids(List::Trades, &[])),
    ("trade", "wait", Values::Words(TradeStatus::WORDS)),
    ("accept", "id", Values::Ids(List::Trades, &["proposed"])),
    ("reject", "id", Values::Ids(List::Trades, &["proposed"])),
    ("deliver", "id", Values::Ids(List::Trades, &["escrow_held"])),
    ("confirm", "id", Values::Ids(List::Trades, &["delivered"])),
    ("dispute", "id", Values::Ids(List::Trades, &["delivered"])),
    ("cancel", "id", Values::Ids(List::Trades, &["proposed", "escrow_held"])),
    ("review", "id", Values::Ids(List::Trades, &["completed"])),
    ("ack", "ids", Values::Ids(List::Inbox, &[])),
    ("resend", "id", Values::Ids(List::Inbox, &[])),
    ("unsubscribe", "id", Values::Ids(List::Subscriptions, &[])),
    ("agent", "slug", Values::Ids(List::Agents, &[])),
    ("get", "key", Values::Settings),
    ("set", "key", Values::Settings),
    ("unset", "key", Values::Settings),
    ("use", "name", Values::Profiles),
    ("rename", "name", Values::Profiles),
    ("remove", "name", Values::Profiles),
    ("exec", "command", Values::Program),
    ("gate", "server", Values::Program),
    ("man", "command", Values::Commands),
];

/// Adds to each argument what its values are.
pub(super) fn attach(mut tree: clap::Command, start: Instant) -> clap::Command {
    // From here on every command has its flags.
    tree.build();
    let mut commands = Vec::new();
    collect(&tree, "", &mut commands);
    attach_below(tree, &commands, start)
}

/// The words of each command, such as `inbox ack`.
fn collect(command: &clap::Command, above: &str, commands: &mut Vec<String>) {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let words = format!("{above}{}", command.get_name());
        collect(command, &format!("{words} "), commands);
        commands.push(words);
    }
}

fn attach_below(command: clap::Command, commands: &[String], start: Instant) -> clap::Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|arg| {
        let is_of = |of: &str, id: &str| arg.get_id() == id && (of.is_empty() || of == name);
        let values = ARGUMENTS.iter().find(|(of, id, _)| is_of(of, id));
        match values {
            Some((.., values)) => {
                let (values, commands) = (*values, commands.to_vec());
                arg.add(ArgValueCompleter::new(Completer { values, commands, start }))
            }
            None => arg,
        }
    });
    command.mut_subcommands(|command| attach_below(command, commands, start))
}

struct Completer {
    values: Values,
    commands: Vec<String>,
    start: Instant,
}

impl ValueCompleter for Completer {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        self.complete_at(0, current)
    }

    fn complete_at(&self, at: usize, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(text) = current.to_str() else { return Vec::new() };
        let words = |words: &mut dyn Iterator<Item = &str>| {
            let matching = words.filter(|word| word.starts_with(text));
            matching.map(CompletionCandidate::new).collect()
        };
        match self.values {
            Values::Words(known) => words(&mut known.iter().copied()),
            Values::Commands => {
                let above = words_after("man");
                let below = self.commands.iter().filter_map(|command| command.strip_prefix(&above));
                words(&mut below.filter(|name| !name.contains(' ')))
            }
            Values::Settings => KEYS
                .iter()
                .filter(|key| key.name.starts_with(text))
                .map(|key| CompletionCandidate::new(key.name).help(Some(key.about.into())))
                .collect(),
            Values::Profiles => {
                let context = context();
                let document = context.document().ok();
                let profiles = document.map(|document| document.profiles()).unwrap_or_default();
                words(&mut profiles.into_iter())
            }
            Values::Ids(list, statuses) => cache::items(list, self.start)
                .into_iter()
                .filter(|item| statuses.is_empty() || statuses.contains(&item.status.as_str()))
                .filter(|item| item.id.starts_with(text))
                .map(|item| CompletionCandidate::new(item.id).help(Some(item.about.into())))
                .collect(),
            Values::Program if at == 0 && !text.contains('/') => programs(text),
            Values::Program => PathCompleter::any().complete(current),
        }
    }
}

/// What stands between a command and the word that is completed, with a blank after each word.
fn words_after(command: &str) -> String {
    let line = line::words();
    let Some((_, words)) = line.split_last() else { return String::new() };
    let words = words.iter().filter_map(|word| word.to_str());
    let after = words.skip_while(|word| *word != command).skip(1);
    after.filter(|word| !word.starts_with('-')).flat_map(|word| [word, " "]).collect()
}

/// The programs on the path whose names begin like this.
fn programs(beginning: &str) -> Vec<CompletionCandidate> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut names: Vec<String> = std::env::split_paths(&path)
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(Iterator::flatten)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            (name.starts_with(beginning) && is_executable(&entry.path())).then_some(name)
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("exe"))
}
