//! Exact amounts of money.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use bytes::BytesMut;
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type as SchemaKind};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Decimals an amount may have.
const MAX_DECIMALS: i64 = 4;
/// Digits an amount may have before the point.
const MAX_INTEGER_DIGITS: u32 = 15;

/// An exact amount of money: at most 15 digits before the point and at most
/// four after it, as `numeric(19,4)` holds.
///
/// It is read from the text of a JSON number and written as one, never
/// through a binary float. What counts is the number's value: `1e3` is 1000
/// and `2.50000` is 2.5, but `0.00001` is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Money(Decimal);

/// Why a number is not an amount.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MoneyError {
    /// Not a JSON number.
    #[error("expected a number")]
    NotANumber,
    /// More than four decimals.
    #[error("an amount has at most {MAX_DECIMALS} decimals")]
    TooPrecise,
    /// More than 15 digits before the point.
    #[error("an amount has at most {MAX_INTEGER_DIGITS} digits before the decimal point")]
    TooLarge,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Whether it is more than nothing.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.0 > Decimal::ZERO
    }

    /// Whether it is less than nothing.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < Decimal::ZERO
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The difference; `None` if it has more digits than an amount may have.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let difference = self.0.checked_sub(other.0)?.normalize();
        let limit = Decimal::from(10_u64.pow(MAX_INTEGER_DIGITS));
        (difference.abs() < limit).then_some(Self(difference))
    }
}

impl std::ops::Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self((-self.0).normalize())
    }
}

impl From<u32> for Money {
    fn from(units: u32) -> Self {
        Self(Decimal::from(units).normalize())
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads a number as JSON writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(MoneyError::NotANumber),
            None => (number, ""),
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !is_digits(whole) || !is_digits(fraction) {
            return Err(MoneyError::NotANumber);
        }

        let digits = [whole, fraction].concat();
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        let dropped_zeros = digits.len() - digits.trim_end_matches('0').len();
        // The value is `significant` × 10^-scale.
        let scale = length(fraction) - exponent - i64::try_from(dropped_zeros).unwrap_or(i64::MAX);
        if length(significant).saturating_sub(scale) > i64::from(MAX_INTEGER_DIGITS) {
            return Err(MoneyError::TooLarge);
        }
        if scale > MAX_DECIMALS {
            return Err(MoneyError::TooPrecise);
        }
        // Here the value has at most 19 digits, so nothing below can overflow.
        let significant: i128 = significant.parse().map_err(|_| MoneyError::TooLarge)?;
        let decimals = u32::try_from(scale).unwrap_or(0);
        let zeros = u32::try_from(-scale).unwrap_or(0);
        let unscaled = significant * 10_i128.pow(zeros);
        let signed = if negative { -unscaled } else { unscaled };
        Ok(Self(Decimal::from_i128_with_scale(signed, decimals)))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// Reads an exponent; one that no amount can have is cut to one that is
/// refused all the same.
fn parse_exponent(text: &str) -> Result<i64, MoneyError> {
    const BEYOND_ANY_REQUEST: i64 = 1_000_000_000_000;
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !is_digits(digits) {
        return Err(MoneyError::NotANumber);
    }
    let size = digits.parse().unwrap_or(BEYOND_ANY_REQUEST).min(BEYOND_ANY_REQUEST);
    Ok(if negative { -size } else { size })
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Money {
    /// Writes a JSON number without trailing zeros. Works with `serde_json`
    /// only, which alone can write a number as text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    /// Reads a JSON number's text. Works with `serde_json` only, and not
    /// below `#[serde(flatten)]` or an untagged enum, which lose the text.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer)?.get().parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(SchemaKind::Number))
            .description(Some(
                "An amount: at most 15 digits before the point and 4 after it. Exact; a client that reads it as a \
                 double may lose digits beyond the 15th.",
            ))
            .into()
    }
}

impl ToSchema for Money {}

impl ToSql for Money {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Money {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Decimal::from_sql(ty, raw)?.normalize()))
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as FromSql>::accepts(ty)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<String, MoneyError> {
        text.parse::<Money>().map(|money| money.to_string())
    }

    #[test]
    fn numbers_are_read_by_their_value() {
        for (text, value) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.0000", "0"),
            ("1400", "1400"),
            ("1400.0000", "1400"),
            ("10.50", "10.5"),
            ("0.0001", "0.0001"),
            ("-12.34", "-12.34"),
            ("1e3", "1000"),
            ("1E+3", "1000"),
            ("1.5e1", "15"),
            ("25e-1", "2.5"),
            ("100000e-9", "0.0001"),
            ("2.50000", "2.5"),
            ("0e999999999999999999999", "0"),
            ("999999999999999.9999", "999999999999999.9999"),
            ("-999999999999999.9999", "-999999999999999.9999"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for (text, error) in [
            ("0.00001", MoneyError::TooPrecise),
            ("1.23456", MoneyError::TooPrecise),
            ("1e-5", MoneyError::TooPrecise),
            ("1e-99999999999999999999", MoneyError::TooPrecise),
            ("1000000000000000", MoneyError::TooLarge),
            ("1e15", MoneyError::TooLarge),
            ("1e99999999999999999999", MoneyError::TooLarge),
            ("123456789012345678901234567890", MoneyError::TooLarge),
            ("", MoneyError::NotANumber),
            ("-", MoneyError::NotANumber),
            ("+1", MoneyError::NotANumber),
            (".5", MoneyError::NotANumber),
            ("5.", MoneyError::NotANumber),
            ("01", MoneyError::NotANumber),
            ("1e", MoneyError::NotANumber),
            ("1_000", MoneyError::NotANumber),
            ("\"1\"", MoneyError::NotANumber),
            ("null", MoneyError::NotANumber),
            ("NaN", MoneyError::NotANumber),
            ("٣", MoneyError::NotANumber),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }

    #[test]
    fn json_keeps_every_digit() {
        let text = "[999999999999999.9999,1400.00,0.1]";
        let amounts: Vec<Money> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&amounts).unwrap(), "[999999999999999.9999,1400,0.1]");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(units in -9_999_999_999_999_999_999_i128..=9_999_999_999_999_999_999) {
            let money = Money(Decimal::from_i128_with_scale(units, 4).normalize());
            prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
            let json = serde_json::to_string(&money).unwrap();
            prop_assert!(!json.contains('.') || !json.ends_with('0'));
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
        }

        #[test]
        fn a_difference_is_exact_or_none(a in 0_i128..=9_999_999_999_999_999_999, b in -9_999_999_999_999_999_999_i128..=9_999_999_999_999_999_999) {
            let money = |units| Money(Decimal::from_i128_with_scale(units, 4).normalize());
            let fits = (a - b).abs() <= 9_999_999_999_999_999_999;
            prop_assert_eq!(money(a).checked_sub(money(b)), fits.then(|| money(a - b)));
        }

        #[test]
        fn exponents_only_move_the_point(units in 1_u64..=9_999_999_999, shift in 0_u32..5) {
            let plain = format!("{units}").parse::<Money>().unwrap();
            let zeros = "0".repeat(shift as usize);
            prop_assert_eq!(format!("{units}{zeros}e-{shift}").parse::<Money>(), Ok(plain));
            prop_assert_eq!(format!("{units}.{zeros}0E+0").parse::<Money>(), Ok(plain));
        }

        #[test]
        fn any_text_is_read_or_refused_without_harm(text in "[-+0-9.eE]{0,40}") {
            if let Ok(money) = text.parse::<Money>() {
                prop_assert!(serde_json::from_str::<Box<RawValue>>(&text).is_ok());
                prop_assert!(money.0.scale() <= 4);
                prop_assert!(money.0.abs() < Decimal::from(1_000_000_000_000_000_u64));
            }
        }
    }
}
