//! `machins mock serve`.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use jiff::Timestamp;
use machins_mock::{MockServer, MockServerBuilder};
use serde_json::{Value, json};

use super::demo_data::Keys;
use super::exports::exports;
use super::listen::{Listen, Log, warn_of_others};
use super::options::Options;
use crate::error::{ExitCode, Failure};
use crate::output::Output;
use crate::style::{FAINT, STRONG};

/// Serve until interrupted
///
/// With --json, the first line on stdout is a JSON object with the fields url,
/// machins_base_url, machineid_base_url and pid, printed when the server is ready. TERM and Ctrl-C
/// stop the server once requests under way are answered, within 5 seconds.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins mock serve --addr localhost:0 --log json\n  \
                        machins mock serve --port 8080 --fixtures market.json")]
pub(crate) struct Serve {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    options: Options,
    /// Virtual time to start at, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    clock: Option<Timestamp>,
    /// Start with a clock that stands still until it is moved
    #[arg(long)]
    frozen: bool,
    /// Refuse unknown fields and parameters in the vendors' own routes, too
    #[arg(long)]
    strict: bool,
    /// Post webhooks to any machine, not only to this one
    #[arg(long)]
    deliver_everywhere: bool,
    /// Answer requests that call the server by this name, too; repeatable
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Let web pages of this origin use the server, * for all; repeatable
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<String>,
}

impl Serve {
    pub(super) fn run(self: Box<Self>, out: Output) -> Result<ExitCode, Failure> {
        self.listen.before_start()?;
        let builder = self.builder(out)?;
        let place = self.listen.place();
        let (server, keys) = self.options.start(builder, out, &place)?;
        warn_of_others(&server, out);
        let document = document(&server, keys.as_ref());
        self.listen.until_stopped(&server, &document, || announce(out, &server, &document))?;
        Options::save(&server)?;
        Ok(ExitCode::SUCCESS)
    }

    fn builder(&self, out: Output) -> Result<MockServerBuilder, Failure> {
        let mut builder = self.listen.builder()?;
        for host in &self.allow_host {
            builder = builder.allow_host(host);
        }
        for origin in &self.cors {
            builder = builder.cors(origin);
        }
        if let Some(now) = self.clock {
            builder = builder.clock(SystemTime::from(now));
        }
        if self.frozen {
            builder = builder.frozen();
        }
        if self.strict {
            builder = builder.strict();
        }
        if self.deliver_everywhere {
            builder = builder.deliver_everywhere();
        }
        Ok(match self.listen.log(out) {
            Log::Off => builder,
            log => builder.on_request(move |line| log.write(line, |_| {})),
        })
    }
}

/// What `--json` prints, and what the file that tells of readiness contains.
fn document(server: &MockServer, keys: Option<&Keys>) -> Value {
    let mut document = json!({
        "url": server.url(),
        "machins_base_url": server.machins_base_url(),
        "machineid_base_url": server.machineid_base_url(),
        "pid": std::process::id(),
    });
    if let Some(Keys { org_key, device_id, api_key }) = keys {
        document["org_key"] = org_key.as_str().into();
        document["device_id"] = device_id.as_str().into();
        document["api_key"] = api_key.as_str().into();
    }
    document
}

fn announce(out: Output, server: &MockServer, document: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.line(document);
    }
    let mut text = format!("{STRONG}The mock server is ready at {}{STRONG:#}\n\n", server.url());
    text += &exports(|field| document[field].as_str());
    let _ = writeln!(
        text,
        "\n{FAINT}Its API is documented at {}/docs. Ctrl-C stops it.{FAINT:#}",
        server.url()
    );
    out.text(&text)
}
