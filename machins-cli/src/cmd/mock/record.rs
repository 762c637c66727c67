//! `machins mock record`.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_client_core::{BaseUrl, private};
use axum::http::{HeaderMap, Request, Response};
use clap::{Args, ValueEnum, ValueHint};
use machineid_client::reqwest::redirect::Policy;
use machineid_client::reqwest::{Client, Error, Url};
use machins_mock::{Difference, DifferenceKind, RequestRecord};
use serde::Serialize;
use serde_json::json;

use super::exports::exports;
use super::listen::{Listen, warn_of_others};
use crate::config::key::{BASE_URL, MACHINEID_BASE_URL};
use crate::context::Context;
use crate::error::{ExitCode, Failure};
use crate::output::Output;
use crate::style::{BAD, FAINT, GOOD, STRONG};
use crate::table::{Table, cell};
use crate::text::clean;

/// How long a request may take by default.
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// The size of the largest reply that is passed on, in bytes.
const MAX_REPLY: usize = 8 * 1024 * 1024;
/// How many differences are kept for the report.
const MAX_DIFFERENCES: usize = 1000;

/// Stand between a program and the real service, and report where it differs from the mock
///
/// Sends each request on to the service, journals it with its reply (keys masked), and compares the
/// reply with what the mock server replies: its status, and each field and its type. With --json, the
/// first line on stdout is as for mock serve, and the last one a report. The journal is that of
/// mock requests, and faults work as usual. Only the keys of the service are sent on to it, and only
/// its variable is printed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        machins mock record --upstream https://machins.co --port 8080\n  \
                        machins mock record --upstream https://machineid.io --journal seen.jsonl")]
pub(crate) struct Record {
    /// URL of the service, with or without /api/v1
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    upstream: String,
    /// Service at the URL; needed unless its name tells it, or it is a mock server on this machine
    #[arg(long, value_name = "SERVICE")]
    service: Option<Service>,
    /// File to add each request to, as a line of JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    journal: Option<PathBuf>,
    #[command(flatten)]
    listen: Listen,
}

/// A service that can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Service {
    /// Decides whether devices may run
    #[value(name = "machineid")]
    MachineId,
    /// The marketplace
    Machins,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    recorded: u64,
    differences: BTreeMap<(String, String, DifferenceKind, String), Found>,
    /// How often there was a difference that is not among them, because there are too many.
    left_out: u64,
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
        let journal = Mutex::new(self.journal.as_deref().map(open).transpose()?);
        let service = self.service(&upstream)?;
        let client = client(&upstream, context)?;
        let origin = upstream.to_string();
        let origin = origin.trim_end_matches('/');
        let origin: Arc<str> = origin.strip_suffix("/api/v1").unwrap_or(origin).into();
        self.listen.before_start()?;
        let log = self.listen.log(out);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let recorded = Arc::clone(&seen);
        let to = Arc::clone(&origin);
        let server = self
            .listen
            .builder()?
            .upstream(move |mut request| {
                remove_others_keys(service, request.headers_mut());
                send(client.clone(), Arc::clone(&to), request)
            })
            .on_record(move |record| {
                recorded.lock().unwrap_or_else(PoisonError::into_inner).add(record);
                log.write(record, |text| {
                    for difference in &record.differences {
                        let difference = difference.to_string();
                        let _ = writeln!(text, "  {BAD}differs:{BAD:#} {}", clean(&difference));
                    }
                });
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
        warn_of_others(&server, out);
        let mut document =
            json!({"url": server.url(), "pid": std::process::id(), "upstream": &*origin});
        if service != Some(Service::Machins) {
            document["machineid_base_url"] = server.machineid_base_url().into();
        }
        if service != Some(Service::MachineId) {
            document["machins_base_url"] = server.machins_base_url().into();
        }
        self.listen.until_stopped(&server, &document, || {
            if out.is_json() {
                return out.line(&document);
            }
            out.text(&format!(
                "{STRONG}Recording at {} what {origin} replies{STRONG:#}\n\n\
                 {}\n{FAINT}Ctrl-C stops it.{FAINT:#}\n",
                server.url(),
                exports(|field| document[field].as_str()),
            ))
        })?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.report(out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn upstream(&self, context: &Context) -> Result<BaseUrl, Failure> {
        let key = match self.service {
            Some(Service::MachineId) => &MACHINEID_BASE_URL,
            _ => &BASE_URL,
        };
        context.parse_base_url(key, &self.upstream).map_err(|error| error.about("--upstream"))
    }

    /// Returns the service at a URL; `None` for a mock server, which is both.
    fn service(&self, upstream: &BaseUrl) -> Result<Option<Service>, Failure> {
        if self.service.is_some() || upstream.is_loopback() {
            return Ok(self.service);
        }
        let host = |url: &str| Some(Url::parse(url).ok()?.host_str()?.to_owned());
        let given = host(&upstream.to_string());
        if given == host(machineid_client::DEFAULT_BASE_URL) {
            Ok(Some(Service::MachineId))
        } else if given == host(machins_client::DEFAULT_BASE_URL) {
            Ok(Some(Service::Machins))
        } else {
            Err(Failure::usage("the host does not tell which service it is").hint(
                "give --service machineid or --service machins: the keys of the other service are \
                 not sent on",
            ))
        }
    }
}

/// Removes the keys of the other service from a request, if a program sends all that it has.
fn remove_others_keys(service: Option<Service>, headers: &mut HeaderMap) {
    let others: &[&str] = match service {
        Some(Service::MachineId) => &["x-api-key", "authorization"],
        Some(Service::Machins) => &["x-org-key"],
        None => &[],
    };
    for name in others {
        headers.remove(*name);
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
) -> Result<Response<Vec<u8>>, String> {
    // The URL is known, and may hold a token.
    let failed = |error: Error| error.without_url().to_string();
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut reply = client
        .request(parts.method, format!("{origin}{path}"))
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > MAX_REPLY {
            return Err("it is larger than 8 MiB".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    let mut response = Response::new(bytes);
    *response.status_mut() = reply.status();
    *response.headers_mut() = reply.headers().clone();
    Ok(response)
}

/// Opens the journal at its end. Only its owner can read it.
fn open(path: &Path) -> Result<File, Failure> {
    let open = || {
        let file = private(OpenOptions::new().create(true).append(true)).open(path)?;
        // A file that was there before may be open to others.
        #[cfg(unix)]
        if file.metadata()?.is_file() {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    };
    open().map_err(|error: std::io::Error| {
        Failure::usage(format!("--journal: cannot write {}: {error}", path.display()))
    })
}

fn add_line(file: &mut File, record: &RequestRecord) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    file.write_all(&line)
}

impl Seen {
    fn add(&mut self, record: &RequestRecord) {
        self.recorded += 1;
        for difference in &record.differences {
            let Difference { route, field, kind, expected, .. } = difference.clone();
            let is_full = self.differences.len() >= MAX_DIFFERENCES;
            match self.differences.entry((route, field, kind, expected)) {
                Entry::Occupied(mut known) => known.get_mut().count += 1,
                Entry::Vacant(_) if is_full => self.left_out += 1,
                Entry::Vacant(place) => {
                    let difference = difference.clone();
                    place.insert(Found { difference, seq: record.seq, count: 1 });
                }
            }
        }
    }

    fn report(&self, out: Output) -> Result<(), Failure> {
        let differences: Vec<_> = self.differences.values().cloned().collect();
        if out.is_json() {
            let mut report = json!({"recorded": self.recorded, "differences": differences});
            if self.left_out > 0 {
                report["left_out"] = self.left_out.into();
            }
            return out.line(&report);
        }
        let recorded = self.recorded;
        if differences.is_empty() {
            return out.text(&format!("{GOOD}No reply of {recorded} differs.{GOOD:#}\n"));
        }
        let table = Table::new()
            .column("CALL", |found: &Found| cell(&found.difference.route))
            .column("DIFFERS", |found| cell(&found.difference.to_string()))
            .number("TIMES", |found| cell(&found.count.to_string()));
        let mut text = table.render(&differences);
        if self.left_out > 0 {
            let _ = writeln!(text, "{} more are left out.", self.left_out);
        }
        out.text(&text)
    }
}
