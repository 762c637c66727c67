//! The Date header, which shows the virtual time.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use http::header::{DATE, HeaderMap};

use crate::clock::Time;

thread_local! {
    /// The last value, and its second.
    static LAST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// Sets the Date header to a time that is not the real one, to which the HTTP library sets it.
pub(super) fn set_date(headers: &mut HeaderMap, now: Option<Time>) {
    let Some(now) = now else {
        return;
    };
    // HTTP knows no time before 1970.
    let second = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let value = LAST.with_borrow_mut(|last| match last {
        Some((at, value)) if *at == second => Some(value.clone()),
        _ => {
            let value = format(second)?;
            *last = Some((second, value.clone()));
            Some(value)
        }
    });
    if let Some(value) = value {
        headers.insert(DATE, value);
    }
}

/// Returns a time as HTTP writes it; `None` after the year 9999.
fn format(second: u64) -> Option<HeaderValue> {
    const YEAR_10000: u64 = 253_402_300_800;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(second))?;
    let text = (second < YEAR_10000).then(|| httpdate::fmt_http_date(time))?;
    HeaderValue::from_str(&text).ok()
}
