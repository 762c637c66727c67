//! Finds whole ids by a unique prefix.

use machins_client::blocking::Client;
use machins_client::{
    Error, InboxQuery, ListingId, MarketplaceQuery, Notification, NotificationId, SubscriptionId,
    TradeId, TradeQuery,
};

use crate::error::Failure;
use crate::pages::{self, FULL};
use crate::progress::Progress;

/// A shorter beginning is more likely a typing error.
const SHORTEST: usize = 6;
/// At most so many candidates are named in an error.
const MOST_NAMED: usize = 20;

/// The ids that have a beginning.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    One(String),
    Many(Vec<String>),
    None,
}

/// Whether a text has the form of a whole id (a UUID), which need not be looked up.
fn is_whole(text: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => HYPHENS.contains(&at),
            byte => byte.is_ascii_hexdigit() && !HYPHENS.contains(&at),
        })
}

/// Whether a text can be the beginning of a UUID.
fn is_part(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether a user may mean this id.
pub(crate) fn is_beginning(given: &str, id: &str) -> bool {
    let given = given.trim();
    given.chars().count() >= SHORTEST && id.starts_with(given)
}

/// Finds the ids with this beginning. An id that equals it wins over longer ones.
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
        0 => Found::None,
        1 => matching.pop().map_or(Found::None, Found::One),
        _ => Found::Many(matching),
    }
}

/// Finds the id that a user means. `place` is the command that lists the ids.
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
            "{given:?} is too short: give at least {SHORTEST} characters of the id of a {what}"
        ))
        .hint(format!("to list the ids: {place}")));
    }
    match find(given, ids()?) {
        Found::One(id) => Ok(id),
        // Not part of a UUID: it may be a whole id of another form that the list does not show.
        Found::None if !is_part(given) => Ok(given.to_owned()),
        Found::None => {
            Err(Failure::not_found(format!("no {what} has an id that begins with {given:?}"))
                .hint(format!("to list the ids: {place}")))
        }
        Found::Many(ids) => {
            let named: Vec<&str> = ids.iter().take(MOST_NAMED).map(String::as_str).collect();
            let rest = match ids.len() - named.len() {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            Err(Failure::usage(format!(
                "{given:?} matches {} {what}s: {}{rest}",
                ids.len(),
                named.join(", ")
            ))
            .hint("give more characters of the id"))
        }
    }
}

/// Finds any listing on the marketplace.
pub(crate) fn listing(
    client: &Client,
    progress: &Progress,
    given: &str,
) -> Result<ListingId, Failure> {
    check(given, ListingId::new)?;
    let ids = || {
        let all = client.browse_all(&MarketplaceQuery::new().limit(FULL));
        ids(progress, "listing", all, |listing| listing.id.to_string())
    };
    let id = resolve("listing", "`machins browse`", given, ids)?;
    Ok(ListingId::new(&id)?)
}

/// Finds one of the user's own listings.
pub(crate) fn own_listing(client: &Client, given: &str) -> Result<ListingId, Failure> {
    check(given, ListingId::new)?;
    let ids = || {
        let listings = client.list_listings()?;
        Ok(listings.into_iter().map(|listing| listing.id.to_string()).collect())
    };
    let id = resolve("listing", "`machins listings`", given, ids)?;
    Ok(ListingId::new(&id)?)
}

/// Finds one of the user's trades.
pub(crate) fn trade(client: &Client, progress: &Progress, given: &str) -> Result<TradeId, Failure> {
    check(given, TradeId::new)?;
    let ids = || {
        let all = client.trades_all(&TradeQuery::new().limit(FULL));
        ids(progress, "trade", all, |trade| trade.id.to_string())
    };
    let id = resolve("trade", "`machins trades`", given, ids)?;
    Ok(TradeId::new(&id)?)
}

/// Finds one of the user's webhook subscriptions.
pub(crate) fn subscription(client: &Client, given: &str) -> Result<SubscriptionId, Failure> {
    check(given, SubscriptionId::new)?;
    let ids = || {
        let subscriptions = client.list_subscriptions()?;
        Ok(subscriptions.into_iter().map(|subscription| subscription.id.to_string()).collect())
    };
    let id = resolve("subscription", "`machins subscriptions`", given, ids)?;
    Ok(SubscriptionId::new(&id)?)
}

/// Finds notifications in the user's inbox, which is read at most once.
pub(crate) fn notifications(
    client: &Client,
    progress: &Progress,
    given: &[String],
) -> Result<Vec<NotificationId>, Failure> {
    given.iter().try_for_each(|given| check(given, NotificationId::new))?;
    let fetch = || {
        let all = client.inbox_all(&InboxQuery::new().limit(FULL));
        ids(progress, "notification", all, |notification| notification.id.to_string())
    };
    let mut known: Option<Vec<String>> = None;
    let mut ids = || {
        let ids = known.take().map_or_else(fetch, Ok)?;
        Ok(known.insert(ids).clone())
    };
    given
        .iter()
        .map(|given| {
            let id = resolve("notification", "`machins inbox`", given, &mut ids)?;
            Ok(NotificationId::new(&id)?)
        })
        .collect()
}

/// Finds a notification in the user's inbox.
pub(crate) fn notification(
    client: &Client,
    progress: &Progress,
    given: &str,
) -> Result<Notification, Failure> {
    check(given, NotificationId::new)?;
    let fetch = || {
        let all = client.inbox_all(&InboxQuery::new().limit(FULL));
        pages::collect(progress, "notification", all)
    };
    let mut all = None;
    let ids = || {
        let all = all.insert(fetch()?);
        Ok(all.iter().map(|notification| notification.id.to_string()).collect())
    };
    let id = resolve("notification", "`machins inbox`", given, ids)?;
    let all = all.map_or_else(fetch, Ok)?;
    let found = all.into_iter().find(|notification| notification.id.as_str() == id);
    found.ok_or_else(|| {
        Failure::not_found(format!("the inbox has no notification {id:?}"))
            .hint("to list the ids: `machins inbox`")
    })
}

/// The ids of all items of a list.
fn ids<I>(
    progress: &Progress,
    noun: &str,
    all: impl Iterator<Item = Result<I, Error>>,
    id: impl Fn(&I) -> String,
) -> Result<Vec<String>, Failure> {
    Ok(pages::collect(progress, noun, all)?.iter().map(id).collect())
}

/// Refuses a text that is no valid id before any request is made.
fn check<T>(given: &str, parse: impl FnOnce(&str) -> Result<T, Error>) -> Result<(), Failure> {
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
        resolve("trade", "`machins trades`", text, || Ok(ids()))
            .map_err(|failure| (failure.exit, failure.message().to_owned()))
    }

    #[test]
    fn a_unique_beginning_is_enough() {
        assert_eq!(given("3f2a9c10-2").as_deref(), Ok(TWO));
        assert_eq!(given(ONE).as_deref(), Ok(ONE));
        assert_eq!(given(" lst_x9y8z7w67 ").as_deref(), Ok("lst_x9y8z7w67"));
    }

    #[test]
    fn a_whole_id_wins_over_longer_ids() {
        assert_eq!(given("lst_x9y8z7w6").as_deref(), Ok("lst_x9y8z7w6"));
    }

    #[test]
    fn several_are_all_named() {
        let (exit, message) = given("3f2a9c").unwrap_err();
        assert_eq!(exit, Exit::Usage);
        assert!(message.contains(ONE) && message.contains(TWO), "{message}");
    }

    #[test]
    fn too_short_and_not_found_are_different_errors() {
        assert_eq!(given("3f2a9").unwrap_err().0, Exit::Usage);
        assert_eq!(given("3f2a91").unwrap_err().0, Exit::Refused);
        assert_eq!(given("lst_elsewhere").as_deref(), Ok("lst_elsewhere"));
    }

    #[test]
    fn a_whole_id_is_not_looked_up() {
        let looked = || Err(Failure::refused("looked"));
        assert!(resolve("trade", "", ONE, looked).is_ok());
        let looked = || Err(Failure::refused("looked"));
        assert!(resolve("trade", "", &ONE[..35], looked).is_err());
    }
}
