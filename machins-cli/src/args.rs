//! The command tree: names, flags and help, and nothing else.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help that users read, and backticks would show in it"
)]

use std::ffi::OsString;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

pub(crate) mod market;

use self::market::Market;

/// MachineID and the machins marketplace from a shell: may this device run, and what does it trade?
#[derive(Debug, Parser)]
#[command(name = "machins", version, max_term_width = 100, styles = STYLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// What the overview lists, in its order. A test holds it against the tree.
const GROUPS: [(&str, &[&str]); 10] = [
    ("Start", &["join", "status", "demo"]),
    ("Market", &["browse", "show"]),
    ("Sell", &["sell", "listings", "listing", "edit", "unlist"]),
    (
        "Trade",
        &[
            "buy", "trades", "trade", "accept", "reject", "deliver", "confirm", "cancel",
            "dispute", "review",
        ],
    ),
    ("Money", &["wallet", "transactions"]),
    ("Events", &["inbox", "subscriptions", "subscribe", "unsubscribe", "webhook"]),
    ("Owner", &["claim", "owner"]),
    ("Public", &["stats", "leaderboard", "agent", "recent-trades", "info"]),
    (
        "Devices",
        &[
            "register", "validate", "guard", "devices", "revoke", "unrevoke", "remove", "usage",
            "checkout", "org",
        ],
    ),
    ("Tools", &["config", "mock", "api", "completions", "man"]),
];

/// The command tree with the grouped overview as its help.
pub(crate) fn tree() -> clap::Command {
    let tree = Cli::command();
    let overview = overview(&tree);
    with_global_flags(tree).help_template(format!(
        "{{about}}\n\n{{usage-heading}} machins [OPTIONS] COMMAND\n\n{overview}\
         Options, for every command:\n{{options}}\n\n\
         Try it with no account and no network: machins demo\n"
    ))
}

/// Every command gets the global flags, once it is called: clap's own `global` would give copies
/// of them to all commands at every start, which was two thirds of the tree.
fn with_global_flags(command: clap::Command) -> clap::Command {
    Global::augment_args(command).mut_subcommands(|child| child.defer(with_global_flags))
}

/// What a command line says to this tree.
pub(crate) fn parse(
    tree: clap::Command,
    line: &[OsString],
) -> Result<(Global, Option<Command>), clap::Error> {
    let matches = tree.try_get_matches_from(line)?;
    let mut global = Global::from_arg_matches(&matches)?;
    let mut called = matches.subcommand();
    while let Some((_, matches)) = called {
        global = Global::from_arg_matches(matches)?.or(global);
        called = matches.subcommand();
    }
    Ok((global, Cli::from_arg_matches(&matches)?.command))
}

fn overview(tree: &clap::Command) -> String {
    let header = STYLES.get_header();
    let literal = STYLES.get_literal();
    let mut text = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(text, "{header}{group}:{header:#}");
        for name in names {
            let about = tree
                .find_subcommand(name)
                .and_then(clap::Command::get_about)
                .map(ToString::to_string)
                .unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:<13}{literal:#} {about}");
        }
        text.push('\n');
    }
    text
}

// Flags that every command takes. A doc comment would become the help of each of them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Print one JSON document, with the API's own field names
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the machins API is
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) base_url: Option<String>,
    /// Where the MachineID API is
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) machineid_url: Option<String>,
    /// Take settings from this profile of the config file first
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) profile: Option<String>,
    /// Give up on a call after this long, its retries included
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Colour the output: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: Option<Color>,
    /// Say nothing but the result and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Show the calls being made; twice for more
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Global {
    /// These flags, and those of an outer command as far as they say nothing else.
    fn or(self, outer: Self) -> Self {
        Self {
            json: self.json || outer.json,
            base_url: self.base_url.or(outer.base_url),
            machineid_url: self.machineid_url.or(outer.machineid_url),
            profile: self.profile.or(outer.profile),
            timeout: self.timeout.or(outer.timeout),
            color: self.color.or(outer.color),
            quiet: self.quiet || outer.quiet,
            verbose: self.verbose.saturating_add(outer.verbose),
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See the whole story on a mock server: no account, no network
    ///
    /// Starts a mock server inside this process and walks a device through allow, revoke, deny
    /// and restore, then a plan limit, the organisation's kill switch and an outage; then two
    /// agents through a trade, a dispute and their inbox. Each step makes the real call and
    /// checks the real reply.
    #[command(after_help = "Example:\n  machins demo")]
    Demo,

    #[command(flatten)]
    Market(Market),

    /// Register a device, as an agent does when it starts
    ///
    /// Safe to repeat: a device that exists stays as it is.
    #[command(after_help = "Example:\n  machins register agent-01")]
    Register(Device),

    /// Ask whether a device may run: exit 0 allows, 3 denies
    ///
    /// Exits with 0 for the decision ALLOW alone. Every other decision exits with 3, and so
    /// does every failure to get one: no answer is a denial with code SYSTEM_UNAVAILABLE.
    #[command(after_help = "Example:\n  machins validate agent-01 && echo go")]
    Validate(Device),

    /// Run a command for as long as its device is allowed
    ///
    /// Registers and validates the device, starts COMMAND, and validates again every --every
    /// seconds. On the first denial the command and all of its process group are ended (TERM,
    /// then KILL after 10 seconds) and guard exits with 3. Otherwise guard exits with the
    /// command's own status (128 + n when signal n ended it, 127 when it was not found, 126
    /// when it could not be run), and ends what the command left behind in its group.
    ///
    /// The command owns stdin and stdout; guard writes to stderr only and passes signals on.
    /// A process that leaves the group on purpose (setsid) is out of guard's reach.
    #[command(after_help = "Example:\n  machins guard --device agent-01 -- echo working")]
    Guard(Guard),

    /// List the organisation's devices
    #[command(after_help = "Example:\n  machins devices")]
    Devices,

    /// Deny devices from their next validation on
    #[command(after_help = "Examples:\n  machins revoke agent-01\n  machins revoke --all --yes")]
    Revoke(Devices),

    /// Allow revoked devices again, as far as the plan has room
    #[command(
        after_help = "Examples:\n  machins unrevoke agent-01\n  machins unrevoke --all --yes"
    )]
    Unrevoke(Devices),

    /// Delete a device's record for good
    #[command(after_help = "Example:\n  machins remove agent-01")]
    Remove(Device),

    /// Show the plan and how much of it is in use
    #[command(after_help = "Example:\n  machins usage")]
    Usage,

    /// Get the address of a page to pay for a plan
    #[command(after_help = "Example:\n  machins checkout pro")]
    Checkout {
        /// pro, scale or max
        plan: String,
    },

    /// Create an organisation
    #[command(subcommand, after_help = "Example:\n  machins org create --save")]
    Org(Org),

    /// Read and change settings
    ///
    /// Without a subcommand this is `config show`. A setting comes from, first to last: its
    /// flag, its environment variable, the profile that --profile names, the config file, the
    /// default.
    #[command(after_help = "Examples:\n  machins config explain\n  \
                      machins config set machineid.device_id agent-01")]
    Config {
        /// Write a setting, as `config set` does; for those who come from the Python package
        #[arg(long, value_name = "K=V", conflicts_with = "get", hide = true)]
        set: Option<String>,
        /// Print a setting, as `config get` does; for those who come from the Python package
        #[arg(long, value_name = "K", hide = true)]
        get: Option<String>,
        #[command(subcommand)]
        command: Option<Config>,
    },

    /// A mock server of the API, for tests and first steps
    #[command(subcommand, after_help = "Example:\n  machins mock exec -- machins org create")]
    Mock(Mock),

    /// Call an endpoint directly
    ///
    /// The way out for an endpoint this program does not know: sends the request with the
    /// configured key and prints the JSON of the reply. The path says which API it is for: those
    /// of MachineID begin with /api/v1, those of machins go on from its base URL.
    #[command(
        after_help = "Examples:\n  machins api GET '/marketplace?limit=5'\n  machins api GET /api/v1/usage\n  \
                            machins api POST /api/v1/devices/validate --body '{\"deviceId\":\"agent-01\"}'"
    )]
    Api(Api),

    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  machins completions bash > machins.bash")]
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Print the manual page, or write one for each command
    #[command(after_help = "Examples:\n  machins man > machins.1\n  machins man --dir man1")]
    Man {
        /// Write the pages of all commands into this folder
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// One device.
#[derive(Debug, Args)]
pub(crate) struct Device {
    /// The device; without it MACHINEID_DEVICE_ID or the configured machineid.device_id
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
}

/// One device, several, or all.
#[derive(Debug, Args)]
pub(crate) struct Devices {
    /// The devices
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<String>,
    /// Every device it can apply to
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Do not ask before changing more than one
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What `guard` needs to know.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    /// The device; without it MACHINEID_DEVICE_ID or the configured machineid.device_id
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<String>,
    /// How often to validate while the command runs
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = positive_seconds)]
    pub(crate) every: Duration,
    /// How long to retry when no decision can be had before that ends the command
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(crate) outage_grace: Duration,
    /// The command to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// Organisation commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Org {
    /// Create a free organisation and print its key
    ///
    /// The key is printed once and can't be had again. --save also writes it to the config file
    /// as machineid.org_key; a key already there moves to a profile, so that none is lost.
    #[command(after_help = "Example:\n  machins org create --save")]
    Create {
        /// Write the key to the config file
        #[arg(long)]
        save: bool,
    },
}

/// Configuration commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print the config file, secrets masked
    #[command(after_help = "Example:\n  machins config show")]
    Show,
    /// Print one setting as it is in force, whatever it comes from
    ///
    /// A secret is masked unless --reveal is given. Exits with 1 when the setting has no value.
    #[command(after_help = "Example:\n  machins config get machineid.base_url")]
    Get {
        /// The setting, for example machineid.device_id
        #[arg(value_name = "K")]
        key: String,
        /// Print a secret in full
        #[arg(long)]
        reveal: bool,
    },
    /// Write one setting to the config file, or with --profile into that profile
    ///
    /// An empty value removes the setting. Arguments are visible to every user of a machine, so
    /// a secret is read from stdin: give - as its value.
    #[command(after_help = "Examples:\n  machins config set machineid.device_id agent-01\n  \
                            echo org_your_key | machins config set machineid.org_key -")]
    Set {
        /// The setting, for example machineid.device_id
        #[arg(value_name = "K")]
        key: String,
        /// Its value, or - to read it from stdin
        #[arg(value_name = "V", allow_hyphen_values = true)]
        value: String,
    },
    /// Print where the config file is
    #[command(after_help = "Example:\n  machins config path")]
    Path,
    /// Show every setting, its value and where that comes from
    #[command(after_help = "Example:\n  machins config explain")]
    Explain,
}

/// Mock server commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Mock {
    /// Serve until interrupted
    ///
    /// With --json the first line on stdout is {"url","machins_base_url","machineid_base_url",
    /// "pid"}, printed when the server is ready.
    #[command(after_help = "Example:\n  machins mock serve --addr 127.0.0.1:0")]
    Serve(Serve),
    /// Run a command against a mock server of its own
    ///
    /// Starts a server on a free port, sets MACHINS_BASE_URL and MACHINEID_BASE_URL for
    /// COMMAND, and exits with its status.
    #[command(after_help = "Example:\n  machins mock exec -- machins org create")]
    Exec {
        /// The command to run, with its arguments
        #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },
}

/// How to serve the mock.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) addr: SocketAddr,
    /// Make ids and keys repeat from run to run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Load the world from this file and save it there on the way out
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) state: Option<PathBuf>,
    /// Begin with an organisation and a few devices
    #[arg(long)]
    pub(crate) demo_data: bool,
}

/// A call to any endpoint.
#[derive(Debug, Args)]
pub(crate) struct Api {
    /// GET, POST, PUT, PATCH or DELETE
    #[arg(value_name = "METHOD", ignore_case = true)]
    pub(crate) method: Method,
    /// The path, for example /marketplace or /api/v1/usage
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// The body to send, or - to read it from stdin
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) body: Option<String>,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum Method {
    /// Read
    Get,
    /// Do or create
    Post,
    /// Replace
    Put,
    /// Change
    Patch,
    /// Delete
    Delete,
}

/// A year: more than any timeout means, and far from overflowing a clock.
const MAX_SECONDS: f64 = 366.0 * 24.0 * 3600.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MAX_SECONDS).contains(&seconds) => {
            Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
        }
        Ok(_) => Err("must be between 0 and 31622400 seconds".into()),
        Err(_) => Err("must be a number of seconds, for example 30 or 0.5".into()),
    }
}

fn positive_seconds(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("must be more than 0".into()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        tree().debug_assert();
    }

    #[test]
    fn each_command_is_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let tree = tree();
        let mut known: Vec<&str> = tree
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(clap::Command::get_name)
            .collect();
        grouped.sort_unstable();
        known.sort_unstable();
        assert_eq!(grouped, known);
    }

    #[test]
    fn seconds_are_bounded() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for bad in ["-1", "nan", "inf", "1e300", "", "soon", "31622401"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert!(positive_seconds("0").is_err());
        assert!(positive_seconds("1e-12").is_err());
    }
}
