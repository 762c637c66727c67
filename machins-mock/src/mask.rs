//! Taking secrets out of texts that are shown.

use std::borrow::Cow;

/// The beginnings of secrets: org keys, API keys, and JSON Web Tokens, which begin with the base64
/// of `{"`.
const PREFIXES: [&str; 3] = ["org_", "at_", "eyJ"];

/// The part of a path that is followed by a claim token.
const CLAIM: &str = "/claim/";

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
            match prefix.filter(|prefix| token.len() > prefix.len()) {
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

/// Returns whether the value of a JSON field of this name is a secret.
pub(crate) fn is_secret_field(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// Returns whether the value of a header of this name is a secret, whatever it looks like.
pub(crate) fn is_secret_header(name: &str) -> bool {
    matches!(name, "x-org-key" | "x-api-key" | "authorization" | "cookie" | "proxy-authorization")
}

/// Returns the value of a secret header that can be shown: the prefix that it begins with.
pub(crate) fn mask_header(value: &str) -> String {
    let (scheme, key) = value.split_once(' ').map_or(("", value), |(scheme, key)| (scheme, key));
    let prefix = PREFIXES.into_iter().find(|prefix| key.starts_with(prefix)).unwrap_or_default();
    if scheme.is_empty() { format!("{prefix}…") } else { format!("{scheme} {prefix}…") }
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
    #[case::not_ascii("é org_x é", "é org_… é")]
    fn secrets_are_cut_off(#[case] text: &str, #[case] masked: &str) {
        assert_eq!(mask(text), masked);
    }

    #[rstest]
    #[case::bearer("Bearer eyJabc", "Bearer eyJ…")]
    #[case::key("org_abc", "org_…")]
    #[case::anything("hunter2", "…")]
    fn secret_headers_are_cut_off(#[case] value: &str, #[case] masked: &str) {
        assert_eq!(mask_header(value), masked);
    }
}
