//! `security/bot-detector`: requests that a bot makes, by what they say of themselves in `User-Agent`.
//!
//! It is for bots that tell the truth. KrakenD keeps its verdicts; here one pass over the value looks for all patterns at
//! once, and there is nothing worth keeping.

use crate::config::model::BotRules;
use http::{HeaderMap, header};
use regex::bytes::RegexSet;
use std::collections::HashSet;

/// The rules, ready for use.
#[derive(Debug)]
pub struct BotDetector {
    allow: HashSet<Box<[u8]>>,
    deny: HashSet<Box<[u8]>>,
    patterns: RegexSet,
    empty_user_agent_is_bot: bool,
}

impl BotDetector {
    /// Compiles rules.
    #[must_use]
    pub fn new(rules: &BotRules) -> Self {
        let set = |list: &[String]| list.iter().map(|text| text.as_bytes().into()).collect();
        Self {
            allow: set(&rules.allow),
            deny: set(&rules.deny),
            patterns: rules.patterns.clone(),
            empty_user_agent_is_bot: rules.empty_user_agent_is_bot,
        }
    }

    /// Whether a request with these headers is refused. KrakenD looks at the first `User-Agent` alone; a second one would
    /// reach the upstream unseen.
    #[must_use]
    pub fn is_bot(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::USER_AGENT).iter().map(http::HeaderValue::as_bytes).peekable();
        match values.peek() {
            None => self.empty_user_agent_is_bot,
            Some(_) => values.any(|value| self.names_bot(value)),
        }
    }

    fn names_bot(&self, value: &[u8]) -> bool {
        if value.is_empty() {
            return self.empty_user_agent_is_bot;
        }
        !self.allow.contains(value) && (self.deny.contains(value) || self.patterns.is_match(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn detector(empty_user_agent_is_bot: bool) -> BotDetector {
        BotDetector::new(&BotRules {
            allow: vec!["GoodBot/1.0".into()],
            deny: vec!["curl/8".into(), "GoodBot/1.0".into()],
            patterns: RegexSet::new(["(?i)bot", "^Evil/[0-9]+$"]).expect("patterns"),
            empty_user_agent_is_bot,
        })
    }

    fn is_bot(detector: &BotDetector, values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::USER_AGENT, HeaderValue::from_static(value));
        }
        detector.is_bot(&headers)
    }

    #[test]
    fn exact_values_come_before_patterns_and_allow_before_deny() {
        let detector = detector(false);
        for (value, expected) in [
            ("GoodBot/1.0", false),
            ("GoodBot/1.1", true),
            ("curl/8", true),
            ("curl/8.1", false),
            ("googleBOT", true),
            ("Evil/12", true),
            ("Evil/12x", false),
            ("Mozilla/5.0", false),
        ] {
            assert_eq!(is_bot(&detector, &[value]), expected, "{value}");
        }
    }

    #[test]
    fn a_missing_or_empty_value_is_what_the_rules_say() {
        for expected in [false, true] {
            let detector = detector(expected);
            assert_eq!(is_bot(&detector, &[]), expected);
            assert_eq!(is_bot(&detector, &[""]), expected);
        }
    }

    #[test]
    fn a_second_value_hides_nothing() {
        assert!(is_bot(&detector(false), &["Mozilla/5.0", "curl/8"]));
        assert!(!is_bot(&detector(false), &["Mozilla/5.0", "GoodBot/1.0"]));
    }
}
