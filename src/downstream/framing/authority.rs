//! Host and port, as the `Host` field and targets in absolute form have them (RFC 3986 §3.2, RFC 9110 §7.2).
//!
//! Stricter than the grammar where readers differ: no user name (RFC 9110 §4.2.4), no empty host (§4.2.1), no empty port, no
//! comma, in brackets nothing but an IPv6 address without a zone. Whether such a host exists, or is the right one, is asked
//! elsewhere; so is whether `Host` and target agree, which Pingora compares byte for byte.

use super::bytes::{REG_NAME, is, run};

/// How far an authority has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    Start,
    Name,
    /// After `%`: so many hex digits are missing.
    Percent(u8),
    Brackets {
        length: u8,
        colons: u8,
    },
    BracketsEnd,
    Port {
        digits: u8,
        number: u32,
    },
}

/// The longest text of an IPv6 address: eight groups, the last two as an IPv4 address.
const LONGEST_IPV6: u8 = 45;

impl Authority {
    /// Reads one more byte; `None` when there can be none such.
    pub(super) fn push(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Start, b'[') => Self::Brackets { length: 0, colons: 0 },
            (Self::Start | Self::Name, b'%') => Self::Percent(2),
            (Self::Start | Self::Name, _) if is(byte, REG_NAME) => Self::Name,
            (Self::Percent(2), _) if byte.is_ascii_hexdigit() => Self::Percent(1),
            (Self::Percent(_), _) if byte.is_ascii_hexdigit() => Self::Name,
            (Self::Brackets { colons: 2.., .. }, b']') => Self::BracketsEnd,
            (Self::Brackets { length: 0..LONGEST_IPV6, .. }, _) => self.inside(byte)?,
            (Self::Name | Self::BracketsEnd, b':') => Self::Port { digits: 0, number: 0 },
            (Self::Port { digits: digits @ 0..5, number }, b'0'..=b'9') => {
                Self::Port { digits: digits + 1, number: number * 10 + u32::from(byte - b'0') }
            }
            _ => return None,
        })
    }

    /// Passes over bytes that change nothing: most of a name.
    pub(super) fn skip(self, input: &mut &[u8]) {
        if self == Self::Name {
            run(input, REG_NAME);
        }
    }

    fn inside(self, byte: u8) -> Option<Self> {
        let Self::Brackets { length, colons } = self else { return None };
        match byte {
            b':' => Some(Self::Brackets { length: length + 1, colons: colons + 1 }),
            b'.' | b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => Some(Self::Brackets { length: length + 1, colons }),
            _ => None,
        }
    }

    /// Whether it may end here.
    pub(super) const fn is_complete(self) -> bool {
        match self {
            Self::Name | Self::BracketsEnd => true,
            Self::Port { digits, number } => digits > 0 && number <= 0xffff,
            Self::Start | Self::Percent(_) | Self::Brackets { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_authority(text: &str) -> bool {
        text.bytes().try_fold(Authority::Start, Authority::push).is_some_and(Authority::is_complete)
    }

    #[test]
    fn rfc3986_3_2_hosts_and_ports() {
        for good in [
            "a",
            "api.test",
            "API.TEST",
            "api.test.",
            "a_b",
            "localhost:0",
            "a:80",
            "a:65535",
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:443",
            "[2001:db8::7]",
            "[::ffff:127.0.0.1]",
            "xn--bcher-kva.test",
            "a%2db",
            "~!$&'()*+;=-._",
        ] {
            assert!(is_authority(good), "{good}");
        }
    }

    #[test]
    fn rfc3986_3_2_what_is_no_host_or_no_port() {
        let long = format!("[{}]", "1:".repeat(23));
        for bad in [
            "",
            ":",
            ":80",
            "a:",
            "a:b",
            "a:-1",
            "a:+1",
            "a:65536",
            "a:080808",
            "a:80:80",
            "a b",
            "a,b",
            "a/b",
            "a?b",
            "a#b",
            "a@b",
            "a@b:80",
            "[]",
            "[:]",
            "[::1",
            "::1",
            "a[::1]",
            "[::1]a",
            "[::1]:",
            "[::1%25eth0]",
            "[v1.a]",
            "[g::1]",
            "a%",
            "a%2",
            "a%2g",
            "a%zz",
            "a\\b",
            "a\"b",
            "<a>",
            "a|b",
            "{a}",
            "bücher.test",
            "a\tb",
            "a\0",
            "a\x7f",
            &long,
        ] {
            assert!(!is_authority(bad), "{bad}");
        }
    }
}
