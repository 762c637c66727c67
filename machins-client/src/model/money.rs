//! Amounts of credits, exact to the hundredth.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

use agent_client_core::{Document, Error, ErrorKind};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// An amount of credits, stored as a whole number of hundredths and never as a float.
///
/// It is sent as a string with two decimals, and read from a string or a JSON number.
///
/// ```
/// use machins_client::Money;
///
/// let price: Money = "45.50".parse()?;
/// assert_eq!(price, Money::from_hundredths(4550));
/// assert_eq!((price + Money::credits(1)).to_string(), "46.50");
/// assert_eq!((-price * 2).to_string(), "-91.00");
/// assert_eq!([price, price].iter().sum::<Money>(), price * 2);
/// assert!("0.005".parse::<Money>().is_err());
/// # Ok::<(), machins_client::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// No credits at all: `0.00`.
    pub const ZERO: Self = Self(0);

    /// Creates an amount from whole credits.
    #[must_use]
    pub const fn credits(credits: i32) -> Self {
        Self(credits as i64 * 100)
    }

    /// Creates an amount from hundredths of a credit.
    #[must_use]
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// Returns the amount in hundredths of a credit.
    #[must_use]
    pub const fn hundredths(self) -> i64 {
        self.0
    }

    /// Adds two amounts. Returns `None` if the sum overflows.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Subtracts an amount from this one. Returns `None` if the difference overflows.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Multiplies the amount by a whole number. Returns `None` if the product overflows.
    #[must_use]
    pub fn checked_mul(self, factor: i64) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }

    /// Adds two amounts, up to the largest amount: over ninety quadrillion credits.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Subtracts an amount from this one, down to the smallest amount.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Multiplies the amount by a whole number, up to the largest or down to the smallest amount.
    #[must_use]
    pub fn saturating_mul(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

/// Reads `digits` or `digits.digits`, times a power of ten, if it is a whole number of hundredths.
fn parse(text: &str, exponent: i32) -> Option<i64> {
    let (sign, number) = text.strip_prefix('-').map_or(("", text), |number| ("-", number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = i32::try_from(digits.len() - significant.len()).ok()?;
    let scale = zeros.checked_sub(i32::try_from(fraction.len()).ok()?)?.checked_add(2)?;
    let power = u32::try_from(scale.checked_add(exponent)?).ok()?;
    let significant: i64 = format!("{sign}{significant}").parse().ok()?;
    significant.checked_mul(10_i64.checked_pow(power)?)
}

/// Reads what JSON can write, with an exponent, too.
fn parse_json(text: &str) -> Option<i64> {
    match text.split_once(['e', 'E']) {
        Some((number, exponent)) => parse(number, exponent.parse().ok()?),
        None => parse(text, 0),
    }
}

impl FromStr for Money {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text.trim(), 0).map(Self).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("{text:?} is not an amount of credits: write it like 45 or 45.50"),
            )
        })
    }
}

impl fmt::Display for Money {
    /// Writes the amount with two decimals: `45.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", amount / 100, amount % 100))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

/// As [`saturating_add`](Money::saturating_add).
impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// As [`saturating_sub`](Money::saturating_sub).
impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// As [`saturating_mul`](Money::saturating_mul).
impl Mul<i64> for Money {
    type Output = Self;

    fn mul(self, factor: i64) -> Self {
        self.saturating_mul(factor)
    }
}

/// Saturates at the largest amount.
impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl<'a> Sum<&'a Money> for Money {
    fn sum<I: Iterator<Item = &'a Self>>(amounts: I) -> Self {
        amounts.copied().sum()
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    /// Reads a string or a number, by its digits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        let text = match &*document {
            Value::String(text) => text,
            Value::Number(_) => document.as_json(),
            _ => return Err(D::Error::custom("an amount of credits is a string or a number")),
        };
        parse_json(text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("an amount of credits has at most two decimals"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    proptest! {
        #[test]
        fn text_and_json_round_trip(hundredths in any::<i32>()) {
            let money = Money::from_hundredths(hundredths.into());
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
            let json = serde_json::to_string(&money).unwrap();
            prop_assert_eq!(&json, &format!("\"{money}\""));
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
            // A JSON number, which some replies hold.
            prop_assert_eq!(serde_json::from_str::<Money>(&money.to_string()).unwrap(), money);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Money>();
            let _ = serde_json::from_str::<Money>(&text);
        }
    }

    #[rstest]
    #[case::zero("0", 0)]
    #[case::whole("45", 4500)]
    #[case::one_decimal("45.5", 4550)]
    #[case::two_decimals("45.50", 4550)]
    #[case::negative("-0.05", -5)]
    #[case::trailing_zeros("1.2300", 123)]
    fn text_is_read_exactly(#[case] text: &str, #[case] hundredths: i64) {
        assert_eq!(text.parse::<Money>().unwrap().hundredths(), hundredths);
    }

    #[rstest]
    #[case::empty("")]
    #[case::sign_alone("-")]
    #[case::no_whole_part(".5")]
    #[case::no_decimals("5.")]
    #[case::thousandths("1.005")]
    #[case::exponent("1e3")]
    #[case::plus_sign("+1")]
    #[case::hexadecimal("0x1")]
    #[case::comma("1,5")]
    #[case::not_a_number("NaN")]
    #[case::two_numbers("1 0")]
    #[case::too_large("99999999999999999999")]
    fn other_text_is_an_error(#[case] text: &str) {
        assert!(text.parse::<Money>().is_err());
    }

    #[rstest]
    fn a_json_number_is_read_by_its_digits(#[values("0.29", "1.1", "4.35", "100.01")] text: &str) {
        assert_eq!(serde_json::from_str::<Money>(text).unwrap(), text.parse().unwrap());
    }

    #[rstest]
    #[case::thousand("1e3", 100_000)]
    #[case::capital_letter_and_sign("1.5E+2", 15_000)]
    #[case::hundredth("1e-2", 1)]
    #[case::negative("-25e-1", -250)]
    #[case::zeros_before_and_after("0.00120e3", 120)]
    #[case::zeros_beyond_the_hundredths("45000e-4", 450)]
    #[case::zero("0e999", 0)]
    #[case::negative_zero("-0.0", 0)]
    #[case::largest("9223372036854775807e-2", i64::MAX)]
    #[case::smallest("-92233720368547758.08", i64::MIN)]
    fn every_exact_json_number_is_read(#[case] json: &str, #[case] hundredths: i64) {
        assert_eq!(serde_json::from_str::<Money>(json).unwrap().hundredths(), hundredths);
        // As text, the way in which some programs write large and small decimals.
        let text = format!("\"{json}\"");
        assert_eq!(serde_json::from_str::<Money>(&text).unwrap().hundredths(), hundredths);
    }

    #[rstest]
    #[case::thousandths("1.005")]
    #[case::thousandths_by_exponent("1e-3")]
    #[case::far_too_small("1e-999999999999999999999")]
    #[case::far_too_large("1e999999999999999999999")]
    #[case::beyond_the_largest("9223372036854775808e-2")]
    #[case::exponent_alone("\"e3\"")]
    #[case::no_exponent("\"1e\"")]
    #[case::two_exponents("\"1e3e3\"")]
    #[case::more_digits_than_a_float_keeps("0.1000000000000000001")]
    #[case::too_large("1e300")]
    #[case::boolean("true")]
    #[case::null("null")]
    #[case::array("[]")]
    #[case::empty_string("\"\"")]
    fn other_json_is_an_error(#[case] json: &str) {
        assert!(serde_json::from_str::<Money>(json).is_err());
    }
}
