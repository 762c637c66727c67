//! Amounts, moments and states as people read them.

use machins_client::{ListingStatus, Money, Timestamp, TradeStatus};

use crate::output::{BAD, FAINT, GOOD, Style, WARN};
use crate::table::{Cell, cell, styled};

/// A moment to the minute, or what to say when there is none.
pub(crate) fn moment(timestamp: Option<&Timestamp>, none: &str) -> Cell {
    let Some(timestamp) = timestamp else {
        return styled(none, FAINT);
    };
    match timestamp.as_str().parse::<jiff::Timestamp>() {
        Ok(time) => cell(&time.strftime("%Y-%m-%d %H:%M UTC").to_string()),
        Err(_) => cell(timestamp.as_str()),
    }
}

/// An amount of credits, its thousands set apart.
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

/// An amount with its currency.
pub(crate) fn credits(money: Money) -> String {
    format!("{} CR", amount(money))
}

/// One to five stars.
pub(crate) fn stars(rating: u8) -> String {
    let full = usize::from(rating.min(5));
    format!("{}{}", "★".repeat(full), "☆".repeat(5 - full))
}

/// The colour of a trade's state.
pub(crate) fn trade_style(status: &TradeStatus) -> Style {
    match status {
        TradeStatus::EscrowHeld | TradeStatus::Completed => GOOD,
        TradeStatus::Proposed | TradeStatus::Delivered => WARN,
        TradeStatus::Rejected | TradeStatus::Cancelled | TradeStatus::Disputed => BAD,
        _ => Style::new(),
    }
}

/// The colour of a listing's state.
pub(crate) fn listing_style(status: &ListingStatus) -> Style {
    match status {
        ListingStatus::Active => GOOD,
        ListingStatus::Inactive | ListingStatus::Expired => BAD,
        ListingStatus::Unknown(_) | _ => Style::new(),
    }
}

/// `1 listing`, `2 listings`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fields;

    #[test]
    fn moments_are_readable() {
        let text =
            |timestamp: &str| fields(&[("", moment(Some(&Timestamp::from(timestamp)), "never"))]);
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
    fn stars_are_five() {
        assert_eq!(stars(4), "★★★★☆");
        assert_eq!(stars(200), "★★★★★");
    }
}
