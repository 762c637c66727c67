//! `machins api`: any endpoint.

use std::borrow::Cow;

use clap::{Args, ValueEnum};
use machineid_client::Call;
use machins_client::Document;
use serde_json::Value;

use crate::context::Context;
use crate::error::Failure;
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
/// and prints the JSON reply. The path determines the API: /api/v1/devices, usage, org and billing
/// are MachineID, everything else is machins. The slash at its beginning may be left out.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  machins api GET '/marketplace?limit=5'\n  machins api GET /api/v1/usage\n  \
                        machins api POST /api/v1/devices/validate --body '{\"deviceId\":\"agent-01\"}'"
)]
pub(crate) struct Api {
    /// HTTP method: GET, POST, PUT, PATCH or DELETE
    #[arg(value_name = "METHOD", ignore_case = true)]
    method: Method,
    /// Path, for example /marketplace or /api/v1/usage
    #[arg(value_name = "PATH")]
    path: String,
    /// JSON body to send, or - to read it from stdin
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    body: Option<String>,
    /// Field of the JSON body, or with GET of the query; can be given several times. The value is
    /// text
    #[arg(short = 'f', long = "field", value_name = "K=V", value_parser = field)]
    #[arg(conflicts_with = "body")]
    fields: Vec<(String, String)>,
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it like title=Sentiment".into()),
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

impl Api {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let (target, path) = target(path);
        if target == Target::Machins
            && self.method != Method::Get
            && may_spend(&path)
            && !context.policies()?.is_empty()
        {
            return Err(Failure::policy(
                "there is a spending policy, and this call could spend credits without it",
            )
            .hint("use the command for it: buy, accept, confirm, sell or edit"));
        }
        let mut query: Vec<(Cow<'_, str>, Cow<'_, str>)> =
            form_urlencoded::parse(query.as_bytes()).collect();
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // A reading call has no body.
        if self.method == Method::Get {
            query.extend(fields.clone().map(|(name, value)| (name.into(), value.into())));
        }
        let mut call = Call::new(self.method.into(), path).query(&query);
        if let Some(body) = self.body {
            call = call.body(&json_flag::value("--body", &body)?);
        } else if self.method != Method::Get && !self.fields.is_empty() {
            let body: serde_json::Map<String, Value> =
                fields.map(|(name, value)| (name.to_owned(), value.into())).collect();
            call = call.body(&body);
        }
        // Some endpoints need no key; the others say so.
        let reply = match target {
            Target::MachineId => {
                let builder = context.machineid_without_key()?;
                match context.org_key()? {
                    Some(key) => {
                        let client = builder.org_key(key).build_blocking()?;
                        client.send(client.authenticate(call))?
                    }
                    None => builder.build_blocking()?.send(call)?,
                }
            }
            Target::Owner => {
                let builder = context.machins_without_key()?;
                match context.owner_token()? {
                    Some(token) => {
                        let client = builder.owner_token(token).build_blocking()?;
                        client.send(client.authenticate_as_owner(call))?
                    }
                    None => builder.build_blocking()?.send(call)?,
                }
            }
            Target::Machins => {
                let builder = context.machins_without_key()?;
                match context.api_key()? {
                    Some(key) => {
                        let client = builder.api_key(key).build_blocking()?;
                        client.send(client.authenticate(call))?
                    }
                    None => builder.build_blocking()?.send(call)?,
                }
            }
        };
        let document = reply.json::<Document>();
        if let Ok(document) = &document {
            context.out.result(document, || json::indented(document).unwrap_or_default())?;
        }
        if !reply.is_success() {
            return Err(reply.error().into());
        }
        document.map(drop).map_err(Failure::from)
    }
}

/// The API that a path belongs to, and the key that it needs.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    MachineId,
    Machins,
    Owner,
}

/// Finds the API, and the path below its base URL. The base URL of machins ends with `/api/v1`.
fn target(path: &str) -> (Target, String) {
    let path = format!("/{}", path.trim_start_matches('/'));
    if MACHINEID.iter().any(|prefix| is_below(&path, prefix)) {
        return (Target::MachineId, path);
    }
    let below = path.strip_prefix(VERSION).filter(|_| is_below(&path, VERSION));
    let path = below.map_or_else(|| path.clone(), Into::into);
    let target = if is_below(&path, OWNERS) { Target::Owner } else { Target::Machins };
    (target, path)
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
        ["inbox" | "subscriptions" | "agents" | "claim", ..] => true,
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
    fn paths_find_their_api() {
        for path in ["/api/v1/usage", "/api/v1/devices/list", "/api/v1/org/create"] {
            assert_eq!(target(path), (Target::MachineId, path.to_owned()), "{path}");
            assert_eq!(target(&path[1..]), (Target::MachineId, path.to_owned()), "{path}");
        }
        assert_eq!(target("usage"), (Target::Machins, "/usage".to_owned()));
        for path in ["/marketplace", "/trades/t1/accept", "/ownership"] {
            let expected = (Target::Machins, path.to_owned());
            assert_eq!(target(path), expected, "{path}");
            assert_eq!(target(&path[1..]), expected, "{path}");
            assert_eq!(target(&format!("/api/v1{path}")), expected, "{path}");
        }
        assert_eq!(target("owners/me"), (Target::Owner, "/owners/me".to_owned()));
    }
}
