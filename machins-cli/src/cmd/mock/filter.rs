//! Which requests and webhooks are meant.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::Failure;
use crate::flags::seconds;
use crate::json_flag;

// Conditions on requests, in the words of the control API. A doc comment would replace the help of
// the commands.
#[derive(Debug, Default, Args, Serialize)]
pub(super) struct RequestFilter {
    /// HTTP method
    #[arg(long, value_name = "METHOD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Path, or a pattern: * within a segment, ** across segments
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Slug of the agent
    #[arg(long, value_name = "SLUG")]
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Device id in the body
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// HTTP status of the reply
    #[arg(long, value_name = "STATUS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

// Which part of a list is wanted. A doc comment would replace the help of the commands.
#[derive(Debug, Default, Args, Serialize)]
pub(super) struct Range {
    /// Only what came after this number
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

/// What to wait for.
#[derive(Debug, Args)]
pub(super) struct WaitOptions {
    /// Conditions as a JSON object, for headers, queries and bodies; - reads it from stdin
    #[arg(long = "match", value_name = "JSON", allow_hyphen_values = true)]
    conditions: Option<String>,
    /// How many must match; those that came before count
    #[arg(long, value_name = "N", default_value = "1")]
    count: u64,
    /// Only what came after this number
    #[arg(long, value_name = "N", default_value = "0")]
    since: u64,
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    within: std::time::Duration,
}

impl WaitOptions {
    /// How long to wait.
    pub(super) fn within(&self) -> std::time::Duration {
        self.within
    }

    /// Returns the body of the call, with conditions of flags, too.
    pub(super) fn body(self, flags: &impl Serialize) -> Result<Value, Failure> {
        let mut conditions = match &self.conditions {
            Some(text) => object("--match", text)?,
            None => Map::new(),
        };
        if let Ok(Value::Object(flags)) = serde_json::to_value(flags) {
            conditions.extend(flags);
        }
        let millis = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        Ok(json!({
            "match": conditions, "count": self.count, "since": self.since, "timeout_ms": millis,
        }))
    }
}

fn object(flag: &str, text: &str) -> Result<Map<String, Value>, Failure> {
    let object = json_flag::object(flag, text)?;
    match serde_json::to_value(object) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Failure::usage(format!("{flag} must be a JSON object"))),
    }
}
