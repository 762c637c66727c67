//! `machins api`: any endpoint.

use std::io::{self, Read};

use machineid_client::{Call, Method};
use serde_json::Value;

use crate::args::{self, Api};
use crate::context::Context;
use crate::error::Failure;
use crate::json;

/// What the paths of MachineID begin with.
const MACHINEID: [&str; 4] = ["/api/v1/devices", "/api/v1/usage", "/api/v1/org", "/api/v1/billing"];

/// `machins api`.
pub(crate) fn run(context: &Context, api: Api) -> Result<(), Failure> {
    if !is_machineid(&api.path) {
        return Err(Failure::usage(format!(
            "no API has the path {:?}; those of MachineID begin with {}",
            api.path,
            MACHINEID.join(", ")
        )));
    }
    let mut call = Call::new(method(api.method), api.path);
    if let Some(body) = api.body {
        call = call.body(&parse(&body)?);
    }
    let builder = context.machineid_without_key()?;
    let client = match context.org_key()? {
        Some(key) => {
            let client = builder.org_key(key).build_blocking()?;
            call = client.with_key(call);
            client
        }
        // Some endpoints need none; the others say so.
        None => builder.build_blocking()?,
    };
    let reply = client.send(call)?;
    let document = reply.json::<Value>();
    if let Ok(document) = &document {
        context.out.result(document, || json::indented(document).unwrap_or_default())?;
    }
    if !reply.is_success() {
        return Err(reply.error().into());
    }
    document.map(drop).map_err(Failure::from)
}

/// The whole of the first segments, not just their beginning.
fn is_machineid(path: &str) -> bool {
    MACHINEID.iter().any(|prefix| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn parse(body: &str) -> Result<Value, Failure> {
    let mut text = body.to_owned();
    if body == "-" {
        text.clear();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::local("could not read stdin", error))?;
    }
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("--body is not JSON: {error}")))
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
            assert!(is_machineid(path), "{path}");
        }
        for path in ["/api/v1/marketplace", "/api/v1/usages", "/usage", "api/v1/usage", ""] {
            assert!(!is_machineid(path), "{path}");
        }
    }
}
