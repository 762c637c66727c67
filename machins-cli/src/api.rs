//! `machins api`: any endpoint.

use machineid_client::{Call, Method};
use serde_json::Value;

use crate::args::{self, Api};
use crate::context::Context;
use crate::error::Failure;
use crate::{json, json_flag};

/// What the paths of MachineID begin with. All others are relative to the base URL of machins,
/// where none begins like this.
const MACHINEID: [&str; 4] = ["/api/v1/devices", "/api/v1/usage", "/api/v1/org", "/api/v1/billing"];
const VERSION: &str = "/api/v1";
/// What the owner's token opens, and not the agent's key.
const OWNERS: &str = "/owners";

/// `machins api`.
pub(crate) fn run(context: &Context, api: Api) -> Result<(), Failure> {
    let (path, query) = api.path.split_once('?').unwrap_or((&api.path, ""));
    let api_of_path = api_of(path)?;
    let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let mut call = Call::new(method(api.method), path.to_owned()).query(&query);
    if let Some(body) = api.body {
        call = call.body(&json_flag::value("--body", &body)?);
    }
    // Some endpoints need no key; the others say so.
    let reply = match api_of_path {
        Kind::MachineId => {
            let builder = context.machineid_without_key()?;
            match context.org_key()? {
                Some(key) => {
                    let client = builder.org_key(key).build_blocking()?;
                    client.send(client.with_key(call))?
                }
                None => builder.build_blocking()?.send(call)?,
            }
        }
        Kind::Owner => {
            let builder = context.machins_without_key()?;
            match context.owner_token()? {
                Some(token) => {
                    let client = builder.owner_token(token).build_blocking()?;
                    client.send(client.with_owner_token(call))?
                }
                None => builder.build_blocking()?.send(call)?,
            }
        }
        Kind::Machins => {
            let builder = context.machins_without_key()?;
            match context.api_key()? {
                Some(key) => {
                    let client = builder.api_key(key).build_blocking()?;
                    client.send(client.with_key(call))?
                }
                None => builder.build_blocking()?.send(call)?,
            }
        }
    };
    let document = reply.json::<Value>();
    if let Ok(document) = &document {
        context.out.result(document, || json::indented(document).unwrap_or_default())?;
    }
    if !reply.is_success() {
        return Err(reply.error().into());
    }
    document.map(drop).map_err(Failure::from)
}

/// Which API a path belongs to, and which key opens it.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    MachineId,
    Machins,
    Owner,
}

fn api_of(path: &str) -> Result<Kind, Failure> {
    if MACHINEID.iter().any(|prefix| is_below(path, prefix)) {
        return Ok(Kind::MachineId);
    }
    if let Some(rest) = path.strip_prefix(VERSION).filter(|_| is_below(path, VERSION)) {
        return Err(Failure::usage(format!(
            "no API has the path {path:?}; those of MachineID begin with {}",
            MACHINEID.join(", ")
        ))
        .hint(format!("paths of machins go on from its base URL: {rest}")));
    }
    match path {
        path if !path.starts_with('/') => {
            Err(Failure::usage(format!("a path begins with /, and {path:?} does not")))
        }
        path if is_below(path, OWNERS) => Ok(Kind::Owner),
        _ => Ok(Kind::Machins),
    }
}

/// The whole of the first segments, not just their beginning.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn method(method: args::Method) -> Method {
    match method {
        args::Method::Get => Method::GET,
        args::Method::Post => Method::POST,
        args::Method::Put => Method::PUT,
        args::Method::Patch => Method::PATCH,
        args::Method::Delete => Method::DELETE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_api() {
        for path in ["/api/v1/usage", "/api/v1/devices/list", "/api/v1/org/create"] {
            assert_eq!(api_of(path).unwrap(), Kind::MachineId, "{path}");
        }
        for path in ["/marketplace", "/trades/t1/accept", "/usage", "/ownership"] {
            assert_eq!(api_of(path).unwrap(), Kind::Machins, "{path}");
        }
        assert_eq!(api_of("/owners/me").unwrap(), Kind::Owner);
        for path in ["/api/v1/marketplace", "/api/v1/usages", "api/v1/usage", ""] {
            assert!(api_of(path).is_err(), "{path}");
        }
    }
}
