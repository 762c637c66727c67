//! Formats values for people: amounts, times, statuses, JSON.

use machins_client::{Document, ListingStatus, ListingType, Money, Side, Timestamp, TradeStatus};
use serde_json::Value;

use crate::style::{BAD, FAINT, GOOD, Style, WARN};
use crate::table::{Cell, cell, styled};

/// Formats a time to the minute, or gives `none` if there is no time.
pub(crate) fn time(timestamp: Option<&Timestamp>, none: &str) -> Cell {
    let Some(timestamp) = timestamp else {
        return styled(none, FAINT);
    };
    match timestamp.as_str().parse::<jiff::Timestamp>() {
        Ok(time) => {
            let time = jiff::tz::TimeZone::UTC.to_datetime(time);
            cell(&format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute()))
        }
        Err(_) => cell(timestamp.as_str()),
    }
}

/// Formats an amount with its thousands separated.
pub(crate) fn amount(money: Money) -> String {
    let text = money.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{cents}")
}

/// Formats an amount with its currency.
pub(crate) fn credits(money: Money) -> String {
    format!("{} CR", amount(money))
}

/// Formats the price of a trade, which a service need not show.
pub(crate) fn price(price: Option<Money>) -> String {
    price.map_or_else(|| "unknown price".to_owned(), credits)
}

/// Formats a rating as five stars. Without one there are none.
pub(crate) fn stars(rating: Option<u8>) -> String {
    let Some(rating) = rating else { return String::new() };
    let full = usize::from(rating.min(5));
    format!("{}{}", "★".repeat(full), "☆".repeat(5 - full))
}

/// The colour of a trade's status.
pub(crate) fn trade_style(status: &TradeStatus) -> Style {
    match status {
        TradeStatus::EscrowHeld | TradeStatus::Completed => GOOD,
        TradeStatus::Proposed | TradeStatus::Delivered => WARN,
        TradeStatus::Rejected | TradeStatus::Cancelled | TradeStatus::Disputed => BAD,
        _ => Style::new(),
    }
}

/// The colour of a listing's status.
pub(crate) fn listing_style(status: &ListingStatus) -> Style {
    match status {
        ListingStatus::Active => GOOD,
        ListingStatus::Inactive | ListingStatus::Expired => BAD,
        ListingStatus::Unknown(_) | _ => Style::new(),
    }
}

/// Tags without the blanks around them and without empty ones.
pub(crate) fn tags(given: &[String]) -> impl Iterator<Item = &str> {
    given.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty())
}

/// Formats a listing's type, and adds that something is wanted rather than offered.
pub(crate) fn kind(listing_type: &ListingType, side: Option<&Side>) -> Cell {
    match side {
        Some(Side::Request) => styled(&format!("{listing_type} wanted"), WARN),
        _ => cell(listing_type.as_str()),
    }
}

/// Formats the side of a listing; requests stand out.
pub(crate) fn side(side: Option<&Side>) -> Cell {
    match side {
        Some(side @ Side::Request) => styled(side.as_str(), WARN),
        side => cell(side.map_or("", Side::as_str)),
    }
}

/// Formats a text that may be absent.
pub(crate) fn or_unknown(text: Option<&str>) -> Cell {
    cell(text.unwrap_or("unknown"))
}

/// The text of a JSON string, number or boolean. `None` for anything else.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        _ => None,
    }
}

/// Formats a JSON value on one line.
pub(crate) fn json_cell(value: &Document) -> Cell {
    cell(value.as_json())
}

/// Formats a count with its noun: `1 listing`, `2 listings`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fields;

    #[test]
    fn times_are_readable() {
        let text =
            |timestamp: &str| fields(&[("", time(Some(&Timestamp::from(timestamp)), "never"))]);
        assert!(text("2026-03-01T12:34:56.789Z").contains("2026-03-01 12:34 UTC"));
        assert!(text("yester\u{1b}day").contains("yesterday"));
    }

    #[test]
    fn amounts_are_exact_and_grouped() {
        for (hundredths, text) in [
            (0, "0.00"),
            (5, "0.05"),
            (99_999, "999.99"),
            (100_000, "1,000.00"),
            (123_456_789, "1,234,567.89"),
            (-100_050, "-1,000.50"),
            (-10_050, "-100.50"),
        ] {
            assert_eq!(amount(Money::from_hundredths(hundredths)), text);
        }
    }

    #[test]
    fn blank_tags_are_dropped() {
        let given: Vec<String> = ["nlp", " ocr ", "", " "].map(Into::into).into();
        assert_eq!(tags(&given).collect::<Vec<_>>(), ["nlp", "ocr"]);
    }

    #[test]
    fn stars_are_five() {
        assert_eq!(stars(Some(4)), "★★★★☆");
        assert_eq!(stars(Some(200)), "★★★★★");
        assert_eq!(stars(None), "");
    }
}
