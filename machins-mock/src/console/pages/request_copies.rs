//! A request as a command or as Rust, to be sent again.
//!
//! Keys are masked in what the control API shows, so the copies take them from the environment.

use std::fmt::Write as _;

/// A request to be copied.
pub(super) struct Copied<'a> {
    /// The URL of the world.
    pub(super) url: &'a str,
    pub(super) method: &'a str,
    /// The path with its query.
    pub(super) path: &'a str,
    pub(super) body: Option<&'a str>,
}

/// The key that a request carries.
fn key(path: &str) -> Option<(&'static str, &'static str)> {
    let resource = path.strip_prefix("/api/v1/")?.split(['/', '?']).next()?;
    match resource {
        "devices" | "usage" | "billing" => Some(("x-org-key", "$MACHINEID_ORG_KEY")),
        "listings" | "trades" | "wallets" | "inbox" | "subscriptions" => {
            Some(("X-API-Key", "$MACHINS_API_KEY"))
        }
        _ => None,
    }
}

/// Quotes a text for a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-=".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

impl Copied<'_> {
    pub(super) fn as_curl(&self) -> String {
        let address = quoted(&(self.url.to_owned() + self.path));
        let mut curl = match self.method {
            // With -X, curl would wait for a body.
            "HEAD" => format!("curl -I {address}"),
            method => format!("curl -X {} {address}", quoted(method)),
        };
        if let Some((header, variable)) = key(self.path) {
            let _ = write!(curl, " \\\n  -H \"{header}: {variable}\"");
        }
        if let Some(body) = self.body {
            let _ = write!(
                curl,
                " \\\n  -H 'Content-Type: application/json' \\\n  -d {}",
                quoted(body)
            );
        }
        curl
    }

    pub(super) fn as_machins(&self) -> String {
        let (base_url, url) = (quoted(&format!("{}/api/v1", self.url)), quoted(self.url));
        let (method, path) = (quoted(self.method), quoted(self.path));
        let mut command =
            format!("machins --base-url {base_url} --machineid-url {url} api {method} {path}");
        if let Some(body) = self.body {
            let _ = write!(command, " --body {}", quoted(body));
        }
        command
    }

    pub(super) fn as_rust(&self) -> String {
        let (service, root) = match self.path.strip_prefix("/api/v1/") {
            Some(rest) if MACHINEID.iter().any(|part| rest.starts_with(part)) => {
                (Service::MachineId, "")
            }
            Some(_) => (Service::Machins, "/api/v1"),
            None => (Service::Machins, ""),
        };
        // Paths of machins are relative to its base URL, which ends with /api/v1.
        let path = self.path.strip_prefix(root).unwrap_or(self.path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (module, key, set_key, variable) = match service {
            Service::MachineId => ("machineid_client", "OrgKey", "org_key", "MACHINEID_ORG_KEY"),
            Service::Machins => ("machins_client", "ApiKey", "api_key", "MACHINS_API_KEY"),
        };
        let is_keyed = self::key(self.path).is_some();
        let url = format!("{}{root}", self.url);
        let mut rust = String::new();
        let import = if is_keyed { format!(", {key}") } else { String::new() };
        let _ = writeln!(rust, "use {module}::{{Call, Client, Method{import}}};\n");
        let _ = writeln!(rust, "let client = Client::builder()");
        if is_keyed {
            let _ = writeln!(rust, "    .{set_key}({key}::new(&std::env::var({variable:?})?)?)");
        }
        let _ = writeln!(rust, "    .base_url({url:?})\n    .build()?;");
        let method = match self.method {
            "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" | "TRACE"
            | "CONNECT" => format!("Method::{}", self.method),
            other => format!("Method::from_bytes({other:?}.as_bytes())?"),
        };
        let _ = write!(rust, "let call = Call::new({method}, {path:?})");
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let _ = write!(rust, "\n    .query(&[({name:?}, {value:?})])");
        }
        if let Some(body) = self.body {
            let _ =
                write!(rust, "\n    .body(&serde_json::from_str::<serde_json::Value>({body:?})?)");
        }
        let call = if is_keyed { "client.authenticate(call)" } else { "call" };
        let _ = write!(rust, ";\nlet reply = client.send({call}).await?;");
        rust
    }
}

/// The service that a request is for.
enum Service {
    MachineId,
    Machins,
}

/// The beginnings of MachineID's paths.
const MACHINEID: [&str; 4] = ["devices", "usage", "org", "billing"];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_sent() {
        let body = r#"{"deviceId":"it's"}"#;
        let copied = Copied {
            url: "http://127.0.0.1:1",
            method: "POST",
            path: "/api/v1/devices/validate",
            body: Some(body),
        };
        assert!(copied.as_curl().ends_with(r#"-d '{"deviceId":"it'\''s"}'"#));
        assert!(copied.as_curl().contains("-H \"x-org-key: $MACHINEID_ORG_KEY\""));
        assert!(copied.as_machins().contains(" api POST /api/v1/devices/validate --body "));
    }

    #[test]
    fn a_shell_runs_nothing_of_a_method_or_an_address() {
        let copied = Copied {
            url: "http://127.0.0.1:1",
            method: "A`id`&B|C'D$E",
            path: "/a?b=$(id)&c=d",
            body: None,
        };
        let (method, path) = (r"'A`id`&B|C'\''D$E'", "a?b=$(id)&c=d'");
        assert_eq!(copied.as_curl(), format!("curl -X {method} 'http://127.0.0.1:1/{path}"));
        assert!(copied.as_machins().ends_with(&format!(" api {method} '/{path}")));
        let copied = Copied { method: "HEAD", ..copied };
        assert!(copied.as_curl().starts_with("curl -I 'http"));
    }

    #[rstest]
    #[case::known("PATCH", "Method::PATCH")]
    #[case::extension("PURGE", "Method::from_bytes(\"PURGE\".as_bytes())?")]
    #[case::other_case("get", "Method::from_bytes(\"get\".as_bytes())?")]
    fn rust_knows_any_method(#[case] method: &str, #[case] rust: &str) {
        let copied = Copied { url: "http://127.0.0.1:1", method, path: "/a", body: None };
        let expected = format!("let call = Call::new({rust}, \"/a\");\n");
        assert!(copied.as_rust().contains(&expected), "{}", copied.as_rust());
        assert!(copied.as_rust().contains(".base_url(\"http://127.0.0.1:1\")"));
    }

    #[test]
    fn rust_calls_are_written_as_the_clients_take_them() {
        let copied = Copied {
            url: "http://127.0.0.1:1",
            method: "POST",
            path: "/api/v1/devices/validate",
            body: Some(r#"{"deviceId":"a"}"#),
        };
        let expected = r#"use machineid_client::{Call, Client, Method, OrgKey};

let client = Client::builder()
    .org_key(OrgKey::new(&std::env::var("MACHINEID_ORG_KEY")?)?)
    .base_url("http://127.0.0.1:1")
    .build()?;
let call = Call::new(Method::POST, "/api/v1/devices/validate")
    .body(&serde_json::from_str::<serde_json::Value>("{\"deviceId\":\"a\"}")?);
let reply = client.send(client.authenticate(call)).await?;"#;
        assert_eq!(copied.as_rust(), expected);
        let public =
            Copied { method: "GET", path: "/api/v1/marketplace?limit=5", body: None, ..copied };
        let expected = r#"use machins_client::{Call, Client, Method};

let client = Client::builder()
    .base_url("http://127.0.0.1:1/api/v1")
    .build()?;
let call = Call::new(Method::GET, "/marketplace")
    .query(&[("limit", "5")]);
let reply = client.send(call).await?;"#;
        assert_eq!(public.as_rust(), expected);
    }
}
