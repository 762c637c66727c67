//! `machins mock record`.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_client_core::BaseUrl;
use axum::http::{Request, Response};
use clap::{Args, ValueHint};
use machineid_client::reqwest::redirect::Policy;
use machineid_client::reqwest::{Client, Error};
use machins_mock::{Difference, DifferenceKind, RequestRecord};
use serde::Serialize;
use serde_json::json;

use super::listen::{Listen, Log};
use crate::config::key::BASE_URL;
use crate::context::Context;
use crate::error::Failure;
use crate::json;
use crate::output::{Output, to_stderr};
use crate::style::{BAD, FAINT, GOOD, STRONG};
use crate::table::{Table, cell};

/// How long a request may take by default.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Stand between a program and the real service, and report where it differs from the mock
///
/// Sends each request on to the service, journals it with its reply (keys masked), and compares the
/// reply with what the mock server replies: its status, and each field and its type. With --json, the
/// first line on stdout is as for mock serve, and the last one a report. The journal is that of
/// mock requests, and faults work as usual.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        machins mock record --upstream https://machins.co --port 8080\n  \
                        machins mock record --upstream https://machineid.io --journal seen.jsonl")]
pub(crate) struct Record {
    /// URL of the service, with or without /api/v1
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    upstream: String,
    /// File to add each request to, as a line of JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    journal: Option<PathBuf>,
    #[command(flatten)]
    listen: Listen,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    recorded: u64,
    differences: BTreeMap<(String, String, DifferenceKind, String), Found>,
}

/// A difference, and how often it was seen.
#[derive(Clone, Serialize)]
struct Found {
    #[serde(flatten)]
    difference: Difference,
    /// The seq of the first request with it.
    seq: u64,
    count: u64,
}

impl Record {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let out = context.out;
        let upstream = self.upstream(context)?;
        let client = client(&upstream, context)?;
        let origin = upstream.to_string();
        let origin = origin.trim_end_matches('/');
        let origin: Arc<str> = origin.strip_suffix("/api/v1").unwrap_or(origin).into();
        self.listen.before_start()?;
        let log = self.listen.log(out);
        let journal = Mutex::new(self.journal.as_deref().map(open).transpose()?);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let recorded = Arc::clone(&seen);
        let to = Arc::clone(&origin);
        let server = self
            .listen
            .builder()?
            .upstream(move |request| send(client.clone(), Arc::clone(&to), request))
            .on_record(move |record| {
                recorded.lock().unwrap_or_else(PoisonError::into_inner).add(record);
                log_line(log, record);
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(Err(error)) = journal.as_mut().map(|file| add_line(file, record)) {
                    out.warn(&format!("the journal cannot be written any more: {error}"));
                    *journal = None;
                }
            })
            .start()
            .map_err(|error| {
                let place = self.listen.place();
                Failure::local(format!("the recorder could not start{place}"), error)
            })?;
        self.listen.warn_of_others(&server, out);
        let document = json!({
            "url": server.url(),
            "machins_base_url": server.machins_base_url(),
            "machineid_base_url": server.machineid_base_url(),
            "pid": std::process::id(),
            "upstream": &*origin,
        });
        self.listen.until_stopped(&server, &document, || {
            if out.is_json() {
                return out.line(&document);
            }
            out.text(&format!(
                "{STRONG}Recording at {} what {origin} replies{STRONG:#}\n\n\
                 export MACHINS_MOCK_URL={}\nexport MACHINEID_BASE_URL={}\n\
                 export MACHINS_BASE_URL={}\n\n{FAINT}Ctrl-C stops it.{FAINT:#}\n",
                server.url(),
                server.url(),
                server.machineid_base_url(),
                server.machins_base_url(),
            ))
        })?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.report(out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn upstream(&self, context: &Context) -> Result<BaseUrl, Failure> {
        context.parse_base_url(&BASE_URL, &self.upstream).map_err(|error| error.about("--upstream"))
    }
}

/// A client that sends requests on as they are.
fn client(upstream: &BaseUrl, context: &Context) -> Result<Client, Failure> {
    let builder =
        Client::builder().redirect(Policy::none()).timeout(context.timeout().unwrap_or(TIME_LIMIT));
    let builder = if upstream.is_loopback() { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| Failure::local("could not start an HTTP client", error))
}

async fn send(
    client: Client,
    origin: Arc<str>,
    request: Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, Error> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let reply = client
        .request(parts.method, format!("{origin}{path}"))
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        // The URL is known, and may hold a token.
        .map_err(Error::without_url)?;
    let (status, headers) = (reply.status(), reply.headers().clone());
    let mut response = Response::new(reply.bytes().await.map_err(Error::without_url)?.to_vec());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Opens the journal at its end. Only its owner can read it.
fn open(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).map_err(|error| {
        Failure::usage(format!("--journal: cannot write {}: {error}", path.display()))
    })
}

fn add_line(file: &mut File, record: &RequestRecord) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn log_line(log: Log, record: &RequestRecord) {
    match log {
        Log::Off => {}
        Log::Json => {
            if let Ok(line) = json::line(record) {
                to_stderr(&format!("{line}\n"));
            }
        }
        Log::Text => {
            let mut text = format!("{record}\n");
            for difference in &record.differences {
                let _ = writeln!(text, "  {BAD}differs:{BAD:#} {difference}");
            }
            to_stderr(&text);
        }
    }
}

impl Seen {
    fn add(&mut self, record: &RequestRecord) {
        self.recorded += 1;
        for difference in &record.differences {
            let Difference { route, field, kind, expected, .. } = difference.clone();
            self.differences
                .entry((route, field, kind, expected))
                .or_insert_with(|| Found {
                    difference: difference.clone(),
                    seq: record.seq,
                    count: 0,
                })
                .count += 1;
        }
    }

    fn report(&self, out: Output) -> Result<(), Failure> {
        let differences: Vec<_> = self.differences.values().cloned().collect();
        if out.is_json() {
            return out.line(&json!({"recorded": self.recorded, "differences": differences}));
        }
        let recorded = self.recorded;
        if differences.is_empty() {
            return out.text(&format!("{GOOD}No reply of {recorded} differs.{GOOD:#}\n"));
        }
        let table = Table::new()
            .column("CALL", |found: &Found| cell(&found.difference.route))
            .column("DIFFERS", |found| cell(&found.difference.to_string()))
            .number("TIMES", |found| cell(&found.count.to_string()));
        out.text(&table.render(&differences))
    }
}
