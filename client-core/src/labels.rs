//! What the headers of a reply say about it.

use std::time::{Duration, SystemTime};

use reqwest::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER,
    TRANSFER_ENCODING,
};

/// The header with the request id, for replies whose body has none.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer id is ignored.
const REQUEST_ID_BYTES: usize = 200;

/// What the headers of a reply say about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) is_json: bool,
    pub(crate) is_from_cache: bool,
    pub(crate) has_two_lengths: bool,
}

impl Labels {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        Self {
            request_id: request_id.filter(|id| id.len() <= REQUEST_ID_BYTES).map(str::to_owned),
            retry_after: retry_after(headers),
            is_json: is_json(headers),
            is_from_cache: !all_are(headers, AGE, is_zero),
            has_two_lengths: headers.contains_key(CONTENT_LENGTH)
                && headers.contains_key(TRANSFER_ENCODING),
        }
    }
}

/// Reads `Retry-After`: seconds or a date. A date is relative to the reply's own `Date`, so that a
/// wrong clock on either side does no harm.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let now = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or_else(SystemTime::now);
    Some(at.duration_since(now).unwrap_or_default())
}

/// Whether no header contradicts that the body is plain JSON in UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    all_are(headers, CONTENT_TYPE, is_json_type)
        && all_are(headers, CONTENT_ENCODING, |value| value.eq_ignore_ascii_case("identity"))
}

fn is_json_type(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

fn is_zero(age: &str) -> bool {
    !age.is_empty() && age.bytes().all(|digit| digit == b'0')
}

/// Whether every header of this name has a value like that. A value that is not text has none.
fn all_are(headers: &HeaderMap, name: HeaderName, is_like_that: impl Fn(&str) -> bool) -> bool {
    let mut values = headers.get_all(name).iter();
    values.all(|value| value.to_str().is_ok_and(|value| is_like_that(value.trim())))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, "7")])), Some(Duration::from_secs(7)));
        let date = headers(&[
            (RETRY_AFTER, "Wed, 21 Oct 2026 07:28:30 GMT"),
            (DATE, "Wed, 21 Oct 2026 07:28:00 GMT"),
        ]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(30)));
        let past = headers(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:28:00 GMT")]);
        assert_eq!(retry_after(&past), Some(Duration::ZERO));
    }

    #[rstest]
    #[case::word("soon")]
    #[case::negative("-1")]
    #[case::float("1e3")]
    #[case::empty("")]
    #[case::overflow("99999999999999999999999")]
    fn a_malformed_retry_after_is_ignored(#[case] value: &str) {
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, value)])), None);
    }

    #[rstest]
    #[case::bare("application/json", true)]
    #[case::utf_8("Application/JSON; charset=utf-8", true)]
    #[case::quoted("application/json;x=y;Charset=\"UTF-8\"", true)]
    #[case::latin_1("application/json; charset=iso-8859-1", false)]
    #[case::utf_16("application/json; x=y; CHARSET=utf-16", false)]
    #[case::two("application/json; charset=utf-8; charset=utf-7", false)]
    #[case::none_named("application/json; charset", false)]
    #[case::html("text/html; charset=utf-8", false)]
    fn json_is_in_utf_8(#[case] value: &str, #[case] expected: bool) {
        assert_eq!(is_json(&headers(&[(CONTENT_TYPE, value)])), expected);
    }

    #[rstest]
    #[case::none(&[], false)]
    #[case::zero(&["0"], false)]
    #[case::one(&["1"], true)]
    #[case::years(&["800000000"], true)]
    #[case::negative(&["-1"], true)]
    #[case::word(&["old"], true)]
    #[case::empty(&[""], true)]
    #[case::the_second(&["0", "5"], true)]
    #[case::a_list(&["0, 5"], true)]
    fn any_age_but_zero_is_that_of_a_cache(#[case] ages: &[&str], #[case] expected: bool) {
        let pairs: Vec<_> = ages.iter().map(|age| (AGE, *age)).collect();
        assert_eq!(Labels::read(&headers(&pairs)).is_from_cache, expected);
    }
}
