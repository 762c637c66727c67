//! Ids from their beginnings.

use machins_client::blocking::Client;
use machins_client::{ListingId, NotificationId, SubscriptionId, TradeId};

use crate::error::Failure;
use crate::progress::Progress;
use crate::{inbox, market, trades};

/// A shorter beginning is more likely a slip than a name.
const SHORTEST: usize = 6;
/// More candidates than this are not told one by one.
const TOLD: usize = 20;

/// What a beginning stands for among some ids.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    One(String),
    Many(Vec<String>),
    Nothing,
}

/// Whether a text has the form of a whole id: then there is nothing to look up.
fn is_whole(text: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => HYPHENS.contains(&at),
            byte => byte.is_ascii_hexdigit() && !HYPHENS.contains(&at),
        })
}

/// Whether a text can be the beginning of such an id, and so is not whole.
fn is_part(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The ids that begin like this. An id that is exactly this is meant whatever else begins so.
fn find(beginning: &str, ids: impl IntoIterator<Item = String>) -> Found {
    let mut matching = Vec::new();
    for id in ids {
        if id == beginning {
            return Found::One(id);
        }
        if id.starts_with(beginning) && !matching.contains(&id) {
            matching.push(id);
        }
    }
    match matching.len() {
        0 => Found::Nothing,
        1 => matching.pop().map_or(Found::Nothing, Found::One),
        _ => Found::Many(matching),
    }
}

/// The whole id that a user means.
fn resolve(
    what: &str,
    place: &str,
    given: &str,
    ids: impl FnOnce() -> Result<Vec<String>, Failure>,
) -> Result<String, Failure> {
    let given = given.trim();
    if is_whole(given) {
        return Ok(given.to_owned());
    }
    if given.chars().count() < SHORTEST {
        return Err(Failure::usage(format!(
            "{given:?} is too short for a {what}: give at least {SHORTEST} characters of its id"
        ))
        .hint(format!("{place} shows the ids")));
    }
    match find(given, ids()?) {
        Found::One(id) => Ok(id),
        // Of another form, it may be a whole id that the list does not show.
        Found::Nothing if !is_part(given) => Ok(given.to_owned()),
        Found::Nothing => Err(Failure::not_found(format!("no {what} here begins with {given:?}"))
            .hint(format!("{place} shows the ids"))),
        Found::Many(ids) => {
            let told: Vec<&str> = ids.iter().take(TOLD).map(String::as_str).collect();
            let rest = match ids.len() - told.len() {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            Err(Failure::usage(format!(
                "{given:?} is the beginning of {} {what}s: {}{rest}",
                ids.len(),
                told.join(", ")
            ))
            .hint("give more of the one you mean"))
        }
    }
}

/// A listing of anybody.
pub(crate) fn listing(
    client: &Client,
    progress: &Progress,
    given: &str,
) -> Result<ListingId, Failure> {
    check(given, ListingId::new)?;
    let ids = || market::ids(client, progress);
    let id = resolve("listing", "machins browse", given, ids)?;
    Ok(ListingId::new(&id)?)
}

/// A listing of the user's own.
pub(crate) fn own_listing(client: &Client, given: &str) -> Result<ListingId, Failure> {
    check(given, ListingId::new)?;
    let ids = || {
        let listings = client.list_listings()?;
        Ok(listings.into_iter().map(|listing| listing.id.to_string()).collect())
    };
    let id = resolve("listing of yours", "machins listings", given, ids)?;
    Ok(ListingId::new(&id)?)
}

/// A trade of the user's.
pub(crate) fn trade(client: &Client, progress: &Progress, given: &str) -> Result<TradeId, Failure> {
    check(given, TradeId::new)?;
    let ids = || trades::ids(client, progress);
    let id = resolve("trade", "machins trades", given, ids)?;
    Ok(TradeId::new(&id)?)
}

/// A webhook subscription of the user's.
pub(crate) fn subscription(client: &Client, given: &str) -> Result<SubscriptionId, Failure> {
    check(given, SubscriptionId::new)?;
    let ids = || {
        let subscriptions = client.list_subscriptions()?;
        Ok(subscriptions.into_iter().map(|subscription| subscription.id.to_string()).collect())
    };
    let id = resolve("subscription", "machins subscriptions", given, ids)?;
    Ok(SubscriptionId::new(&id)?)
}

/// Notifications in the user's inbox, which is read once at most.
pub(crate) fn notifications(
    client: &Client,
    progress: &Progress,
    given: &[String],
) -> Result<Vec<NotificationId>, Failure> {
    given.iter().try_for_each(|given| check(given, NotificationId::new))?;
    let mut known: Option<Vec<String>> = None;
    let mut ids = || {
        let ids = known.take().map_or_else(|| inbox::ids(client, progress), Ok)?;
        Ok(known.insert(ids).clone())
    };
    given
        .iter()
        .map(|given| {
            let id = resolve("notification", "machins inbox", given, &mut ids)?;
            Ok(NotificationId::new(&id)?)
        })
        .collect()
}

/// What can't be an id is said before anything is asked.
fn check<T>(
    given: &str,
    parse: impl FnOnce(&str) -> Result<T, machins_client::Error>,
) -> Result<(), Failure> {
    parse(given).map(drop).map_err(Failure::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    const ONE: &str = "3f2a9c10-1111-4111-8111-111111111111";
    const TWO: &str = "3f2a9c10-2222-4222-8222-222222222222";

    fn ids() -> Vec<String> {
        [ONE, TWO, "lst_x9y8z7w6", "lst_x9y8z7w67"].map(Into::into).into()
    }

    fn given(text: &str) -> Result<String, (Exit, String)> {
        resolve("trade", "machins trades", text, || Ok(ids()))
            .map_err(|failure| (failure.exit, failure.message().to_owned()))
    }

    #[test]
    fn a_unique_beginning_is_enough() {
        assert_eq!(given("3f2a9c10-2").as_deref(), Ok(TWO));
        assert_eq!(given(ONE).as_deref(), Ok(ONE));
        assert_eq!(given(" lst_x9y8z7w67 ").as_deref(), Ok("lst_x9y8z7w67"));
    }

    #[test]
    fn a_whole_id_is_meant_even_if_another_begins_so() {
        assert_eq!(given("lst_x9y8z7w6").as_deref(), Ok("lst_x9y8z7w6"));
    }

    #[test]
    fn several_are_all_named() {
        let (exit, message) = given("3f2a9c").unwrap_err();
        assert_eq!(exit, Exit::Usage);
        assert!(message.contains(ONE) && message.contains(TWO), "{message}");
    }

    #[test]
    fn too_little_and_nothing_are_told_apart() {
        assert_eq!(given("3f2a9").unwrap_err().0, Exit::Usage);
        assert_eq!(given("3f2a91").unwrap_err().0, Exit::Refused);
        assert_eq!(given("lst_elsewhere").as_deref(), Ok("lst_elsewhere"));
    }

    #[test]
    fn a_whole_id_needs_no_look() {
        let looked = || Err(Failure::refused("looked"));
        assert!(resolve("trade", "", ONE, looked).is_ok());
        let looked = || Err(Failure::refused("looked"));
        assert!(resolve("trade", "", &ONE[..35], looked).is_err());
    }
}
