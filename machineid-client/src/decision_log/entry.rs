//! The lines of a decision log, and their hashes.

use std::ops::Range;

use agent_client_core::{Timestamp, is_printable, printable};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::decision_code::DecisionCode;
use crate::device_id::DeviceId;

/// The hash before the first line of a log.
pub(super) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What each line begins with, where any time may stand for this one.
const BEGINNING: &[u8] = br#"{"time":"2026-03-01T12:00:00.000000Z","device":"#;
const TIME: Range<usize> = 9..36;
/// The length of what [`begins_like_a_line`] looks at.
pub(super) const BEGINNING_LENGTH: u64 = BEGINNING.len() as u64;
/// The longest line that is read, in bytes. Those that are written have less than 16 KiB.
pub(super) const MAX_LINE: u64 = 64 * 1024;

/// How many characters of a call's arguments are written.
const MAX_ARGUMENTS: usize = 2000;

const HASH_FIELD: &str = r#","hash":""#;
const END: &str = r#""}"#;

/// A decision that is to be written to a [`DecisionLog`](super::DecisionLog).
///
/// ```
/// use machineid_client::decision_log::Record;
/// use machineid_client::{DecisionCode, DeviceId};
///
/// let device = DeviceId::new("agent-01")?;
/// let record = Record::new(Some(&device), &DecisionCode::DeviceRevoked, Some("req-1"), "ended");
/// assert!(!record.is_allowed());
/// # Ok::<(), machineid_client::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Record {
    device: Option<String>,
    allowed: bool,
    code: String,
    request_id: Option<String>,
    followed: String,
    tool: Option<String>,
    arguments: Option<String>,
}

impl Record {
    /// Creates the record of a decision about this device. `followed` is what the asker does because
    /// of it, for example `started` or `ended`.
    ///
    /// Text that came from the service is cut to 200 characters, and has a space in place of each
    /// character that could control a terminal.
    #[must_use]
    pub fn new(
        device: Option<&DeviceId>,
        code: &DecisionCode,
        request_id: Option<&str>,
        followed: &str,
    ) -> Self {
        Self {
            device: device.map(|device| printable(device.as_str())),
            allowed: *code == DecisionCode::Allow,
            code: printable(code.as_str()),
            request_id: request_id.map(printable),
            followed: printable(followed),
            tool: None,
            arguments: None,
        }
    }

    /// Adds the tool that was to be called, and its arguments if they are known: 2,000 characters of
    /// them at most, longer ones end in `…`. They are written as they are, passwords among them too.
    #[must_use]
    pub fn tool_call(mut self, tool: &str, arguments: Option<&str>) -> Self {
        self.tool = Some(printable(tool));
        self.arguments = arguments.map(beginning);
        self
    }

    /// Returns whether the decision is `ALLOW`.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }
}

/// The beginning of the arguments of a call, on one line.
fn beginning(arguments: &str) -> String {
    let mut chars = arguments.chars();
    let shown = |c| if is_printable(c) { c } else { ' ' };
    let mut text: String = chars.by_ref().take(MAX_ARGUMENTS).map(shown).collect();
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

/// A line of a decision log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// When the decision was written, by the clock of the machine that asked.
    pub time: Timestamp,
    /// The device that was asked about; `None` if a request named no valid one.
    pub device: Option<String>,
    /// Whether the device was allowed to run.
    pub allowed: bool,
    /// The service's decision code, or `SYSTEM_UNAVAILABLE` if there was no decision.
    pub code: String,
    /// The service's id of the request; `None` if there was no reply with one.
    pub request_id: Option<String>,
    /// Who asked, for example `gate`, `validate` or `guard`.
    pub asked_by: String,
    /// What the asker did because of the decision, for example `started`, `continued` or `ended`.
    pub followed: String,
    /// The tool that was to be called; `None` if the decision was not about a call, or if only the
    /// asker knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The beginning of the arguments of that call; `None` if they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// How many bytes of an unfinished line this line has taken the place of; `None` if there was
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded_bytes: Option<u64>,
    /// The hash of the line before, or 64 zeros in the first line of a log.
    pub previous_hash: String,
    /// The SHA-256 of the line up to this field.
    pub hash: String,
}

/// All of a line but its hash, in the order of [`Entry`].
#[derive(Serialize)]
struct Unhashed<'a> {
    time: &'a str,
    device: Option<&'a str>,
    allowed: bool,
    code: &'a str,
    request_id: Option<&'a str>,
    asked_by: &'a str,
    followed: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discarded_bytes: Option<u64>,
    previous_hash: &'a str,
}

/// What a line contains besides its record.
pub(super) struct Circumstances<'a> {
    pub(super) time: &'a str,
    pub(super) asked_by: &'a str,
    pub(super) discarded_bytes: Option<u64>,
    pub(super) previous_hash: &'a str,
}

/// Returns whether these bytes, which may be few, can be the beginning of a line.
pub(super) fn begins_like_a_line(bytes: &[u8]) -> bool {
    let mut pairs = bytes.iter().zip(BEGINNING).enumerate();
    pairs.all(|(at, (byte, expected))| TIME.contains(&at) || byte == expected)
}

/// Formats a line, without its line break. Returns it with its hash.
pub(super) fn format_line(
    record: &Record,
    circumstances: &Circumstances<'_>,
) -> serde_json::Result<(String, String)> {
    let mut line = serde_json::to_string(&Unhashed {
        time: circumstances.time,
        device: record.device.as_deref(),
        allowed: record.allowed,
        code: &record.code,
        request_id: record.request_id.as_deref(),
        asked_by: circumstances.asked_by,
        followed: &record.followed,
        tool: record.tool.as_deref(),
        arguments: record.arguments.as_deref(),
        discarded_bytes: circumstances.discarded_bytes,
        previous_hash: circumstances.previous_hash,
    })?;
    // The closing brace comes after the hash.
    line.pop();
    let hash = hash(&line);
    Ok((line + HASH_FIELD + &hash + END, hash))
}

impl Entry {
    /// Parses a line without its line break, or says why it is none. The hash is not checked.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        let entry: Self = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if !is_hash(&entry.hash) || !is_hash(&entry.previous_hash) {
            return Err("its hashes are not 64 hexadecimal digits".to_owned());
        }
        Ok(entry)
    }

    /// Returns whether `line`, from which this entry was parsed, has the hash that it states.
    pub(super) fn matches(&self, line: &[u8]) -> bool {
        std::str::from_utf8(line)
            .ok()
            .and_then(|line| {
                line.strip_suffix(END)?.strip_suffix(&self.hash)?.strip_suffix(HASH_FIELD)
            })
            .is_some_and(|hashed| hash(hashed) == self.hash)
    }
}

fn hash(text: &str) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digest = Sha256::digest(text.as_bytes());
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

fn is_hash(text: &str) -> bool {
    text.len() == NO_HASH.len()
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
