//! The flags that every command takes, and parsers of argument values.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{ArgMatches, Args, FromArgMatches, ValueEnum, ValueHint};
use machins_client::Money;
use machins_client::reqwest::Url;

// The flags of every command. A doc comment here would replace the help of each command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options", next_display_order = 900)]
pub(crate) struct Global {
    /// Print one JSON document with the API's own field names; the same as -o json
    #[arg(long, global = true, overrides_with = "json")]
    pub(crate) json: bool,
    /// Form of the result: table, json, and for lists csv, tsv (both with a heading) or id (one a
    /// line)
    #[arg(
        short = 'o',
        long = "output",
        global = true,
        value_name = "FORMAT",
        hide_possible_values = true,
        overrides_with = "format"
    )]
    pub(crate) format: Option<Format>,
    /// Print what this expression of jq yields for the JSON result, strings without quotation marks, for
    /// example '.items[].id'; includes --json
    #[arg(long, global = true, value_name = "EXPR")]
    pub(crate) jq: Option<String>,
    /// URL of the machins API
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) base_url: Option<String>,
    /// URL of the MachineID API
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) machineid_url: Option<String>,
    /// Profile in the config file, whose settings take precedence [default: MACHINS_PROFILE, or the
    /// one that profile use chose]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) profile: Option<String>,
    /// Permit plain http to hosts other than this machine; also MACHINS_ALLOW_INSECURE_HTTP=1
    #[arg(long, global = true)]
    pub(crate) allow_insecure_http: bool,
    /// Time limit of all calls of a command together, --all and trade --wait included; of commands that
    /// run until stopped and of doctor, each call [default: 60 for each call, for guard, mcp gate and
    /// doctor 10, for hook run 8; none for trade --wait]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = positive_seconds)]
    pub(crate) timeout: Option<Duration>,
    /// When to use colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: Option<Color>,
    /// Print only results and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

// Not a global flag: of one that is given before and after a command's name, clap keeps only the
// last, but these are counted together.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Verbosity {
    /// Show each call on stderr: method, URL, status, time; -vv shows headers and bodies too, secrets
    /// masked
    #[arg(
        short,
        long,
        action = clap::ArgAction::Count,
        help_heading = "Global options",
        display_order = 950
    )]
    pub(crate) verbose: u8,
}

impl Global {
    /// The flags of a command line that was parsed.
    pub(crate) fn of(matches: &ArgMatches, line: &[OsString]) -> Result<Self, clap::Error> {
        let mut global = Self::from_arg_matches(matches)?;
        if global.json && global.format.is_some() {
            // clap does not tell which of the two came last.
            match last_form(line) {
                Some("json") => global.format = None,
                _ => global.json = false,
            }
        }
        global.verbosity = Verbosity::from_levels(matches);
        Ok(global)
    }

    /// The form of the result that the flags ask for.
    pub(crate) fn format(&self) -> Format {
        match self.format {
            Some(format) => format,
            None if self.json || self.jq.is_some() => Format::Json,
            None => Format::Table,
        }
    }
}

impl Format {
    /// Whether it is rows, which have no room for anything else.
    pub(crate) fn is_for_programs(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Id)
    }
}

impl Verbosity {
    /// Counts the flags on all levels of a command line.
    fn from_levels(matches: &ArgMatches) -> Self {
        let mut verbose = 0_u8;
        let mut level = Some(matches);
        while let Some(matches) = level {
            let own = matches.try_get_one("verbose").ok().flatten();
            verbose = verbose.saturating_add(own.copied().unwrap_or(0));
            level = matches.subcommand().map(|(_, matches)| matches);
        }
        Self { verbose }
    }
}

/// The form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// Comma-separated values with a heading
    Csv,
    /// Tab-separated values with a heading
    Tsv,
    /// Ids, one a line
    Id,
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

/// The last form of the result that the flags of a command line ask for, as it was written.
pub(crate) fn last_form(line: &[OsString]) -> Option<&str> {
    let mut words = line.iter().map(|word| word.to_str().unwrap_or_default());
    let mut last = None;
    while let Some(word) = words.next().filter(|word| *word != "--") {
        // Before -o in one word can stand flags without a value.
        let short = || word.strip_prefix('-')?.trim_start_matches(['q', 'v']).strip_prefix('o');
        let form = match word.strip_prefix("--output").or_else(short) {
            None if word == "--json" => Some("json"),
            None => None,
            Some("") => words.next(),
            Some(form) => Some(form.trim_start_matches('=')),
        };
        last = form.or(last);
    }
    last
}

/// A year: longer than any sensible timeout, and far from overflowing a clock.
const MAX_SECONDS: f64 = 366.0 * 24.0 * 3600.0;

/// Accepts only words that the clients know, so that a typing error is caught before anything is sent.
pub(crate) fn known(words: &'static [&'static str]) -> PossibleValuesParser {
    PossibleValuesParser::new(words)
}

/// Parses a number of seconds, fractions allowed.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MAX_SECONDS).contains(&seconds) => {
            Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
        }
        Ok(_) => Err("must be between 0 and 31622400 seconds".into()),
        Err(_) => Err("must be a number of seconds, for example 30 or 0.5".into()),
    }
}

/// Parses a number of seconds that is not 0.
pub(crate) fn positive_seconds(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("must be more than 0".into()),
        duration => Ok(duration),
    }
}

/// Parses a number of bytes that is not 0.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|bytes| *bytes > 0).ok_or_else(|| "must be a number of bytes".into())
}

/// Parses a slug: lowercase letters, digits and inner hyphens.
pub(crate) fn slug(text: &str) -> Result<String, String> {
    let is_of_one = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    let is_slug = !text.is_empty() && text.chars().all(is_of_one) && text.trim_matches('-') == text;
    is_slug
        .then(|| text.to_owned())
        .ok_or_else(|| "must be lowercase letters, digits and inner hyphens".into())
}

/// Parses a URL that the service or another agent is to call.
pub(crate) fn url(text: &str) -> Result<String, String> {
    let is_http = |url: Url| matches!(url.scheme(), "http" | "https");
    let is_url = Url::parse(text).is_ok_and(is_http);
    is_url.then(|| text.to_owned()).ok_or_else(|| "must begin with http:// or https://".into())
}

/// Parses the price of a listing.
pub(crate) fn price(text: &str) -> Result<Money, String> {
    match money(text)? {
        price if price > Money::ZERO => Ok(price),
        _ => Err("must be more than 0".into()),
    }
}

/// Parses an amount of credits.
pub(crate) fn money(text: &str) -> Result<Money, String> {
    text.parse().map_err(|_| "must be a number like 45 or 45.50, with at most two decimals".into())
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn prices_are_exact() {
        assert_eq!(money("19.99"), Ok(Money::from_hundredths(1999)));
        assert_eq!(money("0.1"), Ok(Money::from_hundredths(10)));
        for bad in ["19.999", "1e3", "12,50", "", "NaN", "99999999999999999999"] {
            assert!(money(bad).is_err(), "{bad}");
        }
    }
}
