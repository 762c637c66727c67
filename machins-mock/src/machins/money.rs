//! Amounts of credits: whole hundredths, exact from the JSON text to the ledger.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount of credits in hundredths; in JSON text with two decimals, such as `"45.00"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Money(i64);

/// The text is not an amount with at most two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount of credits must be a number with at most two decimals")]
pub(crate) struct InvalidMoney;

/// The maximum length of the text of an amount, and the maximum number of digits of an amount in
/// hundredths.
const MAX_TEXT: usize = 64;
const MAX_DIGITS: usize = 15;

impl Money {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    pub(crate) const fn credits(whole: i64) -> Self {
        Self(whole.saturating_mul(100))
    }

    pub(crate) const fn whole_credits(self) -> i64 {
        self.0 / 100
    }

    pub(crate) const fn is_negative(self) -> bool {
        self.0 < 0
    }

    // Amounts are bounded where they come in (prices, credits, stored worlds), so that no sum of
    // them comes near the ends of an i64.

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    pub(crate) const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    pub(crate) const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Returns this percentage of a positive amount, rounded half up to the hundredth.
    pub(crate) const fn percent(self, percent: i64) -> Self {
        Self((self.0.saturating_mul(percent).saturating_add(50)) / 100)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let hundredths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// Reads a decimal number as JSON writes it, including exponents, without going through binary
/// fractions.
impl FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        if text.len() > MAX_TEXT {
            return Err(InvalidMoney);
        }
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i16>().map_err(|_| InvalidMoney)?)
            }
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return Err(InvalidMoney),
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let digits = format!("{whole}{fraction}");
        if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidMoney);
        }
        let significant = digits.trim_end_matches('0');
        let zeros = digits.len() - significant.len();
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        // The value is `significant` × 10^shift hundredths.
        let index = |n: usize| i64::try_from(n).map_err(|_| InvalidMoney);
        let shift = 2 + i64::from(exponent) + index(zeros)? - index(fraction.len())?;
        let shift = usize::try_from(shift).map_err(|_| InvalidMoney)?;
        if significant.len() + shift > MAX_DIGITS {
            return Err(InvalidMoney);
        }
        let hundredths: i64 =
            format!("{significant}{:0<shift$}", "").parse().map_err(|_| InvalidMoney)?;
        Ok(Self(sign * hundredths))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Money {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^-?\d+\.\d\d$",
            "description": "Credits, as text with two decimals.",
        })
    }
}

/// An amount in a request, from `MIN` to `MAX` hundredths: a JSON number or text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount<const MIN: i64, const MAX: i64>(pub(crate) Money);

/// The price of a listing: 0.01 to 1,000,000.
pub(crate) type Price = Amount<1, 100_000_000>;

/// The credits that the control API may give an agent: up to 1,000,000,000.
pub(crate) type Credits = Amount<0, 100_000_000_000>;

/// A bound of a price filter, which is sent as text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PriceBound(pub(crate) Money);

impl<const MIN: i64, const MAX: i64> Amount<MIN, MAX> {
    pub(crate) fn check(money: Money) -> Result<Self, String> {
        if (MIN..=MAX).contains(&money.0) {
            Ok(Self(money))
        } else {
            Err(format!("the amount must be from {} to {}", Money(MIN), Money(MAX)))
        }
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Amount<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The number's own text: as an f64 it would already have been rounded.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text: String = if raw.get().starts_with('"') {
            serde_json::from_str(raw.get()).map_err(D::Error::custom)?
        } else {
            raw.get().to_owned()
        };
        Self::check(text.parse().map_err(D::Error::custom)?).map_err(D::Error::custom)
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Amount<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "description": format!(
                "A number or text from {} to {}, with at most two decimals.", Money(MIN), Money(MAX)
            ),
        })
    }
}

impl<'de> Deserialize<'de> for PriceBound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let money = Money::deserialize(deserializer)?;
        if money.is_negative() { Err(D::Error::custom(InvalidMoney)) } else { Ok(Self(money)) }
    }
}

impl JsonSchema for PriceBound {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PriceBound".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0})
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_as_written() {
        for (text, hundredths) in [
            ("0", 0),
            ("50", 5_000),
            ("50.0", 5_000),
            ("50.000", 5_000),
            ("0.01", 1),
            ("19.99", 1_999),
            ("1e2", 10_000),
            ("1.5E+1", 1_500),
            ("150e-1", 1_500),
            ("-0.5", -50),
            ("0e999", 0),
            ("9999999999999.99", 999_999_999_999_999),
        ] {
            assert_eq!(text.parse(), Ok(Money(hundredths)), "{text}");
        }
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "+5",
            "1e",
            "0.001",
            "1e-3",
            "1e14",
            "NaN",
            "1_0",
            " 1",
            "1.0.0",
            "50.0000000000000000001",
            "1e99999",
            "٣",
        ] {
            assert_eq!(text.parse::<Money>(), Err(InvalidMoney), "{text}");
        }
    }

    #[test]
    fn prices_are_bounded_numbers_or_text() {
        let price = |json: &str| serde_json::from_str::<Price>(json).map(|Amount(price)| price);
        for good in ["0.01", "\"0.01\"", "1000000", "1e6", "45.50"] {
            assert!(price(good).is_ok(), "{good}");
        }
        for bad in ["0", "0.009", "1000000.01", "-1", "true", "null", "[1]", "\"\\u0035\\u0000\""] {
            assert!(price(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_value::<Price>(serde_json::json!(19.99)).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(hundredths in -999_999_999_999_999_i64..=999_999_999_999_999) {
            let money = Money(hundredths);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }

        #[test]
        fn a_float_of_two_decimals_is_read_exactly(hundredths in 1_u32..=100_000_000) {
            let json = serde_json::to_string(&(f64::from(hundredths) / 100.0)).unwrap();
            let Amount(money) = serde_json::from_str::<Price>(&json).unwrap();
            prop_assert_eq!(money, Money(hundredths.into()));
        }

        #[test]
        fn fees_are_rounded_half_up(hundredths in 1_i64..=100_000_000) {
            let fee = Money(hundredths).percent(5).0;
            let (exact, unit) = (hundredths * 5, 100);
            prop_assert!(fee * unit <= exact + unit / 2 && exact + unit / 2 < (fee + 1) * unit);
        }
    }
}
