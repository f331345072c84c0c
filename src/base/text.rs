//! Text of small things, written without the formatting machinery, whose cost is visible in every request.

use bytes::Bytes;
use std::fmt::{self, Write};
use std::net::Ipv4Addr;

/// What porteur calls itself where HTTP has a place for it.
pub const USER_AGENT: &str = concat!("porteur/", env!("CARGO_PKG_VERSION"));

/// Writes `192.0.2.7`.
///
/// # Errors
/// Only what the sink has to say.
pub fn write_ipv4(sink: &mut impl Write, address: Ipv4Addr) -> fmt::Result {
    let [a, b, c, d] = address.octets();
    sink.write_str(itoa::Buffer::new().format(a))?;
    for octet in [b, c, d] {
        sink.write_char('.')?;
        sink.write_str(itoa::Buffer::new().format(octet))?;
    }
    Ok(())
}

/// `x-api-token` as `X-Api-Token`, the way HTTP/1 servers are used to see it.
#[must_use]
pub fn title_case(name: &str) -> Bytes {
    let mut at_start = true;
    let titled: Vec<u8> = name
        .bytes()
        .map(|byte| {
            let letter = if at_start { byte.to_ascii_uppercase() } else { byte };
            at_start = byte == b'-';
            letter
        })
        .collect();
    let titled = Bytes::from(titled);
    // The first clone of fresh `Bytes` allocates its reference count; let it be this one and not a request's.
    drop(titled.clone());
    titled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_written_in_title_case() {
        assert_eq!(title_case("authorization"), "Authorization");
        assert_eq!(title_case("x-api-token"), "X-Api-Token");
    }

    #[test]
    fn the_text_is_the_standard_librarys() {
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(255, 10, 0, 199)] {
            let mut text = String::new();
            write_ipv4(&mut text, address).expect("a string takes everything");
            assert_eq!(text, address.to_string());
        }
    }
}
