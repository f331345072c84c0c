//! Redirects of a backend that is decoded: followed as KrakenD does, except that tokens and credentials stay with the host
//! they are meant for (KrakenD sends its token along to any host).

use crate::base::Failure;
use crate::compose::answered::Answered;
use crate::compose::call::Call;
use crate::compose::elsewhere::Stranger;
use crate::compose::prepare::{Prepared, frame};
use crate::compose::trouble::Trouble;
use crate::compose::unanswered::Unanswered;
use crate::forward::retry;
use crate::snapshot::balance::Round;
use crate::snapshot::targets::Target;
use crate::snapshot::upstream::UpstreamHost;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use pingora::http::RequestHeader;
use std::sync::Arc;
use std::time::Instant;
use url::{Position, Url};

/// Hops after which a backend has no answer: the limit of Go's client.
const MOST_HOPS: usize = 10;

/// A `Location` that is none.
const NOWHERE: Trouble = Trouble::Redirect("no valid Location");

/// An answer that may lead elsewhere.
pub(super) struct Hop {
    /// The backend's target that gave it.
    pub target: Arc<Target>,
    /// The answer.
    pub answered: Answered,
}

/// The request that a redirect asks for.
struct Next {
    url: Url,
    method: Method,
    /// Where it comes from.
    referer: Option<HeaderValue>,
    /// Whether the request that is redirected has a body.
    has_body: bool,
    /// Whether a host that is not the backend's is on the way: what it names gets no token, wherever that is.
    has_left: bool,
}

/// The answer at the end of the redirects, if there are any.
pub(super) async fn follow(call: &Call<'_>, first: Hop, round: &mut Round) -> Result<Answered, Trouble> {
    let mut answered = first.answered;
    if !is_redirect(answered.head.status) {
        return Ok(answered);
    }
    let origin = &first.target.host;
    let sent = call.prepare(origin).map_err(|unanswered| unanswered.trouble)?;
    let url = url_of(origin, &sent).ok_or(Trouble::Redirect("no URL"))?;
    let mut at =
        Next { url, method: sent.head.method.clone(), referer: None, has_body: !sent.body.is_empty(), has_left: false };
    for _ in 0..MOST_HOPS {
        let Some(mut next) = next(&answered, &at)? else { return Ok(answered) };
        next.has_left = at.has_left || !is_own(call, &next);
        answered = request(call, &next, round).await?;
        at = next;
    }
    match next(&answered, &at)? {
        None => Ok(answered),
        Some(_) => Err(Trouble::Redirect("more than 10 redirects")),
    }
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where the first request went.
fn url_of(host: &UpstreamHost, sent: &Prepared) -> Option<Url> {
    let mut url = Url::parse(&host.origin).ok()?;
    if let Some(destination) = &sent.elsewhere {
        url.set_scheme(if destination.https { "https" } else { "http" }).ok()?;
        // A literal of IPv6 has no brackets there, and `Url` takes some without for something else.
        let literal = destination.host.contains(':').then(|| format!("[{}]", destination.host));
        url.set_host(Some(literal.as_deref().unwrap_or(&destination.host))).ok()?;
        url.set_port(destination.written_port).ok()?;
    }
    url.join(sent.head.uri.path_and_query()?.as_str()).ok()
}

/// Where an answer leads; `None`: nowhere, it is the answer.
fn next(answered: &Answered, at: &Next) -> Result<Option<Next>, Trouble> {
    let status = answered.head.status;
    let location = answered.head.headers.get(header::LOCATION);
    let Some(location) = location.filter(|_| is_redirect(status)) else { return Ok(None) };
    let keeps_method = matches!(status.as_u16(), 307 | 308);
    // Go sends a body again only where `send_body_on_redirect` says so.
    if keeps_method && at.has_body {
        return Ok(None);
    }
    let url = location.to_str().ok().and_then(|location| at.url.join(location).ok());
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(NOWHERE)?;
    let method = if keeps_method || at.method == Method::HEAD { at.method.clone() } else { Method::GET };
    let referer = referer(&at.url, &url);
    Ok(Some(Next { url, method, referer, has_body: false, has_left: at.has_left }))
}

/// Go tells any host the whole URL, whose query may hold a key. Here only its own host learns more than the origin, and none
/// that is asked without TLS learns of one that was asked with it (RFC 9110 §10.1.3).
fn referer(from: &Url, to: &Url) -> Option<HeaderValue> {
    if from.scheme() == "https" && to.scheme() == "http" {
        return None;
    }
    let origin = from.origin();
    let target = if origin == to.origin() { &from[Position::BeforePath..Position::AfterQuery] } else { "/" };
    HeaderValue::try_from(origin.ascii_serialization() + target).ok()
}

/// Each hop is a request of its own, and goes through the targets of its origin as the first one goes through all. Its round takes
/// the place of the one before it: where the answer is awaited now, and what is said of that.
async fn request(call: &Call<'_>, next: &Next, round: &mut Round) -> Result<Answered, Trouble> {
    let origin = (!next.has_left).then(|| next.url.origin().ascii_serialization());
    let upstream = &call.plan.upstream;
    *round = upstream.round_at(origin.as_deref());
    loop {
        let Unanswered { broken, trouble } = match request_once(call, next, round).await {
            Ok(answered) => return Ok(answered),
            Err(unanswered) => unanswered,
        };
        let Some(broken) = broken else { return Err(trouble) };
        if !retry::is_sent_again(upstream, round, broken, &next.method, call.left(), Instant::now()) {
            return Err(trouble);
        }
    }
}

/// Whether a redirect leads to one of the backend's hosts.
fn is_own(call: &Call<'_>, next: &Next) -> bool {
    call.plan.upstream.roster.has(&next.url.origin().ascii_serialization())
}

async fn request_once(call: &Call<'_>, next: &Next, round: &mut Round) -> Result<Answered, Unanswered> {
    if next.has_left {
        return elsewhere(call, next).await;
    }
    let target = round.begin(Instant::now()).cloned();
    let target = target.ok_or(Trouble::Failure(Failure::NoHost, "no address"))?;
    let mut head = call.prepare(&target.host)?.head;
    redirected(&mut head, next)?;
    let left = call.left();
    let mut peer = target.peer(left, left, false);
    let bound = call.bind(&mut peer);
    call.carry(bound.as_ref(), target.index, &mut head)?;
    call.send_to(&target, round, peer, head, &Bytes::new()).await
}

/// What a host that is none of the backend's is told. Anything else that modifiers set or the client sent may be a key.
static HARMLESS: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::HOST,
    header::REFERER,
    header::USER_AGENT,
    header::VIA,
];

/// A host that is none of the backend's: it gets neither its token nor the client's credentials.
async fn elsewhere(call: &Call<'_>, next: &Next) -> Result<Answered, Unanswered> {
    let authority = next.url.authority();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let mut head = call.head(&HeaderValue::from_str(authority).map_err(|_| NOWHERE)?)?;
    let others: Vec<HeaderName> = head.headers.keys().filter(|name| !HARMLESS.contains(name)).cloned().collect();
    for name in &others {
        head.remove_header(name);
    }
    redirected(&mut head, next)?;
    let (name, port) = next.url.host_str().zip(next.url.port_or_known_default()).ok_or(NOWHERE)?;
    let to = Stranger { https: next.url.scheme() == "https", name, port };
    call.send_elsewhere(to, head, &Bytes::new()).await
}

/// Makes a request the one that a redirect asks for.
fn redirected(head: &mut RequestHeader, next: &Next) -> Result<(), Unanswered> {
    let target = PathAndQuery::try_from(&next.url[Position::BeforePath..Position::AfterQuery]);
    head.set_uri(Uri::from(target.map_err(|_| NOWHERE)?));
    head.set_method(next.method.clone());
    head.remove_header(&header::CONTENT_TYPE);
    if let Some(referer) = next.referer.as_ref().filter(|_| !head.headers.contains_key(header::REFERER)) {
        head.insert_header(header::REFERER, referer.clone()).map_err(|_| Unanswered::of(Failure::Internal))?;
    }
    frame(head, 0, true).map_err(|_| Unanswered::of(Failure::Internal))
}
