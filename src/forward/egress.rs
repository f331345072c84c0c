//! The way out: target and headers of the upstream request.
//!
//! The order matters. What the client sent is reduced first, then ours is added, the token last of all, so that nothing
//! a client sends can name, replace or remove it.

use crate::base::Failure;
use crate::base::text::write_ipv4;
use crate::config::model::{AllowList, OnMissing, Trust};
use crate::forward::{RequestView, cookies, max_forwards, sender, upgrade};
use crate::snapshot::backend::{BackendPlan, DpopUse, TokenUse};
use crate::snapshot::target::{Params, TargetBuffer};
use crate::telemetry::metrics::MissingAction;
use crate::token::slot::Token;
use bytes::Bytes;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderName, HeaderValue, Method, Version, header};
use pingora::http::RequestHeader;
use smallvec::SmallVec;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

const FORWARDED_FOR: &str = "X-Forwarded-For";
const FORWARDED_HOST: &str = "X-Forwarded-Host";
const FORWARDED_PROTO: &str = "X-Forwarded-Proto";
const FORWARDED_HOST_NAME: HeaderName = HeaderName::from_static("x-forwarded-host");
const USER_AGENT: HeaderValue = HeaderValue::from_static(crate::base::text::USER_AGENT);

/// Turns the client's request head into the upstream's, all but the token.
///
/// # Errors
/// [`Failure::Internal`] if the target cannot be formed, which the checks of path and configuration exclude.
pub fn rewrite(
    plan: &BackendPlan,
    params: &Params,
    authority: &HeaderValue,
    client: &RequestView<'_>,
    request: &mut RequestHeader,
) -> Result<(), Failure> {
    retarget(plan, params, client, request)?;
    if let Some(method) = &plan.method {
        // A GET endpoint answers HEAD, and its backend is asked the same.
        if *client.method != Method::HEAD || *method != Method::GET {
            request.set_method(method.clone());
        }
    }
    reduce(plan, request);
    if request.version == Version::HTTP_2 {
        keep_trailers(client, request).map_err(|_| Failure::Internal)?;
    }
    cookies::join(request).map_err(|_| Failure::Internal)?;
    count_hop(client, request).map_err(|_| Failure::Internal)?;
    if client.version == Version::HTTP_10 {
        // RFC 9110 §10.1.1: it cannot have meant it, and would not know the answer.
        request.remove_header(&header::EXPECT);
    }
    present(authority, client, request).map_err(|_| Failure::Internal)
}

/// Sets the target, unless it is the client's own: the most common case of `/*` costs nothing.
fn retarget(
    plan: &BackendPlan,
    params: &Params,
    client: &RequestView<'_>,
    request: &mut RequestHeader,
) -> Result<(), Failure> {
    let mut target = TargetBuffer::new();
    plan.target.write(client.path, params, client.query, &mut target);
    if target.as_slice() == client.raw_target {
        return Ok(());
    }
    let target = PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(&target)).map_err(|_| Failure::Internal)?;
    request.set_uri(Uri::from(target));
    Ok(())
}

/// Removes what the endpoint does not let through. Hop-by-hop headers are gone already: Pingora takes them out, with those
/// that `Connection` names, before it asks us (`HttpUpstreamRequestPolicy`).
fn reduce(plan: &BackendPlan, request: &mut RequestHeader) {
    match &plan.headers {
        AllowList::All => {
            for name in &CLAIMS {
                request.remove_header(name);
            }
            remove_disguised_claims(request);
        }
        AllowList::Only(names) => remove_unlisted(names, request),
    }
    if let Some(token) = &plan.token {
        // Also when there is no token to put in its place: a client must never be able to bring its own.
        request.remove_header(&header::AUTHORIZATION);
        if token.dpop.is_some() {
            request.remove_header("DPoP");
        }
        if token.header != header::AUTHORIZATION {
            remove_spellings(&token.header, request);
        }
    }
}

/// Tells the upstream that the client takes trailers, which gRPC wants to know. Where both sides speak HTTP/2 trailers pass, and
/// there this is the one thing that `TE` may say (RFC 9113 §8.2.2).
fn keep_trailers(client: &RequestView<'_>, request: &mut RequestHeader) -> pingora::Result<()> {
    if client.version == Version::HTTP_2 && upgrade::lists(client.headers, &header::TE, b"trailers") {
        return request.insert_header(header::TE, HeaderValue::from_static("trailers"));
    }
    request.remove_header(&header::TE);
    Ok(())
}

/// One hop less is left to an OPTIONS request that counts them, whatever the endpoint lets through (RFC 9110 §7.6.2).
fn count_hop(client: &RequestView<'_>, request: &mut RequestHeader) -> pingora::Result<()> {
    match max_forwards::left(client) {
        Some(left) => request.insert_header("Max-Forwards", HeaderValue::from(left.saturating_sub(1))),
        None => Ok(()),
    }
}

/// What a client may say of where it comes from goes on only where it is listed by name.
static CLAIMS: [HeaderName; 2] = [header::FORWARDED, HeaderName::from_static("x-real-ip")];

/// The same, and what we say ourselves of clients, in the spellings that CGI and its heirs take for the same: with `_` for `-`.
/// Names of headers are mostly static or short, so looking for the letter costs little.
fn remove_disguised_claims(request: &mut RequestHeader) {
    let is_disguised = |name: &HeaderName| {
        let name = name.as_str().as_bytes();
        name.contains(&b'_') && DISGUISED.iter().any(|claim| is_spelling(name, claim.as_bytes()))
    };
    remove_all(request, is_disguised);
}

/// What is told by `-` alone from what the upstream believes.
const DISGUISED: [&str; 4] = ["x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// Whether two names are the same when `_` is `-`.
fn is_spelling(name: &[u8], of: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
    name.len() == of.len() && name.iter().map(plain).eq(of.iter().map(plain))
}

fn remove_unlisted(names: &[HeaderName], request: &mut RequestHeader) {
    remove_all(request, |name| !is_framing(name) && !names.contains(name));
}

/// Removes a header in every spelling: CGI and its heirs read `X_Api_Token` as `X-Api-Token`.
fn remove_spellings(name: &HeaderName, request: &mut RequestHeader) {
    remove_all(request, |other| is_spelling(other.as_str().as_bytes(), name.as_str().as_bytes()));
}

fn remove_all(request: &mut RequestHeader, is_unwanted: impl Fn(&HeaderName) -> bool) {
    // A name is an enum or a reference count; more than sixteen unwanted ones are rare.
    let unwanted: SmallVec<[HeaderName; 16]> =
        request.headers.keys().filter(|name| is_unwanted(name)).cloned().collect();
    for name in &unwanted {
        request.remove_header(name);
    }
}

/// Headers that belong to the message, not to the client: without them the body cannot be framed, or the client waits for
/// a `100 Continue` that never comes.
fn is_framing(name: &HeaderName) -> bool {
    matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::EXPECT | header::HOST)
}

/// Takes `Expect: 100-continue` out of a request for HTTP/2, where interim answers do not reach us (hyperium/h2#167); says whether
/// it was there. Its client is then told to go on by us (RFC 9110 §10.1.1).
pub fn take_expectation(request: &mut RequestHeader) -> bool {
    request.version == Version::HTTP_2 && request.remove_header(&header::EXPECT).is_some()
}

/// Says that the connection carries no further request, where that is so. In HTTP/2 there are no such words.
///
/// # Errors
/// Never: the header is valid.
pub fn close_after(plan: &BackendPlan, request: &mut RequestHeader) -> pingora::Result<()> {
    if plan.transport.closes && request.version != Version::HTTP_2 && !request.headers.contains_key(header::UPGRADE) {
        request.insert_header("Connection", HeaderValue::from_static("close"))?;
    }
    Ok(())
}

/// Adds what porteur says of itself and of the client.
fn present(authority: &HeaderValue, client: &RequestView<'_>, request: &mut RequestHeader) -> pingora::Result<()> {
    request.insert_header("Host", authority.clone())?;
    // The client's own claims are replaced, or removed where we have nothing to say. What a trusted proxy says stays.
    match addresses(client) {
        Some(addresses) => request.insert_header(FORWARDED_FOR, addresses)?,
        None => drop(request.remove_header(FORWARDED_FOR)),
    }
    let by_proxy = client.proxy.and_then(|_| sender::only(client.headers, &FORWARDED_HOST_NAME));
    match by_proxy.or_else(|| client.host()) {
        Some(host) => request.insert_header(FORWARDED_HOST, host.clone())?,
        None => drop(request.remove_header(FORWARDED_HOST)),
    }
    let scheme = if client.secure { "https" } else { "http" };
    request.insert_header(FORWARDED_PROTO, HeaderValue::from_static(scheme))?;
    request.append_header("Via", via(client.version))?;
    if !request.headers.contains_key(header::USER_AGENT) {
        request.insert_header("User-Agent", USER_AGENT)?;
    }
    Ok(())
}

/// RFC 9110 §7.6.3: the protocol the message was received with, and a pseudonym.
pub(super) const fn via(version: Version) -> HeaderValue {
    match version {
        Version::HTTP_10 => HeaderValue::from_static("1.0 porteur"),
        Version::HTTP_2 => HeaderValue::from_static("2 porteur"),
        _ => HeaderValue::from_static("1.1 porteur"),
    }
}

/// Text formed on the stack.
struct Text(SmallVec<[u8; 46]>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// `X-Forwarded-For`: the client and the proxies from it to us. The one allocation of a request that came by none is the
/// value's own.
fn addresses(client: &RequestView<'_>) -> Option<HeaderValue> {
    let mut text = Text(SmallVec::new());
    let address = client.client?;
    let Some(proxy) = client.proxy else {
        write_address(&mut text, address).ok()?;
        return HeaderValue::from_bytes(&text.0).ok();
    };
    let believed = sender::entries(client.headers, &Trust::FORWARDED_FOR).take(proxy.believed);
    let mut believed: SmallVec<[&[u8]; 8]> = believed.collect();
    believed.reverse();
    for entry in &believed {
        text.0.extend_from_slice(entry);
        text.0.extend_from_slice(b", ");
    }
    // Another header than this one named it.
    if believed.is_empty() && address != proxy.address {
        write_address(&mut text, address).ok()?;
        text.0.extend_from_slice(b", ");
    }
    write_address(&mut text, proxy.address).ok()?;
    HeaderValue::from_bytes(&text.0).ok()
}

fn write_address(text: &mut Text, address: IpAddr) -> std::fmt::Result {
    match address.to_canonical() {
        IpAddr::V4(address) => write_ipv4(text, address),
        IpAddr::V6(address) => write!(text, "{address}"),
    }
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// The token of this generation.
    Token(u64),
    /// Nothing, because there is nothing and the backend goes without.
    Nothing,
}

/// Puts a token into an upstream request to the backend's host at `host`: the current one or, where the connection was
/// made for it, the one that was `chosen` then. Lookup and insertion allocate nothing of ours, unless the token needs a proof (17 µs in all, which is the
/// signature; `benches/request.rs`).
///
/// # Errors
/// [`Failure::TokenUnavailable`] if there is none that may be used at `now` and the backend does not go without.
pub fn carry(
    token: &TokenUse,
    chosen: Option<&Arc<Token>>,
    host: usize,
    now: Instant,
    request: &mut RequestHeader,
) -> Result<Carried, Failure> {
    let current = token.slot.current();
    // A bound token that came after the connection was made would meet the wrong certificate, or none.
    let current = if token.certificate.is_some() { chosen } else { current.as_ref() };
    match (current.filter(|current| current.life.is_usable(now)), token.on_missing) {
        (Some(current), _) => {
            if let Some(dpop) = &token.dpop {
                let proof = prove(dpop, host, current.hash.as_deref(), request).ok_or(Failure::Internal)?;
                request.insert_header("DPoP", proof).map_err(|_| Failure::Internal)?;
            }
            let (name, value) = (token.header_on_wire.clone(), current.value.clone());
            request.insert_header(name, value).map_err(|_| Failure::Internal)?;
            Ok(Carried::Token(current.generation))
        }
        (None, OnMissing::Pass) => {
            token.metrics.missing(MissingAction::Pass);
            Ok(Carried::Nothing)
        }
        (None, OnMissing::Reject) => Err(Failure::TokenUnavailable),
    }
}

/// A proof for one request, which is no secret but goes nowhere else: it is for this method and target only.
fn prove(dpop: &DpopUse, host: usize, hash: Option<&str>, request: &RequestHeader) -> Option<HeaderValue> {
    let origin = dpop.origins.get(host)?;
    // RFC 9449 §4.2: without the query.
    let htu = format!("{}{}", origin.base, request.uri.path());
    let proof = dpop.key.proof(request.method.as_str(), &htu, hash, &origin.nonce, SystemTime::now())?;
    let mut value = HeaderValue::from_str(proof.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
