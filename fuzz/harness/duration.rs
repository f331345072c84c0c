//! Durations: what is read is what is written, and no number is too large to be refused.
//!
//! Input: the text of a duration; its first eight bytes are also taken for nanoseconds.

use porteur::base::duration::{format, format_seconds, parse};
use std::time::Duration;

/// What Go's 64 bits hold.
const LONGEST: u128 = i64::MAX as u128;

pub fn check(input: &[u8]) {
    if let Some(bytes) = input.first_chunk() {
        comes_back(Duration::from_nanos(u64::from_be_bytes(*bytes) >> 1));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(duration) = parse(text) else { return };
    assert!(duration.as_nanos() <= LONGEST, "{text} is {duration:?}");
    assert!(!text.starts_with('-') || duration.is_zero(), "{text} is {duration:?}");
    comes_back(duration);
    // A part that is doubled is worth twice as much, where the sum still fits.
    if let (false, Ok(twice)) = (text.contains(['+', '-']) || text == "0", parse(&format!("{text}{text}"))) {
        assert_eq!(twice, duration * 2, "{text}");
    }
}

fn comes_back(duration: Duration) {
    let written = format(duration);
    assert_eq!(parse(&written), Ok(duration), "{written}");
    let seconds = format_seconds(duration);
    assert_eq!(parse(&seconds), Ok(Duration::from_secs(duration.as_secs())), "{seconds}");
}
