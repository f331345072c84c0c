//! Redirects of a backend that is decoded: followed as KrakenD does, except that tokens and credentials stay with the host
//! they are meant for (KrakenD sends its token along to any host).

use crate::base::Failure;
use crate::compose::answered::Answered;
use crate::compose::call::{Broken, Call, frame};
use crate::compose::trouble::Trouble;
use crate::snapshot::upstream::{self, UpstreamHost};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use pingora::http::RequestHeader;
use pingora_core::upstreams::peer::HttpPeer;
use std::time::Duration;
use url::Url;

/// Hops after which a backend has no answer: the limit of Go's client.
const MOST_HOPS: usize = 10;

/// The longest wait for the address of a host that a redirect leads to.
const RESOLVE: Duration = Duration::from_secs(1);

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
    let head = call.head(&origin.authority).map_err(Broken::trouble)?;
    let mut at = Next { url: url_of(origin, &head).ok_or(Trouble::Redirect("no URL"))?, method: head.method.clone() };
    for _ in 0..MOST_HOPS {
        let Some(next) = next(call, &answered, &at)? else { return Ok(answered) };
        answered = request(call, &next).await?;
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

fn url_of(host: &UpstreamHost, head: &RequestHeader) -> Option<Url> {
    Url::parse(&host.origin).ok()?.join(head.uri.path_and_query()?.as_str()).ok()
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

async fn request(call: &Call<'_>, next: &Next) -> Result<Answered, Trouble> {
    let upstream = &call.plan.upstream;
    let origin = next.url.origin().ascii_serialization();
    let own = upstream.hosts().position(|host| host.is_at(&origin));
    match own.and_then(|index| Some((index, upstream.at(index)?))) {
        Some((index, choice)) => {
            let mut head = head(call, &choice.host.authority, next)?;
            let left = call.left();
            let mut peer = choice.host.peer(choice.address, left, left, false);
            let bound = call.bind(&mut peer);
            call.carry(bound.as_ref(), index, &mut head).map_err(Broken::trouble)?;
            call.send(&peer, head, &Bytes::new()).await.map_err(Broken::trouble)
        }
        None => elsewhere(call, next).await,
    }
}

/// A host that is none of the backend's: it gets neither its token nor the client's credentials.
async fn elsewhere(call: &Call<'_>, next: &Next) -> Result<Answered, Trouble> {
    let authority = next.url.authority();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let authority = HeaderValue::from_str(authority).map_err(|_| Trouble::Redirect("no valid Location"))?;
    let mut head = head(call, &authority, next)?;
    for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
        head.remove_header(&name);
    }
    let peer = peer(next).await.ok_or(Trouble::Failure(Failure::NoHost, "no address"))?;
    call.send(&peer, head, &Bytes::new()).await.map_err(Broken::trouble)
}

fn head(call: &Call<'_>, authority: &HeaderValue, next: &Next) -> Result<Box<RequestHeader>, Trouble> {
    let mut head = call.head(authority).map_err(Broken::trouble)?;
    let target = PathAndQuery::try_from(&next.url[url::Position::BeforePath..url::Position::AfterQuery]);
    head.set_uri(Uri::from(target.map_err(|_| Trouble::Redirect("no valid Location"))?));
    head.set_method(next.method.clone());
    head.remove_header(&header::CONTENT_TYPE);
    frame(&mut head, 0, true).map_err(|_| Trouble::Failure(Failure::Internal, ""))?;
    Ok(head)
}

async fn peer(next: &Next) -> Option<Box<HttpPeer>> {
    let (name, port) = (next.url.host_str()?, next.url.port_or_known_default()?);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let addresses = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((name, port))).await.ok()?.ok()?;
    let address = addresses.min_by_key(std::net::SocketAddr::is_ipv6)?;
    Some(Box::new(upstream::peer(address, next.url.scheme() == "https", name)))
}
