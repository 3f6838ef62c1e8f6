//! What a scalar without quotes means: YAML 1.2's core schema, and nothing that one reader takes for
//! a number or truth value and another one for text.

use serde_json::Number;

/// A scalar's meaning where its field does not say that it is text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text,
    /// One thing to some readers and another to others; what to write instead.
    Ambiguous(&'static str),
}

/// Whole numbers up to here are exact as floating-point numbers, too.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

const TRUE: &str = "write `true`; for the text, put it in quotes";
const FALSE: &str = "write `false`; for the text, put it in quotes";
const ZEROS: &str =
    "write it without leading zeros, or with `0o` if it is octal; for the text, put it in quotes";
const ENDLESS: &str = "write a number; for the text, put it in quotes";

/// What `text` means.
pub(super) fn plain(text: &str) -> Plain {
    match text {
        "true" | "True" => return Plain::Bool(true),
        "false" | "False" => return Plain::Bool(false),
        _ => {}
    }
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => return Plain::Ambiguous(TRUE),
        "false" | "no" | "off" | "n" => return Plain::Ambiguous(FALSE),
        ".inf" | "+.inf" | "-.inf" | ".nan" => return Plain::Ambiguous(ENDLESS),
        _ => {}
    }
    if has_leading_zeros(text) {
        return Plain::Ambiguous(ZEROS);
    }
    number(text).map_or(Plain::Text, Plain::Number)
}

/// Digits after a zero: octal to YAML 1.1, decimal to YAML 1.2, and text to JSON.
pub(super) fn has_leading_zeros(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    digits.len() > 1 && digits.starts_with('0') && all(digits)
}

/// The number that a text is.
pub(super) fn number(text: &str) -> Option<Number> {
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        let fits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        fits.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
    };
    if let Some(whole) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return Some(whole.into());
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if has_leading_zeros(text) || !is_decimal(unsigned) {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

/// `12`, `1.5`, `.5`, `5.`, each with an exponent or without.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    let exponent = exponent.is_none_or(|exponent| {
        let power = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !power.is_empty() && digits(power)
    });
    some && digits(whole) && digits(fraction) && exponent
}

/// The number as a whole one, where it is one: `4.0` is 4.
pub(super) fn whole(number: Number) -> Number {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < EXACT_MAX => {
            format!("{value:.0}").parse::<i64>().map_or(number, Number::from)
        }
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        let is = |text: &str| match plain(text) {
            Plain::Bool(flag) => flag.to_string(),
            Plain::Number(number) => number.to_string(),
            Plain::Text => "text".to_owned(),
            Plain::Ambiguous(_) => "ambiguous".to_owned(),
        };
        for (text, meaning) in [
            ("true", "true"),
            ("False", "false"),
            ("TRUE", "ambiguous"),
            ("yes", "ambiguous"),
            ("On", "ambiguous"),
            ("4", "4"),
            ("+2", "2"),
            ("-0", "0"),
            ("4.0", "4.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("1e9", "1000000000.0"),
            ("1.5E-1", "0.15"),
            ("0o17", "15"),
            ("0x1F", "31"),
            ("010", "ambiguous"),
            ("-07", "ambiguous"),
            ("0", "0"),
            ("0.5", "0.5"),
            (".inf", "ambiguous"),
            ("1_000", "text"),
            ("0b1", "text"),
            ("0o8", "text"),
            ("0x", "text"),
            (".", "text"),
            ("-", "text"),
            ("e5", "text"),
            ("1e", "text"),
            ("12:30", "text"),
            ("1.2.3", "text"),
            ("nope", "text"),
        ] {
            assert_eq!(is(text), meaning, "{text}");
        }
        assert_eq!(whole(number("4.0").unwrap()).to_string(), "4");
        assert_eq!(whole(number("1e9").unwrap()).to_string(), "1000000000");
        assert_eq!(whole(number("1.5").unwrap()).to_string(), "1.5");
    }
}
