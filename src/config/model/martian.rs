//! `modifier/martian`: a tree of modifiers with everything settled that can be settled before a request comes: which
//! side each one runs on, regular expressions compiled, header values made.
//!
//! What a tree does to a message is `forward`'s work.

mod plan;
mod value;

pub use plan::{Kept, allows_body};
pub use value::{Cookie, CookieHeaders, Name, Part, Text};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use regex::bytes::Regex;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

/// The modifiers of one backend.
#[derive(Debug, Clone)]
pub struct Martian {
    /// The one modifier there is, mostly a group.
    pub root: Modifier,
    /// What its response side asks of the request.
    pub kept: Kept,
}

/// The way up or the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The upstream request.
    Request,
    /// Its answer.
    Response,
}

/// Which sides a modifier runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// On requests.
    pub request: bool,
    /// On responses.
    pub response: bool,
}

impl Sides {
    /// Both.
    pub const BOTH: Self = Self { request: true, response: true };
    /// Requests alone.
    pub const REQUEST: Self = Self { request: true, response: false };
    /// Responses alone.
    pub const RESPONSE: Self = Self { request: false, response: true };
    /// Neither.
    pub const NONE: Self = Self { request: false, response: false };

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { request: self.request && other.request, response: self.response && other.response }
    }

    /// Whether a side is among them.
    #[must_use]
    pub const fn has(self, side: Side) -> bool {
        match side {
            Side::Request => self.request,
            Side::Response => self.response,
        }
    }
}

/// One modifier.
#[derive(Debug, Clone)]
pub struct Modifier {
    /// Where it runs: its own scope, narrowed by those of all groups and filters around it.
    pub sides: Sides,
    /// What it does.
    pub action: Action,
}

/// What a modifier does.
#[derive(Debug, Clone)]
pub enum Action {
    /// `fifo.Group`, and `priority.Group` with its members in the order they run.
    Group(Group),
    /// Every `….Filter`.
    Filter(Box<Filter>),
    /// Every `….Verifier`: counts messages for which this does not hold, and changes nothing.
    Verify(Box<Condition>),
    /// `header.Modifier`.
    SetHeader(Name, Text<HeaderValue>),
    /// `header.Append`.
    AppendHeader(Name, Text<HeaderValue>),
    /// `header.Blacklist`.
    RemoveHeaders(Box<[HeaderName]>),
    /// `header.Copy`: from the one to the other.
    CopyHeader(HeaderName, Name),
    /// `header.Id`.
    Identify(Name),
    /// `body.Modifier`.
    Body(Box<Body>),
    /// `cookie.Modifier`.
    Cookie(Box<Cookie>),
    /// `url.Modifier`.
    Url(Box<UrlChange>),
    /// `querystring.Modifier`.
    Query(String, Text<String>),
    /// `port.Modifier`.
    Port(PortChange),
    /// `stash.Modifier`.
    Stash(Name),
    /// `status.Modifier`.
    Status(StatusCode),
    /// `static.Modifier`.
    Static(Box<StaticFiles>),
}

/// Modifiers one after another.
#[derive(Debug, Clone)]
pub struct Group {
    /// In the order they run.
    pub members: Vec<Modifier>,
    /// `aggregateErrors`: the rest runs although one failed; the message fails all the same.
    pub aggregate_errors: bool,
}

/// A modifier that runs on some messages only.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Which.
    pub condition: Condition,
    /// `modifier`.
    pub then: Modifier,
    /// `else`.
    pub otherwise: Option<Modifier>,
}

/// What a filter asks or a verifier claims.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A header has this among its values; `None`: it is there at all.
    Header(HeaderName, Option<Text<String>>),
    /// The first value of this header of the *request*, on both sides, has a match.
    RequestHeader(HeaderName, Regex),
    /// There is a cookie of this name, with this value if one is given.
    Cookie(String, Option<Text<String>>),
    /// The request's URL has these parts.
    Url(UrlParts),
    /// The request's whole URL, query and all, has a match.
    UrlMatch(Regex),
    /// The request's query has this parameter, with this value if one is given.
    Query(String, Option<Text<String>>),
    /// The request goes to this port.
    Port(u16),
    /// The answer has this status.
    Status(StatusCode),
}

/// `body.Modifier`.
#[derive(Clone)]
pub struct Body {
    /// `contentType`.
    pub content_type: Text<HeaderValue>,
    /// `body`, decoded.
    pub content: Bytes,
    /// Its length, as the header has it.
    pub length: HeaderValue,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("length", &self.content.len()).finish_non_exhaustive()
    }
}

/// `url.Modifier`: the parts that replace those of the request.
#[derive(Debug, Clone, Default)]
pub struct UrlChange {
    /// `scheme`, as "is it `https`".
    pub https: Option<bool>,
    /// `host`: name and port.
    pub host: Option<Authority>,
    /// `path`, encoded.
    pub path: Option<Text<String>>,
    /// `query`, encoded.
    pub query: Option<Text<String>>,
}

/// A host with the port that is written beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// A DNS name or an IP address, lower case, IPv6 without brackets.
    pub name: String,
    /// `None`: the scheme's own.
    pub port: Option<u16>,
}

/// `url.Filter` and `url.Verifier`: the parts that a URL must have.
#[derive(Debug, Clone, Default)]
pub struct UrlParts {
    /// `scheme`, as "is it `https`".
    pub https: Option<bool>,
    /// `host`: labels, each with its text or `*` for any; the last has the port, if one is written.
    pub host: Option<String>,
    /// `path`, not encoded.
    pub path: Option<String>,
    /// `query`, encoded.
    pub query: Option<String>,
}

/// `port.Modifier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortChange {
    /// `port`.
    To(u16),
    /// `defaultForScheme`: 80 or 443, written out.
    Default,
    /// `remove`.
    Remove,
}

/// `static.Modifier`.
#[derive(Debug, Clone)]
pub struct StaticFiles {
    /// `rootPath`.
    pub root: PathBuf,
    /// `explicitPaths`: files below the root for these paths of requests.
    pub explicit: HashMap<String, PathBuf>,
}
