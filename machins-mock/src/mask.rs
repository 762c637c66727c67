//! Taking secrets out of texts that are shown.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::key_headers::{API_KEY, ORG_KEY};
use crate::raw_json::{RawJson, depth};
use crate::search::contains;

/// The beginnings of secrets: org keys, API keys, and JSON Web Tokens, which begin with the base64
/// of `{"`.
const PREFIXES: [&str; 3] = ["org_", "at_", "eyJ"];

/// Words of the APIs that begin like a secret.
const WORDS: [&str; 5] = ["org_not_found", "org_disabled", "org_create", "org_key", "at_cap"];

/// The schemes of authorization that are shown.
const SCHEMES: [&str; 2] = ["Bearer", "Basic"];

/// The part of a path that is followed by a claim token.
const CLAIM: &str = "/claim/";

/// How deep JSON may be nested to be shown as JSON: other parsers refuse what is deeper.
const MAX_DEPTH: usize = 100;

/// What the names of secrets end with, in lower case.
const SECRET_NAMES: [&str; 6] =
    ["password", "passwd", "secret", "token", "credentials", "signing_key"];

/// What stands in the place of a secret.
pub(crate) const HIDDEN: &str = "…";

/// Returns a text that can be shown: what looks like a key or a token is cut off after its prefix.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    if !text.contains(CLAIM) && !PREFIXES.iter().any(|prefix| text.contains(prefix)) {
        return text.into();
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if is_token(next) {
            let end = rest.find(|next| !is_token(next)).unwrap_or(rest.len());
            let (token, after) = rest.split_at(end);
            let escape = if masked.ends_with('\\') { escape_length(token) } else { 0 };
            let (escape, token) = token.split_at(escape);
            masked.push_str(escape);
            let prefix = PREFIXES.into_iter().find(|prefix| token.starts_with(prefix));
            let is_secret = |prefix: &&str| token.len() > prefix.len() && !WORDS.contains(&token);
            match prefix.filter(is_secret) {
                _ if masked.ends_with(CLAIM) => masked.push_str(HIDDEN),
                Some(prefix) => {
                    masked.push_str(prefix);
                    masked.push_str(HIDDEN);
                }
                None => masked.push_str(token),
            }
            rest = after;
        } else {
            masked.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    masked.into()
}

/// Returns how much of a text after a backslash belongs to an escape of JSON, in bytes.
fn escape_length(text: &str) -> usize {
    match text.as_bytes() {
        [b'u', digits @ ..] if digits.iter().take(4).all(u8::is_ascii_hexdigit) => {
            text.len().min(5)
        }
        [b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
        _ => 0,
    }
}

/// Returns whether the value of a field or a parameter of this name is a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.trim_end_matches(']').to_ascii_lowercase();
    SECRET_NAMES.iter().any(|end| name.ends_with(end))
}

/// Returns whether the value of a field at this path is a secret, or a part of one.
pub(crate) fn is_secret_field(path: &str) -> bool {
    path.split(['.', '[']).any(is_secret_name)
}

/// Returns the value of a parameter that can be shown.
pub(crate) fn mask_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_secret_name(name) && !value.is_empty() { HIDDEN.into() } else { mask(value) }
}

/// Returns a query or a form that can be shown: as it was sent, but for its secrets.
fn mask_form(form: &str) -> String {
    let parts = form.split('&').map(|part| {
        let (raw_name, raw_value) = part.split_once('=').unwrap_or((part, ""));
        let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else {
            return part.to_owned();
        };
        let shown = |raw: &str, plain: &str, masked: Cow<'_, str>| {
            if masked == plain { raw.to_owned() } else { masked.into_owned() }
        };
        let shown_name = shown(raw_name, &name, mask(&name));
        if raw_name.len() == part.len() {
            return shown_name;
        }
        format!("{shown_name}={}", shown(raw_value, &value, mask_value(&name, &value)))
    });
    parts.collect::<Vec<_>>().join("&")
}

/// Returns a path that can be shown, with its query if it has one.
pub(crate) fn mask_target(target: &str) -> String {
    match target.split_once('?') {
        Some((path, query)) => format!("{}?{}", mask(path), mask_form(query)),
        None => mask(target).into_owned(),
    }
}

/// Returns a JSON text that can be shown; `None` if it is not JSON, or nested too deeply.
pub(crate) fn mask_json(text: &str) -> Option<RawJson> {
    let json: &RawValue = serde_json::from_str(text).ok().filter(|_| depth(text) <= MAX_DEPTH)?;
    let json = json.get();
    let masked = if json.contains('\\') || may_name_secret(json) {
        mask_strings(json)?
    } else {
        mask(json).into_owned()
    };
    RawJson::from_text(masked)
}

/// Returns a text of no known form that can be shown. Nothing of it is if it may contain a secret of
/// which nobody can tell where it ends.
pub(crate) fn mask_text(text: &str) -> Cow<'_, str> {
    let is_form = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\{}".contains(&byte);
    if text.contains('=') && text.bytes().all(is_form) {
        mask_form(text).into()
    } else if may_name_secret(text) {
        HIDDEN.into()
    } else {
        mask(text)
    }
}

/// Returns whether a text may contain the name of a secret, spelt with escapes or not.
fn may_name_secret(text: &str) -> bool {
    text.contains("\\u") || SECRET_NAMES.iter().any(|name| contains(text.as_bytes(), name))
}

/// Masks all strings of a JSON text, and replaces the values of secret fields, at any depth.
/// Everything else stays as it was written.
fn mask_strings(json: &str) -> Option<String> {
    let mut masked = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        masked.push_str(&rest[..start]);
        let (string, after) = split_value(&rest[start..])?;
        rest = after;
        // Half a character can be written in JSON, but not read.
        let text = serde_json::from_str::<String>(string).ok();
        match text.as_deref().map(|text| (text, mask(text))) {
            Some((text, shown)) if text == shown => masked.push_str(string),
            Some((_, shown)) => masked.push_str(&serde_json::to_string(&shown).ok()?),
            None => masked.push_str(HIDDEN_JSON),
        }
        let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
        if let Some(value) = value.filter(|_| text.as_deref().is_none_or(is_secret_name)) {
            masked.push_str(&rest[..rest.len() - value.len()]);
            let (value, after) = split_value(value)?;
            masked.push_str(if value == "null" { value } else { HIDDEN_JSON });
            rest = after;
        }
    }
    masked.push_str(rest);
    Some(masked)
}

/// What stands in JSON in the place of a secret.
const HIDDEN_JSON: &str = "\"…\"";

/// Splits a JSON text after the first value.
fn split_value(json: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<&RawValue>();
    values.next()?.ok()?;
    Some(json.split_at(values.byte_offset()))
}

/// Returns whether a text is a key that a test may choose: the prefix, and only characters of which
/// masked keys consist.
pub(crate) fn is_chosen_key(text: &str, prefix: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.strip_prefix(prefix)
        .is_some_and(|rest| (1..=128).contains(&rest.len()) && rest.bytes().all(allowed))
}

/// Returns whether the value of a header of this name is a secret, whatever it looks like.
pub(crate) fn is_secret_header(name: &str) -> bool {
    name == ORG_KEY.as_str()
        || name == API_KEY.as_str()
        || matches!(name, "authorization" | "cookie" | "proxy-authorization")
        || is_secret_name(name)
}

/// Returns the value of a secret header that can be shown: its scheme, and the prefix that the key
/// begins with.
pub(crate) fn mask_header(value: &str) -> String {
    let is_scheme = |scheme: &&str| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let scheme = value.split(' ').next().filter(is_scheme).filter(|scheme| *scheme != value);
    let key = scheme.map_or(value, |scheme| value[scheme.len()..].trim_start());
    let prefix = PREFIXES.into_iter().find(|prefix| key.starts_with(prefix)).unwrap_or_default();
    match scheme {
        Some(scheme) => format!("{scheme} {prefix}{HIDDEN}"),
        None => format!("{prefix}{HIDDEN}"),
    }
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_-.".contains(character)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::path("/api/v1/orgs/org_abc/at_x.y/eyJhbG.a-b_c", "/api/v1/orgs/org_…/at_…/eyJ…")]
    #[case::claim("/claim/anything?x=1", "/claim/…?x=1")]
    #[case::json(r#"{"api_key":"at_123","org":"org_"}"#, r#"{"api_key":"at_…","org":"org_"}"#)]
    #[case::inside_a_word("created_at_noon format", "created_at_noon format")]
    #[case::nothing("/api/v1/usage", "/api/v1/usage")]
    #[case::words("org_not_found at_cap org_not_found2", "org_not_found at_cap org_…")]
    #[case::not_ascii("é org_x é", "é org_… é")]
    #[case::escaped(
        r#"{"a":"\norg_x","b":"\tat_x\u000aeyJx",}"#,
        r#"{"a":"\norg_…","b":"\tat_…\u000aeyJ…",}"#
    )]
    #[case::folder(r"C:\org_x\é", r"C:\org_…\é")]
    fn secrets_are_cut_off(#[case] text: &str, #[case] masked: &str) {
        assert_eq!(mask(text), masked);
    }

    #[rstest]
    #[case::password(r#"{"email":"a@b","password":"x"}"#, r#"{"email":"a@b","password":"…"}"#)]
    #[case::deep(r#"[{"a":{"secret":["x"]}}]"#, r#"[{"a":{"secret":"…"}}]"#)]
    #[case::key(r#"{"n":1.50,"k":"org_x"}"#, r#"{"n":1.50,"k":"org_…"}"#)]
    #[case::nothing(r#"{"secret":null}"#, r#"{"secret":null}"#)]
    #[case::escaped_name(r#"{"p\u0061ssword":"x"}"#, r#"{"p\u0061ssword":"…"}"#)]
    #[case::escaped_key(r#"["\norg_x", "\u0061t_x"]"#, r#"["\norg_…", "at_…"]"#)]
    #[case::escaped_claim(r#"["\/claim\/x"]"#, r#"["/claim/…"]"#)]
    #[case::any_case(r#"{"Password" : ["x"], "n": 1}"#, r#"{"Password" : "…", "n": 1}"#)]
    #[case::longer_name(
        r#"{"new_password":1,"clientSecret":2}"#,
        r#"{"new_password":"…","clientSecret":"…"}"#
    )]
    #[case::key_as_a_name(r#"{"org_x":"y","at_\u0078":2}"#, r#"{"org_…":"y","at_…":2}"#)]
    #[case::twice(r#"{"password":"x","password":"y"}"#, r#"{"password":"…","password":"…"}"#)]
    #[case::as_a_value(r#"["password","x"]"#, r#"["password","x"]"#)]
    #[case::half_a_character(r#"{"\ud800":"\ud800"}"#, r#"{"…":"…"}"#)]
    fn secret_fields_are_replaced(#[case] json: &str, #[case] masked: &str) {
        assert_eq!(mask_json(json).unwrap().as_str(), masked);
    }

    #[rstest]
    #[case::bearer("Bearer eyJabc", "Bearer eyJ…")]
    #[case::key("org_abc", "org_…")]
    #[case::anything("hunter2", "…")]
    #[case::any_case("bearer  org_abc", "bearer org_…")]
    #[case::basic("BASIC aHVudGVyMg==", "BASIC …")]
    #[case::scheme_alone("Bearer", "…")]
    #[case::cookies("session=abc; theme=dark", "…")]
    #[case::key_with_space("at_first second", "at_…")]
    #[case::unknown_scheme("hunter2 Bearer x", "…")]
    fn secret_headers_are_cut_off(#[case] value: &str, #[case] masked: &str) {
        assert_eq!(mask_header(value), masked);
    }
}
