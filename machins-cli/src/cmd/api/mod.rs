//! `machins api`: any endpoint.

mod paginate;

use std::borrow::Cow;
use std::fmt::Write;

use clap::{Args, ValueEnum};
use machineid_client::{Call, CallOptions, Reply};
use machins_client::{Document, Extra};
use serde_json::Value;

use self::paginate::Pairs;
use crate::context::Context;
use crate::error::Failure;
use crate::text::clean;
use crate::{json, json_flag};

/// The beginnings of the paths of MachineID. All other paths are relative to the base URL of
/// machins, where no path begins like this.
const MACHINEID: [&str; 4] = ["/api/v1/devices", "/api/v1/usage", "/api/v1/org", "/api/v1/billing"];
const VERSION: &str = "/api/v1";
/// Paths that need the owner's token instead of the agent's key.
const OWNERS: &str = "/owners";

/// Call an endpoint directly
///
/// For endpoints that have no command of their own: sends the request with the configured key
/// and prints the JSON reply. The path determines the service: /api/v1/devices, usage, org and billing
/// are MachineID, everything else is machins, and /owners takes the owner's token. --service
/// chooses it for paths that this version does not know. The slash at the beginning may be left out,
/// and for machins /api/v1 as well.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins api GET '/marketplace?limit=5'\n  \
                  machins api GET /trades --paginate -f status=proposed\n  \
                  machins api GET /api/v1/usage -i\n  \
                  machins api POST /api/v1/devices/validate --body '{\"deviceId\":\"agent-01\"}'")]
pub(crate) struct Api {
    /// HTTP method: GET, POST, PUT, PATCH or DELETE
    #[arg(value_name = "METHOD", ignore_case = true)]
    method: Method,
    /// Path, for example /marketplace or /api/v1/usage
    #[arg(value_name = "PATH")]
    path: String,
    /// JSON body to send; - reads it from stdin, @FILE from a file
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    body: Option<String>,
    /// Field of the JSON body, or with GET of the query; can be given several times. The value is
    /// text
    #[arg(short = 'f', long = "field", value_name = "K=V", value_parser = field)]
    #[arg(conflicts_with = "body")]
    fields: Vec<(String, String)>,
    /// Header to send, for example 'X-Correlation-Id: job-17'; can be given several times. The key and
    /// what describes the body are set by machins itself
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Show the status and the headers of the reply before its body; with --json as fields beside
    /// "body"
    #[arg(short = 'i', long)]
    include: bool,
    /// Fetch all pages of a list, and print them as one (only with GET)
    #[arg(long, conflicts_with = "include")]
    paginate: bool,
    /// Service to call: machins, machineid, or owner (machins, with the owner's token) [default: by
    /// the path]
    #[arg(long, value_name = "SERVICE", hide_possible_values = true)]
    service: Option<Service>,
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it like title=Sentiment".into()),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().into(), value.trim().into()))
        }
        _ => Err("write it like 'X-Correlation-Id: job-17'".into()),
    }
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Method {
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

/// The service that a call goes to, and the key that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Service {
    /// MachineID, with the org's key
    MachineId,
    /// machins, with the agent's key
    Machins,
    /// machins, with the owner's token
    Owner,
}

impl Api {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        if self.paginate && self.method != Method::Get {
            return Err(Failure::usage("--paginate is only for GET"));
        }
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let (service, path) = target(path, self.service);
        if service != Service::MachineId
            && self.method != Method::Get
            && may_spend(&path)
            && !context.policies()?.is_empty()
        {
            return Err(Failure::policy(
                "there is a spending policy, and this call could spend credits without it",
            )
            .hint("use the command for it: buy, accept, confirm, sell or edit"));
        }
        let mut query: Pairs = form_urlencoded::parse(query.as_bytes()).collect();
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // A reading call has no body.
        if self.method == Method::Get {
            query.extend(fields.clone().map(|(name, value)| (name.into(), value.into())));
        }
        let body = match &self.body {
            Some(body) => Some(json_flag::value("--body", body)?),
            None if self.method == Method::Get || self.fields.is_empty() => None,
            None => {
                let fields: serde_json::Map<String, Value> =
                    fields.map(|(name, value)| (name.to_owned(), value.into())).collect();
                Some(Value::from(fields).into())
            }
        };
        let options = self
            .headers
            .iter()
            .fold(CallOptions::new(), |options, (name, value)| options.header(name, value));
        let sender = sender(context, service, options)?;
        let send = |query: &Pairs| {
            let call = Call::new(self.method.into(), path.clone()).query(query);
            let call = match &body {
                Some(body) => call.body(body),
                None => call,
            };
            sender(call)
        };
        if self.paginate {
            return paginate::all(context, query, send);
        }
        let reply = send(&query)?;
        let document = reply.json::<Document>();
        if self.include {
            print_with_head(context, &reply, document.as_ref().ok())?;
        } else if let Ok(document) = &document {
            context.out.result(document, || json::indented(document).unwrap_or_default())?;
        }
        if !reply.is_success() {
            return Err(reply.error().into());
        }
        match document {
            // Whoever wants to see what came has seen it.
            Err(_) if self.include => Ok(()),
            document => document.map(drop).map_err(Failure::from),
        }
    }
}

/// Sends a call with the key of its service.
type Sender = dyn Fn(Call<Reply>) -> Result<Reply, Failure>;

/// Creates what sends calls to a service. Some endpoints need no key; the others say so.
fn sender(
    context: &Context,
    service: Service,
    options: CallOptions,
) -> Result<Box<Sender>, Failure> {
    Ok(match service {
        Service::MachineId => {
            let (builder, key) = (context.machineid_without_key()?, context.org_key()?);
            let has_key = key.is_some();
            let builder = key.into_iter().fold(builder, machineid_client::ClientBuilder::org_key);
            let client = builder.build_blocking()?.with(options);
            Box::new(move |call| {
                Ok(client.send(if has_key { client.authenticate(call) } else { call })?)
            })
        }
        Service::Owner => {
            let (builder, token) = (context.machins_without_key()?, context.owner_token()?);
            let has_token = token.is_some();
            let builder =
                token.into_iter().fold(builder, machins_client::ClientBuilder::owner_token);
            let client = builder.build_blocking()?.with(options);
            Box::new(move |call| {
                Ok(client.send(if has_token {
                    client.authenticate_as_owner(call)
                } else {
                    call
                })?)
            })
        }
        Service::Machins => {
            let (builder, key) = (context.machins_without_key()?, context.api_key()?);
            let has_key = key.is_some();
            let builder = key.into_iter().fold(builder, machins_client::ClientBuilder::api_key);
            let client = builder.build_blocking()?.with(options);
            Box::new(move |call| {
                Ok(client.send(if has_key { client.authenticate(call) } else { call })?)
            })
        }
    })
}

/// Prints a reply with its status and headers.
fn print_with_head(
    context: &Context,
    reply: &Reply,
    document: Option<&Document>,
) -> Result<(), Failure> {
    let headers: Vec<(&str, Cow<'_, str>)> = reply
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let body = String::from_utf8_lossy(reply.body());
    let as_json = || {
        let headers: Extra =
            headers.iter().map(|(name, value)| (*name, Value::from(value.as_ref()))).collect();
        let fields: [(&str, Document); 3] = [
            ("status", reply.status().into()),
            ("headers", headers.into()),
            ("body", document.cloned().unwrap_or_else(|| body.as_ref().into())),
        ];
        fields.into_iter().collect::<Extra>()
    };
    context.out.result(&as_json(), || {
        let mut text = format!("HTTP {}\n", reply.status());
        for (name, value) in &headers {
            // Writing to a string never fails.
            let _ = writeln!(text, "{name}: {}", clean(value));
        }
        text.push('\n');
        match document {
            Some(document) => text += &json::indented(document).unwrap_or_default(),
            None => text.extend(body.lines().flat_map(|line| [clean(line), "\n".into()])),
        }
        text
    })
}

/// Finds the service, unless it is chosen, and the path below its base URL. The base URL of machins
/// ends with `/api/v1`.
fn target(path: &str, chosen: Option<Service>) -> (Service, String) {
    let path = format!("/{}", path.trim_start_matches('/'));
    let is_machineid = MACHINEID.iter().any(|prefix| is_below(&path, prefix));
    if chosen == Some(Service::MachineId) || (chosen.is_none() && is_machineid) {
        return (Service::MachineId, path);
    }
    let below = path.strip_prefix(VERSION).filter(|_| is_below(&path, VERSION));
    let path = below.map_or_else(|| path.clone(), Into::into);
    let own = if is_below(&path, OWNERS) { Service::Owner } else { Service::Machins };
    (chosen.unwrap_or(own), path)
}

/// Whether a call that changes something may spend credits. Only what certainly does not is excepted.
fn may_spend(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let is_plain = |segment: &&str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !segment.is_empty() && segment.bytes().all(is_plain)
    };
    let spends_not = match segments.as_slice() {
        ["trades", _, action] => {
            ["reject", "cancel", "deliver", "dispute", "review"].contains(action)
        }
        ["inbox" | "subscriptions" | "agents" | "claim" | "owners", ..] => true,
        _ => false,
    };
    !(spends_not && segments.iter().all(is_plain))
}

/// Whether a path begins with these whole segments.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl From<Method> for machineid_client::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_spend_is_everything_but_what_is_known() {
        for path in [
            "/trades",
            "/trades/t1/accept",
            "/trades/t1/confirm",
            "/trades/t1/fulfill",
            "/listings",
            "/listings/l1",
            "/trade%73",
            "/trades/../trades/cancel",
            "/inbox/../trades",
            "//trades",
        ] {
            assert!(may_spend(path), "{path}");
        }
        for path in ["/trades/t1/cancel", "/trades/t1/review", "/inbox/ack", "/subscriptions"] {
            assert!(!may_spend(path), "{path}");
        }
    }

    #[test]
    fn paths_find_their_service() {
        for path in ["/api/v1/usage", "/api/v1/devices/list", "/api/v1/org/create"] {
            assert_eq!(target(path, None), (Service::MachineId, path.to_owned()), "{path}");
            assert_eq!(target(&path[1..], None), (Service::MachineId, path.to_owned()), "{path}");
        }
        assert_eq!(target("usage", None), (Service::Machins, "/usage".to_owned()));
        for path in ["/marketplace", "/trades/t1/accept", "/ownership"] {
            let expected = (Service::Machins, path.to_owned());
            assert_eq!(target(path, None), expected, "{path}");
            assert_eq!(target(&path[1..], None), expected, "{path}");
            assert_eq!(target(&format!("/api/v1{path}"), None), expected, "{path}");
        }
        assert_eq!(target("owners/me", None), (Service::Owner, "/owners/me".to_owned()));
    }

    #[test]
    fn a_service_that_is_chosen_gets_any_path() {
        let (machineid, machins) = (Some(Service::MachineId), Some(Service::Machins));
        let new = "/api/v1/policies";
        assert_eq!(target(new, machineid), (Service::MachineId, new.to_owned()));
        assert_eq!(target("api/v1/usage", machins), (Service::Machins, "/usage".to_owned()));
        assert_eq!(target("/owners/me", machins), (Service::Machins, "/owners/me".to_owned()));
        let owner = Some(Service::Owner);
        assert_eq!(target("/agents", owner), (Service::Owner, "/agents".to_owned()));
    }
}
