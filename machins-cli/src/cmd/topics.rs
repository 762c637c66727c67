//! `machins help environment`, `help exit-codes` and `help config`: what belongs to no single command.

use std::ffi::OsString;
use std::fmt::Write;

use clap::{Arg, Args, Command};

use crate::config::key::KEYS;
use crate::error::Exit;
use crate::flags::{Global, Verbosity};

/// The argument that names a topic.
const TOPIC: &str = "topic";

/// The variables that set no setting.
const OTHER_VARIABLES: [(&str, &str); 16] = [
    ("MACHINS_PROFILE", "profile in the config file, as --profile"),
    ("MACHINS_CONFIG", "path of the config file; ~/ is the home"),
    ("MACHINS_ALLOW_INSECURE_HTTP", "1 permits plain http for machins"),
    ("MACHINEID_ALLOW_INSECURE_HTTP", "1 permits plain http for MachineID"),
    ("MACHINS_WEBHOOK_SECRET", "secret of webhook, listen, resend and relay"),
    ("MACHINS_MCP_TOKEN", "token that clients of mcp serve --listen need"),
    ("MACHINS_MOCK_URL", "mock server that mock exec has started"),
    ("MACHINS_RELAY_SECRET", "secret that signs what relay posts"),
    ("NATS_URL", "address of NATS, if relay --to gives none"),
    ("NATS_CREDS", "file with credentials, for --nats-creds"),
    ("NATS_NKEY", "file with the seed of an NKey, for --nats-nkey"),
    ("NATS_TOKEN", "token that NATS asks for"),
    ("HTTPS_PROXY, HTTP_PROXY", "proxy for requests; also in lower case"),
    ("NO_PROXY", "hosts that are reached without the proxy"),
    ("VISUAL, EDITOR", "editor of config edit"),
    ("NO_COLOR", "any value: no colours"),
];

/// The files, each with what is in it.
pub(super) const FILES: [(&str, &str); 6] = [
    ("~/.machins/config.json", "settings, keys and profiles, shared with the Python package"),
    ("~/.machins/config.json.lock", "lock that writers of the config file hold"),
    ("~/.machins/intents/", "what the keys of --once were used for"),
    ("~/.machins/spending/", "purchases that are under way or wait for approval"),
    ("~/.machins/listen/", "sockets by which resend reaches a running listen"),
    ("~/.cache/machins", "lists that completions were made from, used for two minutes"),
];

/// The environment variables, each with what it sets.
pub(super) fn variables() -> Vec<(&'static str, &'static str)> {
    let settings = KEYS.iter().filter_map(|key| Some((key.variable?, key.about)));
    settings.chain(OTHER_VARIABLES).collect()
}

/// The exit codes, each with its meaning.
pub(super) fn exit_codes() -> Vec<(String, &'static str)> {
    let done = ("0".to_owned(), "done; for validate and guard: allowed");
    let own = Exit::ALL.iter().map(|exit| ((*exit as u8).to_string(), exit.meaning()));
    let child =
        ("n".to_owned(), "guard, mock exec: the command's own status when it ran to its end");
    std::iter::once(done).chain(own).chain([child]).collect()
}

/// The settings, with the flag, the variable and the default of each.
pub(super) fn settings() -> String {
    let mut text = String::new();
    for key in &KEYS {
        // Writing to a string never fails.
        let _ = writeln!(text, "  {}\n      {}", key.name, key.about);
        let sources = [key.flag, key.variable].into_iter().flatten().collect::<Vec<_>>().join(", ");
        if !sources.is_empty() {
            let _ = writeln!(text, "      also: {sources}");
        }
        if let Some(default) = key.default {
            let _ = writeln!(text, "      default: {default}");
        }
    }
    text
}

/// The topic that a command line asks for, and the flags with which it does.
pub(crate) fn asked(line: &[OsString]) -> Option<(Global, String)> {
    if !line.iter().any(|word| word == "help") {
        return None;
    }
    let topic =
        Arg::new(TOPIC).required(true).value_parser(["environment", "exit-codes", "config"]);
    let help = Verbosity::augment_args(Command::new("help").arg(topic));
    let tree = Global::augment_args(Command::new("machins")).disable_help_subcommand(true);
    // What is no topic is left to the tree of commands.
    let matches = tree.subcommand(help).try_get_matches_from(line).ok()?;
    let text = match matches.subcommand()?.1.get_one::<String>(TOPIC)?.as_str() {
        "environment" => format!("Environment variables:\n\n{}", table(&variables())),
        "exit-codes" => format!("Exit codes:\n\n{}", table(&exit_codes())),
        _ => config(),
    };
    Some((Global::of(&matches, line).ok()?, text))
}

fn config() -> String {
    format!(
        "The config file is ~/.machins/config.json, or the file that MACHINS_CONFIG\n\
         names. It is JSON, and shared with the Python package. The value of a setting\n\
         is the first of: its flag, its environment variable, the profile in use, the\n\
         top level of the file, its default.\n\n\
         Profiles are objects below \"profiles\" with the same settings. The profile in\n\
         use is the one that --profile names, or else MACHINS_PROFILE, or else\n\
         \"default_profile\" in the file (machins profile use NAME).\n\n\
         Settings:\n{}\n\
         Examples:\n  machins config explain\n  machins config set machineid.device_id agent-01\n",
        settings()
    )
}

fn table<N: AsRef<str>>(rows: &[(N, &str)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.as_ref().len()).max().unwrap_or(0);
    let mut lines = String::new();
    for (name, text) in rows {
        // Writing to a string never fails.
        let _ = writeln!(lines, "  {:widest$}  {text}", name.as_ref());
    }
    lines
}
