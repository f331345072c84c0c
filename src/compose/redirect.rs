//! Redirects of a backend that is decoded: followed as KrakenD does, except that tokens and credentials stay with the host
//! they are meant for (KrakenD sends its token along to any host).

use crate::base::Failure;
use crate::compose::answered::Answered;
use crate::compose::call::{Broken, Call};
use crate::compose::elsewhere;
use crate::compose::prepare::{Prepared, frame};
use crate::compose::trouble::Trouble;
use crate::snapshot::upstream::UpstreamHost;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use pingora::http::RequestHeader;
use url::Url;

/// Hops after which a backend has no answer: the limit of Go's client.
const MOST_HOPS: usize = 10;

/// An answer that may lead elsewhere.
pub(super) struct Hop {
    /// The backend's host that gave it.
    pub host: usize,
    /// The answer.
    pub answered: Answered,
}

/// The request that a redirect asks for.
struct Next {
    url: Url,
    method: Method,
}

/// The answer at the end of the redirects, if there are any.
pub(super) async fn follow(call: &Call<'_>, first: Hop) -> Result<Answered, Trouble> {
    let mut answered = first.answered;
    if !is_redirect(answered.head.status) {
        return Ok(answered);
    }
    let origin = call.plan.upstream.host(first.host).ok_or(Trouble::Redirect("no host"))?;
    let sent = call.prepare(origin).map_err(Broken::trouble)?;
    let url = url_of(origin, &sent).ok_or(Trouble::Redirect("no URL"))?;
    let mut at = Next { url, method: sent.head.method.clone() };
    for _ in 0..MOST_HOPS {
        let Some(next) = next(call, &answered, &at)? else { return Ok(answered) };
        answered = request(call, &next, origin).await?;
        at = next;
    }
    match next(call, &answered, &at)? {
        None => Ok(answered),
        Some(_) => Err(Trouble::Redirect("more than 10 redirects")),
    }
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn url_of(host: &UpstreamHost, sent: &Prepared) -> Option<Url> {
    let mut url = Url::parse(&host.origin).ok()?;
    if let Some(destination) = &sent.elsewhere {
        url.set_scheme(if destination.https { "https" } else { "http" }).ok()?;
        url.set_host(Some(&destination.host)).ok()?;
        url.set_port(destination.written_port).ok()?;
    }
    url.join(sent.head.uri.path_and_query()?.as_str()).ok()
}

/// Where an answer leads; `None`: nowhere, it is the answer.
fn next(call: &Call<'_>, answered: &Answered, at: &Next) -> Result<Option<Next>, Trouble> {
    let status = answered.head.status;
    let location = answered.head.headers.get(header::LOCATION);
    let Some(location) = location.filter(|_| is_redirect(status)) else { return Ok(None) };
    let keeps_method = matches!(status.as_u16(), 307 | 308);
    // Go sends a body again only where `send_body_on_redirect` says so.
    if keeps_method && !call.request.body.is_empty() && at.method != Method::GET {
        return Ok(None);
    }
    let url = location.to_str().ok().and_then(|location| at.url.join(location).ok());
    let url =
        url.filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(Trouble::Redirect("no valid Location"))?;
    let method = if keeps_method || at.method == Method::HEAD { at.method.clone() } else { Method::GET };
    Ok(Some(Next { url, method }))
}

async fn request(call: &Call<'_>, next: &Next, first: &UpstreamHost) -> Result<Answered, Trouble> {
    let upstream = &call.plan.upstream;
    let origin = next.url.origin().ascii_serialization();
    let own = upstream.hosts().position(|host| host.is_at(&origin));
    match own.and_then(|index| Some((index, upstream.at(index)?))) {
        Some((index, choice)) => {
            let mut head = head(call, choice.host, next)?;
            let left = call.left();
            let mut peer = choice.host.peer(choice.address, left, left, false);
            let bound = call.bind(&mut peer);
            call.carry(bound.as_ref(), index, &mut head).map_err(Broken::trouble)?;
            call.send(&peer, head, &Bytes::new()).await.map_err(Broken::trouble)
        }
        None => elsewhere(call, next, first).await,
    }
}

/// A host that is none of the backend's: it gets neither its token nor the client's credentials.
async fn elsewhere(call: &Call<'_>, next: &Next, first: &UpstreamHost) -> Result<Answered, Trouble> {
    let mut head = head(call, first, next)?;
    let authority = next.url.authority();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = HeaderValue::from_str(authority).map_err(|_| Trouble::Redirect("no valid Location"))?;
    head.insert_header("Host", host).map_err(|_| Trouble::Failure(Failure::Internal, ""))?;
    let token = call.plan.token.as_ref().map(|token| &token.header);
    for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION].iter().chain(token) {
        head.remove_header(name);
    }
    let peer = match (next.url.host_str(), next.url.port_or_known_default()) {
        (Some(name), Some(port)) => elsewhere::peer(next.url.scheme() == "https", name, port).await,
        _ => None,
    };
    let peer = peer.ok_or(Trouble::Failure(Failure::NoHost, "no address"))?;
    call.send(&peer, head, &Bytes::new()).await.map_err(Broken::trouble)
}

/// The request that was sent first, for the target of a redirect.
fn head(call: &Call<'_>, host: &UpstreamHost, next: &Next) -> Result<Box<RequestHeader>, Trouble> {
    let mut head = call.prepare(host).map_err(Broken::trouble)?.head;
    let target = PathAndQuery::try_from(&next.url[url::Position::BeforePath..url::Position::AfterQuery]);
    head.set_uri(Uri::from(target.map_err(|_| Trouble::Redirect("no valid Location"))?));
    head.set_method(next.method.clone());
    head.remove_header(&header::CONTENT_TYPE);
    frame(&mut head, 0, true).map_err(|_| Trouble::Failure(Failure::Internal, ""))?;
    Ok(head)
}
