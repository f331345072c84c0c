//! The authorization server's answer: whatever it sends, there is a grant that can stand in a header or a reason, no panic,
//! and no piece of the answer in the reason's text but an OAuth error code.
//!
//! Input: two bytes of status, one that is odd when the token is bound, the body.

use porteur::base::Moment;
use porteur::token::answer::{self, Lifetime, TokenType};
use porteur::token::jwt;
use porteur::token::schedule::{Granted, Life, Which};
use porteur::token::slot::Token;

pub fn check(input: &[u8]) {
    let [high, low, bound, body @ ..] = input else { return };
    let wanted = if bound % 2 == 1 { TokenType::Dpop } else { TokenType::Bearer };
    match answer::read(u16::from_be_bytes([*high, *low]), None, body, wanted) {
        Ok(grant) => {
            let requested_at = Moment::now();
            if grant.lifetime == Lifetime::Missing {
                let _ = jwt::lives_for(grant.access_token.expose(), requested_at.wall);
            }
            let granted =
                Granted { requested_at, lifetime: grant.lifetime, refresh_in: grant.refresh_in, which: Which::Other };
            let life = Life::of(&granted, 0.5);
            let token = Token::new(wanted.scheme(), &grant.access_token, 1, life, requested_at);
            assert!(token.is_some(), "a granted token stands in a header");
        }
        Err(reason) => {
            let text = reason.to_string();
            assert!(text.is_ascii() && !text.contains(['\r', '\n']) && text.len() < 200, "{text}");
        }
    }
}
