//! Keys with which a command can be given again: `--once KEY`.

use std::time::SystemTime;

use machins_client::blocking::Client;
use machins_client::{Error, ErrorKind, IntentKind, ListingId};

use crate::error::Failure;
use crate::lookup;

/// The listing that a key has bought from, if the user names it by a part of its id. It may have left
/// the marketplace since.
pub(crate) fn listing(client: &Client, key: &str, given: &str) -> Result<Option<ListingId>, Error> {
    let Some(intent) = client.get_intent(key)? else { return Ok(None) };
    let id = intent.listing_id().filter(|_| intent.kind() == IntentKind::Trade);
    Ok(id.filter(|id| lookup::is_beginning(given, id.as_str())).cloned())
}

/// Converts an error, and says what to do if the outcome of the call is unknown.
pub(crate) fn failure(key: &str, error: Error) -> Failure {
    let hint = format!("give the same command again: it is still one for the key {key:?}");
    Failure::with_hint_for(error, ErrorKind::OutcomeUnknown, &hint)
}

/// Whether a key may have been made by [`new_key`].
pub(crate) fn is_new_key(what: &str, key: &str) -> bool {
    let numbers = key.strip_prefix(what).unwrap_or_default();
    numbers.matches('-').count() == 2
        && numbers.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
}

/// A key that is used for nothing else on this machine.
pub(crate) fn new_key(what: &str) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{what}-{}-{}", std::process::id(), since.as_nanos())
}
