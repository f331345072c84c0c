//! What a certificate says of itself: its names, when it is valid, and who it is.
//!
//! TLS libraries judge certificates and do not tell what stands in them. This reads five fields of a certificate that such a
//! library has taken already (RFC 5280 §4.1); it judges nothing, and what it cannot read is `None`.

use chrono::NaiveDate;
use std::net::IpAddr;

/// The fields of a certificate that are of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// The DNS names, in lower case; some begin with `*.`.
    pub dns_names: Vec<String>,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// `CN` of the subject.
    pub common_name: Option<String>,
    /// `O` of the subject.
    pub organization: Option<String>,
    /// The serial number in hexadecimal, its bytes separated by colons.
    pub serial: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
}

impl Fields {
    /// What people know the certificate by.
    #[must_use]
    pub fn name(&self) -> String {
        let address = || self.addresses.first().map(IpAddr::to_string);
        self.dns_names.first().cloned().or_else(address).or_else(|| self.common_name.clone()).unwrap_or_default()
    }
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];

/// Reads a certificate in DER.
#[must_use]
pub fn read(certificate: &[u8]) -> Option<Fields> {
    let mut whole = Der(Der(certificate).expect(SEQUENCE)?);
    let mut fields = Der(whole.expect(SEQUENCE)?);
    if fields.peek() == Some(VERSION) {
        fields.next()?;
    }
    let serial = fields.expect(INTEGER)?;
    let _algorithm = fields.expect(SEQUENCE)?;
    let _issuer = fields.expect(SEQUENCE)?;
    let mut validity = Der(fields.expect(SEQUENCE)?);
    let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
    let subject = fields.expect(SEQUENCE)?;
    let mut read = Fields {
        dns_names: Vec::new(),
        addresses: Vec::new(),
        common_name: attribute(subject, COMMON_NAME),
        organization: attribute(subject, ORGANIZATION),
        serial: colons(serial),
        not_before,
        not_after,
    };
    while let Some((tag, content)) = fields.next() {
        if tag == EXTENSIONS {
            alternative_names(content, &mut read)?;
        }
    }
    Some(read)
}

fn alternative_names(extensions: &[u8], read: &mut Fields) -> Option<()> {
    let mut list = Der(Der(extensions).expect(SEQUENCE)?);
    while let Some((SEQUENCE, extension)) = list.next() {
        let mut extension = Der(extension);
        if extension.expect(OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        // `critical` may stand between them.
        let mut value = extension.next()?;
        if value.0 != OCTET_STRING {
            value = extension.next()?;
        }
        let mut names = Der(Der(value.1).expect(SEQUENCE)?);
        while let Some((tag, name)) = names.next() {
            match tag {
                DNS_NAME => read.dns_names.push(std::str::from_utf8(name).ok()?.to_ascii_lowercase()),
                IP_ADDRESS => read.addresses.extend(address(name)),
                _ => {}
            }
        }
    }
    Some(())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The first value of an attribute in a name, if it is text that is UTF-8 as it stands.
fn attribute(name: &[u8], which: &[u8]) -> Option<String> {
    let mut name = Der(name);
    while let Some((SET, set)) = name.next() {
        let mut set = Der(set);
        while let Some((SEQUENCE, pair)) = set.next() {
            let mut pair = Der(pair);
            if pair.expect(OID)? == which {
                return std::str::from_utf8(pair.next()?.1).ok().map(str::to_owned);
            }
        }
    }
    None
}

fn colons(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

/// A time of RFC 5280 §4.1.2.5: in UTC, with seconds.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = text.split_at_checked(match tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    })?;
    let year = year.parse::<i32>().ok()?;
    let year = match tag {
        UTC_TIME if year < 50 => year + 2000,
        UTC_TIME => year + 1900,
        _ => year,
    };
    if rest.len() != 10 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| rest.get(at..at + 2).and_then(|two| two.parse::<u32>().ok());
    let day = NaiveDate::from_ymd_opt(year, part(0)?, part(2)?)?;
    Some(day.and_hms_opt(part(4)?, part(6)?, part(8)?)?.and_utc().timestamp())
}

/// What is left of an encoding (X.690 §8.1, definite lengths only).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let mut length = usize::from(*first);
        if *first >= 0x80 {
            let (digits, after) =
                rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element, if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber, date_time_ymd};

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(["Edge.Test".to_owned(), "*.edge.test".to_owned()]).unwrap();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_fields_are_those_of_the_certificate() {
        let read = read(&certificate(|params| {
            params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
            params.distinguished_name.push(DnType::OrganizationName, "Édge");
            params.distinguished_name.push(DnType::CommonName, "edge");
            params.serial_number = Some(SerialNumber::from(vec![1, 0xab]));
            params.not_before = date_time_ymd(1999, 12, 31);
            params.not_after = date_time_ymd(2051, 1, 1);
        }))
        .unwrap();
        assert_eq!(read.dns_names, ["edge.test", "*.edge.test"]);
        assert_eq!(read.addresses, [IpAddr::from([127, 0, 0, 1])]);
        assert_eq!((read.common_name.as_deref(), read.organization.as_deref()), (Some("edge"), Some("Édge")));
        assert_eq!(read.serial, "01:ab");
        assert_eq!((read.not_before, read.not_after), (946_598_400, 2_556_144_000));
        assert_eq!(read.name(), "edge.test");
    }

    #[test]
    fn without_names_people_know_it_by_its_address_or_subject() {
        let named = |change: fn(&mut CertificateParams)| read(&certificate(change)).unwrap().name();
        assert_eq!(
            named(|params| params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())]),
            "127.0.0.1"
        );
        assert_eq!(named(|params| params.subject_alt_names.clear()), "rcgen self signed cert");
    }

    #[test]
    fn times_that_are_none_are_not_guessed() {
        assert_eq!(time((UTC_TIME, b"700101000000Z")), Some(0));
        assert_eq!(time((GENERALIZED_TIME, b"19700101000001Z")), Some(1));
        for (tag, text) in [
            (UTC_TIME, "7001010000Z"),
            (UTC_TIME, "700101000000"),
            (UTC_TIME, "701301000000Z"),
            (GENERALIZED_TIME, "1970010100000éZ"),
            (SEQUENCE, "700101000000Z"),
        ] {
            assert_eq!(time((tag, text.as_bytes())), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
            static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| certificate(|_| {}));
            let mut bytes = WHOLE.clone();
            if let Some(hit) = bytes.get_mut(at) {
                *hit = byte;
            }
            bytes.truncate(cut);
            let _ = read(&bytes);
        }
    }
}
