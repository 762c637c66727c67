//! Taking secrets out of texts that are shown.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::raw_json::{RawJson, depth};

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

/// The names of JSON fields whose values are secrets.
const FIELDS: [&str; 6] =
    ["password", "secret", "access_token", "token", "credentials", "signing_key"];

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
            let prefix = PREFIXES.into_iter().find(|prefix| token.starts_with(prefix));
            let is_secret = |prefix: &&str| token.len() > prefix.len() && !WORDS.contains(&token);
            match prefix.filter(is_secret) {
                _ if masked.ends_with(CLAIM) => masked.push('…'),
                Some(prefix) => {
                    masked.push_str(prefix);
                    masked.push('…');
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

/// Returns a JSON text that can be shown; `None` if it is not JSON, or nested too deeply.
pub(crate) fn mask_json(text: &str) -> Option<RawJson> {
    let json: &RawValue = serde_json::from_str(text).ok().filter(|_| depth(text) <= MAX_DEPTH)?;
    if FIELDS.iter().any(|name| text.contains(name)) {
        let masked = mask_fields(json.get());
        return RawJson::from_text(mask(&masked).into_owned());
    }
    RawJson::from_text(mask(json.get()).into_owned())
}

/// Replaces the values of secret fields, at any depth.
fn mask_fields(json: &str) -> String {
    if json.starts_with('{') {
        let fields: IndexMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
        let fields = fields.iter().map(|(name, value)| {
            let value = match value.get() {
                "null" => "null".to_owned(),
                _ if FIELDS.contains(&&**name) => "\"…\"".to_owned(),
                value => mask_fields(value),
            };
            format!("{}:{value}", serde_json::Value::from(&**name))
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    } else if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        let items: Vec<_> = items.iter().map(|item| mask_fields(item.get())).collect();
        format!("[{}]", items.join(","))
    } else {
        json.to_owned()
    }
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
    matches!(name, "x-org-key" | "x-api-key" | "authorization" | "cookie" | "proxy-authorization")
}

/// Returns the value of a secret header that can be shown: its scheme, and the prefix that the key
/// begins with.
pub(crate) fn mask_header(value: &str) -> String {
    let is_scheme = |scheme: &&str| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let scheme = value.split(' ').next().filter(is_scheme).filter(|scheme| *scheme != value);
    let key = scheme.map_or(value, |scheme| value[scheme.len()..].trim_start());
    let prefix = PREFIXES.into_iter().find(|prefix| key.starts_with(prefix)).unwrap_or_default();
    match scheme {
        Some(scheme) => format!("{scheme} {prefix}…"),
        None => format!("{prefix}…"),
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
    fn secrets_are_cut_off(#[case] text: &str, #[case] masked: &str) {
        assert_eq!(mask(text), masked);
    }

    #[rstest]
    #[case::password(r#"{"email":"a@b","password":"x"}"#, r#"{"email":"a@b","password":"…"}"#)]
    #[case::deep(r#"[{"a":{"secret":["x"]}}]"#, r#"[{"a":{"secret":"…"}}]"#)]
    #[case::key(r#"{"n":1.50,"k":"org_x"}"#, r#"{"n":1.50,"k":"org_…"}"#)]
    #[case::nothing(r#"{"secret":null}"#, r#"{"secret":null}"#)]
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
