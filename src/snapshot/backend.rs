//! One backend, compiled: where its requests go and what they carry.

use crate::base::text::title_case;
use crate::config::model::{self, AllowList, CircuitBreaker, Host, Martian, OnMissing, Replay, TokenPolicy};
use crate::snapshot::CompileError;
use crate::snapshot::bound_certificate::BoundCertificate;
use crate::snapshot::breaker::Breaker;
use crate::snapshot::conditions::ConditionPlan;
use crate::snapshot::endpoint::Surroundings;
use crate::snapshot::headers;
use crate::snapshot::target::TargetPlan;
use crate::snapshot::transport::Transport;
use crate::snapshot::upstream::Upstream;
use crate::telemetry::metrics::{Metrics, RequestTokenMetrics};
use crate::token::dpop::{DpopKey, Nonce};
use crate::token::slot::TokenSlot;
use crate::token::table::TokenTable;
use bytes::Bytes;
use http::{HeaderName, Method, StatusCode};
use prometheus::IntCounter;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// A compiled backend.
#[derive(Debug)]
pub struct BackendPlan {
    /// For one exchange with it; while bytes pass, until the upstream's head is here and then between two pieces of its body.
    pub timeout: Duration,
    /// The method to use upstream; `None`: the client's.
    pub method: Option<Method>,
    /// The upstream target.
    pub target: TargetPlan,
    /// Request headers that go on.
    pub headers: AllowList<HeaderName>,
    /// The hosts.
    pub upstream: Upstream,
    /// What stops requests to it after failures.
    pub breaker: Option<Arc<Breaker>>,
    /// How they are connected to.
    pub transport: Arc<Transport>,
    /// Whether redirects are not followed.
    pub no_redirect: bool,
    /// The token to carry.
    pub token: Option<TokenUse>,
    /// What changes its requests and answers.
    pub martian: Option<Martian>,
    /// What must hold of its requests and answers.
    pub conditions: Option<ConditionPlan>,
    verifications: IntCounter,
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
    /// Statuses by which the upstream says that it does not take the token.
    pub refresh_on_status: Box<[StatusCode]>,
    /// Which requests are then sent once more.
    pub replay: Replay,
    /// Whether the scheme is the token type's own, so that challenges of the upstream can be read.
    pub usual_scheme: bool,
    /// What the upstream is shown, for tokens that are bound to a certificate.
    pub certificate: Option<BoundCertificate>,
    /// What proofs need, for tokens that are bound to a key.
    pub dpop: Option<DpopUse>,
    /// Counters of its requests.
    pub metrics: RequestTokenMetrics,
}

/// How requests to a backend prove that they may use a token (RFC 9449 §7).
#[derive(Debug)]
pub struct DpopUse {
    /// The key that the token is bound to.
    pub key: Arc<DpopKey>,
    /// One for each host of the backend, in their order.
    pub origins: Box<[Origin]>,
}

/// One host of a backend, as proofs see it.
#[derive(Debug)]
pub struct Origin {
    /// Scheme, name and port: what stands before the path in `htu`.
    pub base: String,
    /// The nonce that it gave last.
    pub nonce: Arc<Nonce>,
}

impl BackendPlan {
    /// Compiles one backend of an endpoint.
    ///
    /// # Errors
    /// If a host cannot stand in a header, or the credential is not in the table.
    pub fn compile(
        endpoint: &model::Endpoint,
        backend: &model::Backend,
        around: &mut Surroundings<'_>,
    ) -> Result<Self, CompileError> {
        let compile =
            |policy| TokenUse::compile(policy, &backend.hosts, around.tokens, around.metrics, &endpoint.path.text);
        let token = backend.token.as_ref().map(compile).transpose()?;
        let transport = around.transports.entry(&backend.transport)?;
        let mut headers = headers::allowed(&endpoint.input_headers, backend.input_headers.as_ref());
        if let (AllowList::Only(names), true) = (&mut headers, endpoint.websocket.is_some()) {
            names.extend_from_slice(&headers::HANDSHAKE);
        }
        let query = headers::both(&endpoint.input_query_strings, backend.input_query_strings.as_ref());
        Ok(Self {
            timeout: backend.timeout.unwrap_or(endpoint.timeout),
            method: backend.method.clone(),
            target: TargetPlan::compile(&backend.url_pattern, query),
            headers,
            upstream: Upstream::compile(
                &endpoint.path.text,
                backend,
                &transport,
                around.addresses,
                &around.metrics.upstreams,
            )?,
            breaker: backend.circuit_breaker.as_ref().map(|rule| breaker(rule, endpoint, backend, around)),
            transport,
            no_redirect: backend.no_redirect,
            token,
            martian: backend.martian.clone(),
            verifications: around.metrics.verifications(),
            conditions: ConditionPlan::compile(&backend.conditions, endpoint, Some(backend)),
        })
    }

    /// Counts verifiers that did not find what they claim. KrakenD keeps each for ever, for nobody to read.
    pub fn count_verifications(&self, failed: u32) {
        if failed > 0 {
            self.verifications.inc_by(failed.into());
        }
    }
}

/// The breaker of a backend, which is the same for as long as its endpoint, hosts and target are. Of several that are equal, each
/// has its own, as in KrakenD.
fn breaker(
    rule: &CircuitBreaker,
    endpoint: &model::Endpoint,
    backend: &model::Backend,
    around: &mut Surroundings<'_>,
) -> Arc<Breaker> {
    let (path, target) = (&endpoint.path.text, &backend.url_pattern.text);
    let hosts: Vec<String> = backend.hosts.iter().map(Host::origin).collect();
    let before = endpoint.backends().take_while(|other| !ptr::eq(*other, backend));
    let equals = before.filter(|other| {
        other.url_pattern.text == *target && other.method == backend.method && other.hosts == backend.hosts
    });
    let (methods, method, index) = (&endpoint.methods, &backend.method, equals.count());
    let identity = format!("{methods:?} {path} {method:?} {} {target} {index}", hosts.join(","));
    let name = rule.name.as_ref().unwrap_or(target);
    around.addresses.breakers.entry(identity, name, rule, || around.metrics.upstreams.breaker(path, name))
}

impl TokenUse {
    fn compile(
        policy: &TokenPolicy,
        hosts: &[Host],
        tokens: &TokenTable,
        metrics: &Metrics,
        endpoint: &str,
    ) -> Result<Self, CompileError> {
        let slot = tokens.slot(policy).ok_or_else(|| CompileError::Credential(endpoint.to_owned()))?;
        Ok(Self {
            slot: slot.clone(),
            header: policy.header.clone(),
            header_on_wire: title_case(policy.header.as_str()),
            on_missing: policy.on_missing,
            reject_status: policy.reject_status,
            first_token_wait: policy.first_token_wait,
            refresh_on_status: policy.refresh_on_status.clone().into(),
            replay: policy.replay,
            usual_scheme: policy.credential.scheme.is_none(),
            certificate: policy.credential.certificate_bound.then(BoundCertificate::default),
            dpop: slot.dpop.as_ref().map(|key| DpopUse::compile(key, hosts)),
            metrics: metrics.tokens.for_requests(&slot.name),
        })
    }
}

impl DpopUse {
    fn compile(key: &Arc<DpopKey>, hosts: &[Host]) -> Self {
        let origins = hosts.iter().map(|host| {
            let base = host.origin();
            Origin { nonce: key.nonce(&base), base }
        });
        Self { key: key.clone(), origins: origins.collect() }
    }
}
