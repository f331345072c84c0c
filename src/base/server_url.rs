//! Addresses that a secret is sent to: encrypted, or on this machine, and without anything that does not belong there.

use std::net::IpAddr;
use url::{Host, Url};

/// Why an address is not safe, or none. The texts go behind the name of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// Not a URL.
    #[error("is not a URL")]
    NotUrl,
    /// Neither `https` nor `http`.
    #[error("has a scheme other than `https`")]
    Scheme,
    /// No host.
    #[error("has no host")]
    NoHost,
    /// `https://name:password@host`.
    #[error("holds a user name or password")]
    UserInfo,
    /// `#…`, which no server sees.
    #[error("has a fragment")]
    Fragment,
    /// `http` beyond this machine.
    #[error("is not encrypted")]
    NotEncrypted,
}

/// Reads an address. `insecure`: it need not be encrypted.
///
/// # Errors
/// If it is none, or not safe.
pub fn parse(text: &str, insecure: bool) -> Result<Url, UrlProblem> {
    let url = Url::parse(text).map_err(|_| UrlProblem::NotUrl)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(UrlProblem::Scheme);
    }
    let Some(host) = url.host() else {
        return Err(UrlProblem::NoHost);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlProblem::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(UrlProblem::Fragment);
    }
    if url.scheme() == "http" && !insecure && !is_loopback(&host) {
        return Err(UrlProblem::NotEncrypted);
    }
    Ok(url)
}

/// Only numbers count: a name may lead anywhere.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(_) => false,
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encrypted_or_numeric_loopback() {
        for text in
            ["https://idp.example.com/token?x=1", "http://127.0.0.1:9/t", "http://127.8.8.8/t", "http://[::1]/t"]
        {
            assert!(parse(text, false).is_ok(), "{text}");
        }
        for (text, why) in [
            ("http://idp.example.com/t", UrlProblem::NotEncrypted),
            ("http://localhost/t", UrlProblem::NotEncrypted),
            ("http://127.0.0.1.example.com/t", UrlProblem::NotEncrypted),
            ("http://[::ffff:127.0.0.1]/t", UrlProblem::NotEncrypted),
            ("ftp://a/t", UrlProblem::Scheme),
            ("/token", UrlProblem::NotUrl),
            ("https://", UrlProblem::NotUrl),
            ("https://u:p@a/t", UrlProblem::UserInfo),
            ("https://a/t#x", UrlProblem::Fragment),
        ] {
            assert_eq!(parse(text, false), Err(why), "{text}");
        }
        assert!(parse("http://idp.example.com/t", true).is_ok());
    }
}
