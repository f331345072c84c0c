//! Go's duration syntax, which is what a KrakenD file holds: `300ms`, `1.5s`, `1h2m`.
//!
//! It is not for bare numbers: what those mean is the configuration's question.

use std::time::Duration;
use thiserror::Error;

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseDurationError {
    /// No text at all.
    #[error("a duration is empty")]
    Empty,
    /// A number without a unit.
    #[error("a duration needs a unit: ns, us, ms, s, m or h")]
    MissingUnit,
    /// A unit that does not exist.
    #[error("unknown unit: a duration has ns, us, ms, s, m or h")]
    UnknownUnit,
    /// Not a number where one belongs.
    #[error("a duration is a number with a unit, such as 300ms or 1h30m")]
    Malformed,
    /// Below zero.
    #[error("a duration must not be negative")]
    Negative,
    /// Longer than Go's 64 bits of nanoseconds, some 292 years.
    #[error("the duration is too long")]
    TooLong,
}

const NANOS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5, the micro sign
    ("μs", 1_000), // U+03BC, the Greek letter; Go takes both
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration as Go's `time.ParseDuration` does, without the negative ones.
///
/// # Errors
/// If the text is no duration, is negative or does not fit.
pub fn parse(text: &str) -> Result<Duration, ParseDurationError> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return Err(if text.is_empty() { ParseDurationError::Empty } else { ParseDurationError::Malformed });
    }
    let mut nanos = 0_u128;
    if rest != "0" {
        while !rest.is_empty() {
            let (part, after) = term(rest)?;
            nanos = nanos.checked_add(part).ok_or(ParseDurationError::TooLong)?;
            rest = after;
        }
    }
    if negative && nanos != 0 {
        return Err(ParseDurationError::Negative);
    }
    from_nanos(nanos)
}

/// Writes a duration in Go's form: `1h30m0s`, `1.5s`, `300ms`, `0s`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => decimal(nanos, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(nanos, 1_000_000, "ms"),
        _ => clock(nanos),
    }
}

/// The same without what is below a second.
#[must_use]
pub fn format_seconds(duration: Duration) -> String {
    format(Duration::from_secs(duration.as_secs()))
}

/// One number with its unit, in nanoseconds, and the text after it.
fn term(text: &str) -> Result<(u128, &str), ParseDurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(ParseDurationError::Malformed);
    }
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if name.is_empty() {
        return Err(ParseDurationError::MissingUnit);
    }
    let Some((_, unit)) = NANOS.iter().find(|(unit, _)| *unit == name) else {
        return Err(ParseDurationError::UnknownUnit);
    };
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| ParseDurationError::TooLong)? };
    let nanos = whole.checked_mul(*unit).ok_or(ParseDurationError::TooLong)?;
    Ok((nanos.saturating_add(part_of(fraction, *unit)), after))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// What the digits after the point are worth; what is below a nanosecond is cut, as in Go.
fn part_of(fraction: &str, unit: u128) -> u128 {
    let mut nanos = 0;
    let mut scale = unit;
    for digit in fraction.bytes() {
        scale /= 10;
        nanos += u128::from(digit.saturating_sub(b'0')) * scale;
    }
    nanos
}

fn from_nanos(nanos: u128) -> Result<Duration, ParseDurationError> {
    let nanos = i64::try_from(nanos).map_err(|_| ParseDurationError::TooLong)?;
    Ok(Duration::from_nanos(nanos.unsigned_abs()))
}

fn decimal(nanos: u128, unit: u128, name: &str) -> String {
    let width = unit.ilog10() as usize;
    let text = format!("{}.{:0width$}", nanos / unit, nanos % unit);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{name}")
}

fn clock(nanos: u128) -> String {
    let minute = 60_000_000_000;
    let seconds = decimal(nanos % minute, 1_000_000_000, "s");
    match (nanos / (60 * minute), nanos / minute % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("-0", 0),
            ("300ms", 300_000_000),
            ("1h2m", 3_720_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("2us", 2_000),
            ("2µs", 2_000),
            ("2μs", 2_000),
            ("+7ns", 7),
            ("1m0.25s", 60_250_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses_and_negative_ones() {
        for (text, error) in [
            ("", ParseDurationError::Empty),
            ("+", ParseDurationError::Malformed),
            ("3000", ParseDurationError::MissingUnit),
            ("2 s", ParseDurationError::UnknownUnit),
            ("2sec", ParseDurationError::UnknownUnit),
            ("1d", ParseDurationError::UnknownUnit),
            ("s", ParseDurationError::Malformed),
            (".s", ParseDurationError::Malformed),
            ("two seconds", ParseDurationError::Malformed),
            ("-1s", ParseDurationError::Negative),
            ("9999999999h", ParseDurationError::TooLong),
            ("99999999999999999999999999999999999999999s", ParseDurationError::TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn writes_gos_form() {
        for (nanos, text) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (300_000_000, "300ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (5_400_000_000_000, "1h30m0s"),
        ] {
            assert_eq!(format(Duration::from_nanos(nanos)), text);
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)));
        }
    }
}
