//! `machins api`: any endpoint.

use clap::{Args, ValueEnum};
use machineid_client::Call;
use machins_client::Document;

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
/// and prints the JSON reply. The path determines the API: paths of MachineID begin with
/// /api/v1, paths of machins are relative to its base URL.
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
        let target = target(path)?;
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let mut call = Call::new(self.method.into(), path.to_owned()).query(&query);
        if let Some(body) = self.body {
            call = call.body(&json_flag::value("--body", &body)?);
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

fn target(path: &str) -> Result<Target, Failure> {
    if MACHINEID.iter().any(|prefix| is_below(path, prefix)) {
        return Ok(Target::MachineId);
    }
    if let Some(rest) = path.strip_prefix(VERSION).filter(|_| is_below(path, VERSION)) {
        return Err(Failure::usage(format!(
            "no API has the path {path:?}; those of MachineID begin with {}",
            MACHINEID.join(", ")
        ))
        .hint(format!("paths of machins are relative to its base URL: {rest}")));
    }
    match path {
        path if !path.starts_with('/') => {
            Err(Failure::usage(format!("a path must begin with /, and {path:?} does not")))
        }
        path if is_below(path, OWNERS) => Ok(Target::Owner),
        _ => Ok(Target::Machins),
    }
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
    fn paths_find_their_api() {
        for path in ["/api/v1/usage", "/api/v1/devices/list", "/api/v1/org/create"] {
            assert_eq!(target(path).unwrap(), Target::MachineId, "{path}");
        }
        for path in ["/marketplace", "/trades/t1/accept", "/usage", "/ownership"] {
            assert_eq!(target(path).unwrap(), Target::Machins, "{path}");
        }
        assert_eq!(target("/owners/me").unwrap(), Target::Owner);
        for path in ["/api/v1/marketplace", "/api/v1/usages", "api/v1/usage", ""] {
            assert!(target(path).is_err(), "{path}");
        }
    }
}
