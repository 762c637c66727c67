//! Reading a message: what kind it is, its id, its method, the name of the tool and that of the client,
//! and nothing else.
//!
//! A message that two readers could understand differently is refused, because the gate could then
//! allow one thing and the server do another. Every key of every object is looked at for that; the
//! bytes themselves are passed on as they are.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use memchr::memchr;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// The largest integer that every reader takes for the same number: 2^53 − 1.
const MAX_EXACT: i64 = (1 << 53) - 1;

/// The longest id, in bytes.
const MAX_ID: usize = 1024;

/// The longest name of a method or tool, in bytes.
const MAX_NAME: usize = 4096;

/// The method with which a session begins, before revision 2026-07-28.
pub(crate) const INITIALIZE: &str = "initialize";

/// The method whose calls are asked about.
const TOOL_CALL: &str = "tools/call";

/// The member of `_meta` in which a request describes its client, since revision 2026-07-28.
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

/// The id of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Number(i64),
    Text(String),
}

impl Id {
    /// The id as it is looked up. `1` and `"1"` are the same: some programs answer one with the other.
    pub(crate) fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

/// A message that has one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A request for anything but a tool call.
    Request { id: Id, method: String },
    /// An `initialize` request, with the name of the client.
    Initialize { id: Id, client: Option<String> },
    /// A `tools/call` request, with the name of the client if the request states it.
    ToolCall { id: Id, tool: String, client: Option<String> },
    /// A notification.
    Notification { method: String },
    /// A response. The id is `None` if the sender could not read that of the request.
    Response { id: Option<Id> },
}

/// Why a message is not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    /// The id of the request or response, if it has one that is beyond doubt.
    pub(crate) id: Option<Id>,
    /// Whether the message is a response.
    pub(crate) is_response: bool,
}

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), id: None, is_response: false }
    }
}

impl Message {
    /// Reads a whole message.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(Refusal::new("it begins with a byte order mark"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Refusal::new("it is not UTF-8"));
        };
        match text.trim_ascii_start().bytes().next() {
            Some(b'{') => {}
            Some(b'[') => return Err(Refusal::new("it is a batch")),
            _ => return Err(Refusal::new("it is not a JSON object")),
        }
        let read = serde_json::from_str::<Envelope<'_>>(text)
            .map_err(|error| error.to_string())
            .and_then(Envelope::message);
        read.map_err(|reason| Refusal::with_id(reason, text))
    }

    /// Returns the id, if it is a request.
    #[cfg(feature = "http")]
    pub(crate) fn id(&self) -> Option<&Id> {
        match self {
            Self::Request { id, .. } | Self::Initialize { id, .. } | Self::ToolCall { id, .. } => {
                Some(id)
            }
            Self::Notification { .. } | Self::Response { .. } => None,
        }
    }
}

impl Refusal {
    /// Adds the id if the message is an object with one id, whatever else is wrong with it.
    fn with_id(reason: String, text: &str) -> Self {
        #[derive(Deserialize)]
        struct OnlyId {
            id: Option<Id>,
            method: Option<IgnoredAny>,
        }

        match serde_json::from_str::<OnlyId>(text) {
            Ok(OnlyId { id, method }) => Self { reason, id, is_response: method.is_none() },
            Err(_) => Self::new(reason),
        }
    }
}

/// What is read of a message.
#[derive(Default)]
struct Envelope<'a> {
    has_version: bool,
    id: Option<Id>,
    has_null_id: bool,
    method: Option<Cow<'a, str>>,
    params: Params<'a>,
    outcome: Option<Outcome>,
}

/// Which members of a response a message has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Result,
    Error,
    Both,
}

#[derive(Default)]
struct Params<'a> {
    /// The member `name`, if it is a string.
    name: Option<Cow<'a, str>>,
    /// The name in the member `clientInfo`.
    client: Option<Cow<'a, str>>,
    /// The name of the client in the member `_meta`.
    client_of_meta: Option<Cow<'a, str>>,
    /// Whether a member is called almost `name`, which some readers take for it.
    has_similar: bool,
}

impl Envelope<'_> {
    fn message(self) -> Result<Message, String> {
        if !self.has_version {
            return Err("it is not JSON-RPC 2.0".to_owned());
        }
        let Some(method) = self.method else {
            return match (self.outcome, self.id) {
                (Some(Outcome::Both), _) => Err("it has both a result and an error".to_owned()),
                (None, _) => Err("it has no method, result or error".to_owned()),
                (Some(Outcome::Result), None) => Err("it is a result without an id".to_owned()),
                (Some(Outcome::Result | Outcome::Error), id) => Ok(Message::Response { id }),
            };
        };
        if self.outcome.is_some() {
            return Err("it has both a method and a result or error".to_owned());
        }
        if method.len() > MAX_NAME {
            return Err("its method is too long".to_owned());
        }
        if self.has_null_id {
            return Err("its id is null".to_owned());
        }
        match (&*method, self.id) {
            (TOOL_CALL, Some(id)) => match self.params {
                Params { has_similar: true, .. } => {
                    Err("a key of its parameters is called almost \"name\"".to_owned())
                }
                Params { name: Some(tool), client_of_meta, .. } if tool.len() <= MAX_NAME => {
                    let client = client_of_meta.map(Cow::into_owned);
                    Ok(Message::ToolCall { id, tool: tool.into_owned(), client })
                }
                Params { name: Some(_), .. } => Err("its tool's name is too long".to_owned()),
                _ => Err("it names no tool".to_owned()),
            },
            (TOOL_CALL, None) => Err("it is a tool call without an id".to_owned()),
            (other, _) if other.trim().eq_ignore_ascii_case(TOOL_CALL) => {
                Err("its method is almost \"tools/call\"".to_owned())
            }
            (INITIALIZE, Some(id)) => {
                Ok(Message::Initialize { id, client: self.params.client.map(Cow::into_owned) })
            }
            (_, Some(id)) => Ok(Message::Request { id, method: method.into_owned() }),
            (_, None) => Ok(Message::Notification { method: method.into_owned() }),
        }
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut envelope = Envelope::default();
                let mut keys = Keys::default();
                while let Some(Text(key)) = map.next_key()? {
                    match &*key {
                        "jsonrpc" => {
                            let Text(version) = map.next_value()?;
                            envelope.has_version = version == "2.0";
                        }
                        "id" => {
                            envelope.id = map.next_value()?;
                            envelope.has_null_id = envelope.id.is_none();
                        }
                        "method" => {
                            let Text(method) = map.next_value()?;
                            envelope.method = Some(method);
                        }
                        "params" => envelope.params = map.next_value()?,
                        "result" | "error" => {
                            envelope.outcome = Some(match (&*key, envelope.outcome) {
                                (_, Some(_)) => Outcome::Both,
                                ("result", None) => Outcome::Result,
                                (_, None) => Outcome::Error,
                            });
                            map.next_value::<Checked>()?;
                        }
                        other => {
                            let members = ["jsonrpc", "id", "method", "params", "result", "error"];
                            if members.iter().any(|member| is_similar(other, member)) {
                                return Err(A::Error::custom(
                                    "a key is called almost like a member",
                                ));
                            }
                            map.next_value::<Checked>()?;
                        }
                    }
                    keys.add(key)?;
                }
                Ok(envelope)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl<'de> Deserialize<'de> for Params<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Params<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut params = Params::default();
                let mut keys = Keys::default();
                while let Some(Text(key)) = map.next_key()? {
                    match &*key {
                        "name" => params.name = map.next_value::<MaybeText<'de>>()?.0,
                        "clientInfo" => params.client = map.next_value_seed(At(&["name"]))?.text,
                        "_meta" => {
                            let name = At(&[CLIENT_INFO, "name"]);
                            params.client_of_meta = map.next_value_seed(name)?.text;
                        }
                        other => {
                            params.has_similar |= is_similar(other, "name");
                            map.next_value::<Checked>()?;
                        }
                    }
                    keys.add(key)?;
                }
                Ok(params)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                At(&[]).visit_seq(seq).map(|_| Params::default())
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Params::default())
            }
        }

        deserializer.deserialize_any(Members)
    }
}

/// Whether a reader that ignores case, or copies objects carelessly, takes the key for this member.
fn is_similar(key: &str, member: &str) -> bool {
    if key.is_ascii() {
        return key == "__proto__" || key.eq_ignore_ascii_case(member);
    }
    let folded = key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    key.len() <= 2 * MAX_ID && folded.eq(member.chars())
}

/// The keys of an object so far.
#[derive(Default)]
struct Keys<'a> {
    first: Vec<Cow<'a, str>>,
    more: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// Up to how many keys are compared one by one.
    const FEW: usize = 16;

    fn add<E: serde::de::Error>(&mut self, key: Cow<'a, str>) -> Result<(), E> {
        let is_known = self.first.contains(&key) || self.more.contains(&key);
        if is_known {
            return Err(E::custom("a key occurs twice in an object"));
        }
        if self.first.len() < Self::FEW {
            self.first.push(key);
        } else {
            self.more.insert(key);
        }
        Ok(())
    }
}

/// A string that is read, without NUL.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Content;

        impl<'de> Visitor<'de> for Content {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: serde::de::Error>(
                self,
                text: &'de str,
            ) -> Result<Self::Value, E> {
                without_nul(text)?;
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                without_nul(text)?;
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Content)
    }
}

fn without_nul<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if memchr(0, text.as_bytes()).is_some() {
        return Err(E::custom("a key or name contains NUL"));
    }
    Ok(())
}

/// Anything, of which only a string is read.
struct MaybeText<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for MaybeText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(At(&[]))?;
        if let Some(text) = &value.text {
            without_nul(text)?;
        }
        Ok(Self(value.text))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value { text, number } = deserializer.deserialize_any(At(&[]))?;
        match (text, number) {
            (Some(text), _) if text.len() > MAX_ID => Err(D::Error::custom("the id is too long")),
            (Some(text), _) => {
                without_nul(&text)?;
                if is_other_integer(&text) {
                    return Err(D::Error::custom("some readers take the id for a number"));
                }
                Ok(Self::Text(text.into_owned()))
            }
            (None, Some(number)) if number.abs() <= MAX_EXACT => Ok(Self::Number(number)),
            _ => Err(D::Error::custom("the id is not a string or an exact integer")),
        }
    }
}

/// Whether a reader takes the text for an integer that is usually written otherwise, so that it could
/// be the id of another request. Python takes digits of any script, with a sign, zeros, underscores, and
/// spaces around them.
fn is_other_integer(text: &str) -> bool {
    let is_around = |c: char| c.is_whitespace() || c.is_control();
    let digits = text.trim_matches(is_around).trim_start_matches(['+', '-']);
    let is_integer =
        digits.starts_with(char::is_numeric) && digits.chars().all(|c| c.is_numeric() || c == '_');
    let usual = text.strip_prefix('-').unwrap_or(text);
    let is_usual =
        text == "0" || usual.bytes().all(|byte| byte.is_ascii_digit()) && !usual.starts_with('0');
    is_integer && !is_usual
}

/// Any value in which no object has a key twice, and no string a lone surrogate.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(At(&[])).map(|_| Self)
    }
}

/// What a value is, if it is a string or an integer.
#[derive(Default)]
struct Value<'a> {
    text: Option<Cow<'a, str>>,
    number: Option<i64>,
}

/// Checks a value as [`Checked`] does, and reads the member at this path.
struct At(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for At {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::default())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value { number: Some(number), text: None })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value { number: i64::try_from(number).ok(), text: None })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::default())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value { text: self.0.is_empty().then_some(Cow::Borrowed(text)), number: None })
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        // No name or id is longer than the beginning, which is long enough to be seen to be too long.
        let beginning = &text[..text.floor_char_boundary(MAX_NAME + 4)];
        let text = self.0.is_empty().then(|| Cow::Owned(beginning.to_owned()));
        Ok(Value { text, number: None })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<Checked>()?.is_some() {}
        Ok(Value::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Keys::default();
        let mut found = Value::default();
        while let Some(Text(key)) = map.next_key()? {
            match self.0.split_first() {
                Some((first, rest)) if key == *first => found = map.next_value_seed(At(rest))?,
                _ => {
                    map.next_value::<Checked>()?;
                }
            }
            keys.add(key)?;
        }
        Ok(found)
    }
}
