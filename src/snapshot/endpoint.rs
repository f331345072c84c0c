//! One endpoint, compiled: what a request that matched it needs from here on.

use crate::config::model::{AllowList, Endpoint, OnMissing, TokenPolicy};
use crate::snapshot::CompileError;
use crate::snapshot::addresses::AddressBook;
use crate::snapshot::headers;
use crate::snapshot::target::TargetPlan;
use crate::snapshot::upstream::Upstream;
use crate::telemetry::metrics::{EndpointMetrics, Metrics};
use crate::token::slot::TokenSlot;
use crate::token::table::TokenTable;
use bytes::Bytes;
use http::{HeaderName, Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// A compiled endpoint with its backend.
#[derive(Debug)]
pub struct EndpointPlan {
    /// The path as configured; its name in logs and metrics.
    pub name: Arc<str>,
    /// Until the upstream's head is here, and then between two pieces of its body.
    pub timeout: Duration,
    /// The method to use upstream; `None`: the client's.
    pub method: Option<Method>,
    /// The upstream target.
    pub target: TargetPlan,
    /// Request headers that go on.
    pub headers: AllowList<HeaderName>,
    /// The hosts.
    pub upstream: Upstream,
    /// The token to carry.
    pub token: Option<TokenUse>,
    /// Counters of this endpoint.
    pub metrics: EndpointMetrics,
}

/// How a token gets into a backend's requests.
#[derive(Debug)]
pub struct TokenUse {
    /// Where the current token is.
    pub slot: Arc<TokenSlot>,
    /// The header that carries it.
    pub header: HeaderName,
    /// The same as it is written on the wire; cloning is a reference count.
    pub header_on_wire: Bytes,
    /// What to do without one.
    pub on_missing: OnMissing,
    /// The status when a request is refused for want of one.
    pub reject_status: StatusCode,
    /// How long to wait for the very first.
    pub first_token_wait: Duration,
}

impl EndpointPlan {
    /// Compiles one endpoint.
    ///
    /// # Errors
    /// If a host cannot stand in a header, or the credential is not in the table.
    pub fn compile(
        endpoint: &Endpoint,
        tokens: &TokenTable,
        addresses: &mut AddressBook,
        metrics: &Metrics,
    ) -> Result<Self, CompileError> {
        let backend = &endpoint.backend;
        let token =
            backend.token.as_ref().map(|policy| TokenUse::compile(policy, tokens, &endpoint.path.text)).transpose()?;
        let query = headers::both(&endpoint.input_query_strings, backend.input_query_strings.as_ref());
        Ok(Self {
            name: endpoint.path.text.as_str().into(),
            timeout: backend.timeout.unwrap_or(endpoint.timeout),
            method: backend.method.clone(),
            target: TargetPlan::compile(&backend.url_pattern, query),
            headers: headers::allowed(&endpoint.input_headers, backend.input_headers.as_ref()),
            upstream: Upstream::compile(&backend.hosts, addresses)?,
            token,
            metrics: metrics.endpoint(&endpoint.path.text),
        })
    }
}

impl TokenUse {
    fn compile(policy: &TokenPolicy, tokens: &TokenTable, endpoint: &str) -> Result<Self, CompileError> {
        let slot = tokens.slot(policy).ok_or_else(|| CompileError::Credential(endpoint.to_owned()))?;
        Ok(Self {
            slot: slot.clone(),
            header: policy.header.clone(),
            header_on_wire: title_case(&policy.header),
            on_missing: policy.on_missing,
            reject_status: policy.reject_status,
            first_token_wait: policy.first_token_wait,
        })
    }
}

/// `x-api-token` as `X-Api-Token`, the way HTTP/1 servers are used to see it.
fn title_case(name: &HeaderName) -> Bytes {
    let mut at_start = true;
    let titled: Vec<u8> = name
        .as_str()
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
        assert_eq!(title_case(&http::header::AUTHORIZATION), "Authorization");
        assert_eq!(title_case(&HeaderName::from_static("x-api-token")), "X-Api-Token");
    }
}
