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
        let mut curl =
            format!("curl -X {} {}", self.method, quoted(&(self.url.to_owned() + self.path)));
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
        let Self { url, method, path, .. } = self;
        let urls = format!("--base-url {url}/api/v1 --machineid-url {url}");
        let mut command = format!("machins {urls} api {method} {}", quoted(path));
        if let Some(body) = self.body {
            let _ = write!(command, " --body {}", quoted(body));
        }
        command
    }

    pub(super) fn as_rust(&self) -> String {
        let is_machineid = key(self.path).is_some_and(|(header, _)| header == "x-org-key");
        let path = if is_machineid {
            self.path
        } else {
            // Paths of machins are relative to its base URL, which ends with /api/v1.
            self.path.strip_prefix("/api/v1").unwrap_or(self.path)
        };
        let (krate, setup) = if is_machineid {
            (
                "machineid_client",
                format!(
                    ".org_key(std::env::var(\"MACHINEID_ORG_KEY\")?)\n    .base_url(\"{}\")",
                    self.url
                ),
            )
        } else {
            (
                "machins_client",
                format!(
                    ".api_key(std::env::var(\"MACHINS_API_KEY\")?)\n    .base_url(\"{}/api/v1\")",
                    self.url
                ),
            )
        };
        let mut call = format!("Call::new(Method::{}, {path:?})", self.method);
        if let Some(body) = self.body {
            let _ = write!(
                call,
                "\n        .body(&serde_json::from_str::<serde_json::Value>({body:?})?)"
            );
        }
        format!(
            "use {krate}::{{Call, Client, Method}};\n\nlet client = Client::builder()\n    \
             {setup}\n    .build()?;\nlet reply = client\n    .send({call})\n    .await?;"
        )
    }
}

#[cfg(test)]
mod tests {
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
}
