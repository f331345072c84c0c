//! What a plan must know of a tree of modifiers before it runs: what it may change, and what its response side will ask
//! of the request.

use super::{Action, Condition, Martian, Modifier};
use http::{HeaderName, StatusCode};

/// What must be remembered of an upstream request until its answer is modified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Its URL.
    pub url: bool,
    /// These headers.
    pub headers: Vec<HeaderName>,
}

impl Martian {
    /// Whether it does what cannot be done to bytes that pass as they come.
    #[must_use]
    pub fn needs_held(&self) -> bool {
        self.redirects() || self.answers_itself() || self.replaces_request_body() || self.replaces_response_body()
    }

    /// Notes what the response side will ask of the request.
    #[must_use]
    pub fn new(root: Modifier) -> Self {
        let mut kept = Kept::default();
        root.keep(&mut kept);
        Self { root, kept }
    }

    /// Whether anything runs on requests.
    #[must_use]
    pub fn has_request_side(&self) -> bool {
        self.root.any(&|modifier| modifier.sides.request && modifier.is_leaf())
    }

    /// Whether anything runs on responses.
    #[must_use]
    pub fn has_response_side(&self) -> bool {
        self.root.any(&|modifier| modifier.sides.response && modifier.is_leaf())
    }

    /// Whether a request may go to another scheme, host or port than the chosen one's.
    #[must_use]
    pub fn redirects(&self) -> bool {
        self.root.any(&|modifier| match &modifier.action {
            Action::Url(change) => modifier.sides.request && (change.https.is_some() || change.host.is_some()),
            Action::Port(_) => modifier.sides.request,
            _ => false,
        })
    }

    /// Whether a request may get another body.
    #[must_use]
    pub fn replaces_request_body(&self) -> bool {
        self.root.any(&|modifier| modifier.sides.request && matches!(modifier.action, Action::Body(_)))
    }

    /// Whether an answer may get another body, or lose its own: a status such as 204 allows none.
    #[must_use]
    pub fn replaces_response_body(&self) -> bool {
        self.root.any(&|modifier| match modifier.action {
            Action::Body(_) | Action::Static(_) => modifier.sides.response,
            Action::Status(status) => modifier.sides.response && !allows_body(status),
            _ => false,
        })
    }

    /// Whether a request may be answered without asking the upstream.
    #[must_use]
    pub fn answers_itself(&self) -> bool {
        self.root.any(&|modifier| modifier.sides.request && matches!(modifier.action, Action::Static(_)))
    }
}

/// Whether an answer with this status may have a body (RFC 9110 §6.4.1).
#[must_use]
pub fn allows_body(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

impl Modifier {
    fn is_leaf(&self) -> bool {
        !matches!(self.action, Action::Group(_) | Action::Filter(_))
    }

    fn any(&self, test: &impl Fn(&Self) -> bool) -> bool {
        let below = match &self.action {
            Action::Group(group) => group.members.iter().any(|member| member.any(test)),
            Action::Filter(filter) => {
                filter.then.any(test) || filter.otherwise.as_ref().is_some_and(|modifier| modifier.any(test))
            }
            _ => false,
        };
        below || test(self)
    }

    fn keep(&self, kept: &mut Kept) {
        if !self.sides.response {
            return;
        }
        match &self.action {
            Action::Group(group) => group.members.iter().for_each(|member| member.keep(kept)),
            Action::Filter(filter) => {
                filter.condition.keep(kept);
                filter.then.keep(kept);
                filter.otherwise.iter().for_each(|modifier| modifier.keep(kept));
            }
            Action::Verify(condition) => condition.keep(kept),
            Action::Stash(name) => kept.header(&name.name),
            Action::Static(_) => {
                kept.url = true;
                kept.header(&http::header::RANGE);
            }
            _ => {}
        }
    }
}

impl Condition {
    fn keep(&self, kept: &mut Kept) {
        match self {
            Self::Url(_) | Self::UrlMatch(_) | Self::Query(..) | Self::Port(_) => kept.url = true,
            Self::RequestHeader(name, _) => kept.header(name),
            Self::Header(..) | Self::Cookie(..) | Self::Status(_) => {}
        }
    }
}

impl Kept {
    fn header(&mut self, name: &HeaderName) {
        if !self.headers.contains(name) {
            self.headers.push(name.clone());
        }
    }
}
