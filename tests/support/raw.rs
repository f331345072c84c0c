//! Bytes as they are, sent to a gateway before a recording upstream, and what became of them: one request that went on, or an
//! answer of the gateway's own. Anything else, above all two requests, is told as what it is.

use super::client::{Connection, Response};
use super::gateway::{Running, endpoint};
use super::upstream::{Request, Upstream};
use serde_json::json;

/// A gateway with the endpoints `/x` and `/evil`, for any method, header and query, and its upstream.
pub struct RawEdge {
    pub upstream: Upstream,
    pub gateway: Running,
}

/// What became of one case.
#[derive(Debug)]
pub enum Fate {
    /// The upstream has received this request and nothing else, and the client its answer.
    Forwarded(Box<Request>),
    /// An answer of the gateway's own that ends the connection, which is closed; the upstream has received no request.
    Refused(u16),
    /// An answer of the gateway's own on a connection that stays; the upstream has received no request.
    Answered(u16),
}

impl RawEdge {
    pub fn start() -> Self {
        Self::before(Upstream::echo())
    }

    pub fn before(upstream: Upstream) -> Self {
        let open = |path: &str| {
            let mut endpoint = endpoint(path, &upstream.url(), path);
            endpoint["method"] = json!("*");
            endpoint["input_headers"] = json!(["*"]);
            endpoint["input_query_strings"] = json!(["*"]);
            endpoint
        };
        let gateway = Running::with(&[open("/x"), open("/evil")]);
        Self { upstream, gateway }
    }

    /// Sends the pieces on a connection of their own.
    ///
    /// # Errors
    /// What happened, when it is none of the fates.
    pub fn fate(&self, pieces: &[&[u8]]) -> Result<Fate, String> {
        let (requests, violations) = (self.upstream.requests().len(), self.upstream.violations().len());
        let mut connection = Connection::open(self.gateway.address);
        for piece in pieces {
            // Refused in the middle, a client may find that it cannot write the rest.
            if connection.try_write(piece).is_err() {
                break;
            }
        }
        let is_head = pieces.concat().starts_with(b"HEAD ");
        let answer = connection.try_response(is_head).map_err(|error| format!("no answer: {error}"))?;
        let closes = says_close(&answer);
        if !closes {
            connection.finish_writing();
        }
        let rest = connection.try_rest().map_err(|error| format!("{}, and stays open: {error}", answer.status))?;
        if !rest.is_empty() {
            return Err(format!("{}, then also {:?}", answer.status, String::from_utf8_lossy(&rest)));
        }
        let noted = self.upstream.violations().split_off(violations);
        if !noted.is_empty() {
            return Err(format!("{}, and malformed at the upstream: {noted:?}", answer.status));
        }
        let mut received = self.upstream.requests().split_off(requests);
        match (received.len(), answer.status) {
            (1, 200) => received.pop().map(|request| Fate::Forwarded(Box::new(request))).ok_or_else(String::new),
            (0, 400..500) if closes => Ok(Fate::Refused(answer.status)),
            (0, 200..500) => Ok(Fate::Answered(answer.status)),
            (count, status) => Err(format!("{status}, and {count} requests at the upstream")),
        }
    }

    /// Each is refused with this status: the answer says so and ends the connection, and nothing gets to the upstream.
    #[track_caller]
    pub fn refuses(&self, status: u16, cases: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        let mut wrong = Vec::new();
        for case in cases {
            match self.fate(&[case.as_ref()]) {
                Ok(Fate::Refused(answered)) if answered == status => {}
                other => wrong.push(format!("{:?}\n  => {other:?}", show(case.as_ref()))),
            }
        }
        self.nothing_comes_later();
        assert!(wrong.is_empty(), "not refused with {status}:\n{}", wrong.join("\n"));
    }

    /// Each goes on as one request.
    #[track_caller]
    pub fn forwards(&self, cases: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<Request> {
        let (mut forwarded, mut wrong) = (Vec::new(), Vec::new());
        for case in cases {
            match self.fate(&[case.as_ref()]) {
                Ok(Fate::Forwarded(request)) => forwarded.push(*request),
                other => wrong.push(format!("{:?}\n  => {other:?}", show(case.as_ref()))),
            }
        }
        self.nothing_comes_later();
        assert!(wrong.is_empty(), "not forwarded:\n{}", wrong.join("\n"));
        forwarded
    }

    /// What was cut off does not reach the upstream after its answer: an ordinary request is all that comes.
    #[track_caller]
    pub fn nothing_comes_later(&self) {
        let before = self.upstream.requests().len();
        assert_eq!(self.gateway.get("/x?last").status, 200);
        let received = self.upstream.requests().split_off(before);
        let targets: Vec<_> = received.iter().map(|request| request.target.as_str()).collect();
        assert_eq!(targets, ["/x?last"]);
    }
}

fn says_close(answer: &Response) -> bool {
    answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(300).collect()
}
