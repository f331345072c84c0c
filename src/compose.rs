//! Endpoints whose answer is made of what their backends answered: fan out, decode, shape, merge, encode.
//!
//! It is a second carrier of what `forward` decides, beside `proxy`: the same allow-lists, tokens and hosts, over Pingora's own
//! connector. It holds request and answers whole, within bounds; what passes as it comes is `proxy`'s.

mod answer;
mod answered;
mod call;
mod circuit;
pub mod decode;
mod earlier;
mod early_answer;
mod elsewhere;
pub mod encode;
mod exchange;
pub mod exchanges;
pub mod flatmap;
mod gather;
pub mod json;
mod kept;
mod loan;
pub mod merge;
mod part;
mod prepare;
pub mod probe;
mod redirect;
pub mod request;
mod shadow;
pub mod shape;
mod trouble;
mod unanswered;
pub mod xml;
pub mod yaml;

pub use answer::{Answer, Content};
pub use answered::{Answered, Rest};

use crate::base::Failure;
use crate::config::model::OutputEncoding;
use crate::snapshot::backend::TokenUse;
use crate::snapshot::composition::ComposePlan;
use crate::snapshot::target::Params;
use exchanges::Exchanges;
use gather::Gathering;
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;
use request::{ClientRequest, Held, MOST_HELD};
use shadow::Shadows;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use trouble::Trouble;

/// The part of the endpoint's timeout that several backends have, and that copies of one request have: what is left is for
/// making one answer of theirs. They are KrakenD's (lura's `proxy/merging.go` and `proxy/concurrent.go`).
const FOR_SEVERAL: f64 = 0.85;
const FOR_COPIES: f64 = 0.75;

/// What all composed endpoints share.
pub struct Composer {
    connector: Arc<Connector>,
    exchanges: Arc<Exchanges>,
    shadows: Shadows,
    held: Arc<Semaphore>,
    strangers: elsewhere::Addresses,
}

impl Composer {
    /// Keeps idle connections as `options` say, and has no more requests under way than there may be.
    #[must_use]
    pub fn new(options: ConnectorOptions, exchanges: Arc<Exchanges>) -> Self {
        Self {
            connector: Arc::new(Connector::new(Some(options))),
            exchanges,
            shadows: Shadows::default(),
            held: Arc::new(Semaphore::new(MOST_HELD)),
            strangers: elsewhere::Addresses::default(),
        }
    }

    /// A share of what the bodies of all requests may take.
    #[must_use]
    pub fn held(&self) -> Held {
        Held::new(self.held.clone())
    }

    /// The answer to a request.
    pub async fn answer(
        self: &Arc<Self>,
        plan: &Arc<ComposePlan>,
        request: &Arc<ClientRequest>,
        params: Params,
        with_message: bool,
    ) -> Answer {
        let Some(_reserved) = self.exchanges.reserve(plan.exchanges().saturating_sub(1)) else {
            let trouble = Trouble::Failure(Failure::Overloaded, "upstream connections");
            return answer::passed(plan, Err(trouble), with_message);
        };
        if let [only] = &*plan.backends
            && let Some(token) = &only.plan.token
        {
            // The endpoint's timeout begins afterwards: it is the backend's.
            first_token(token, token.first_token_wait).await;
        }
        self.shadows.send(self, plan, request, &params);
        let attempts = AtomicU8::new(0);
        let deadline = Instant::now().checked_add(time_for(plan)).unwrap_or_else(Instant::now);
        let gathering = Gathering { composer: self, plan, request, deadline, attempts: &attempts };
        let passing = plan.backends.first().filter(|_| plan.output == OutputEncoding::NoOp);
        if let Some(backend) = passing {
            let passed = gathering.pass(backend, &params).await;
            return answer::passed(plan, passed, with_message).after(attempts.into_inner());
        }
        let gathered = match &plan.sequential {
            Some(sequential) => gathering.in_turn(&sequential.fields, params).await,
            None => gathering.at_once(&params).await,
        };
        gathered.log(plan);
        answer::answer(plan, gathered, request, with_message).after(attempts.into_inner())
    }
}

/// How long the backends have. The timeout of an only backend is the endpoint's, whichever of the two is longer.
fn time_for(plan: &ComposePlan) -> Duration {
    let (timeout, part): (_, f64) = match &*plan.backends {
        [only] => (only.plan.timeout, 1.0),
        _ => (plan.common.timeout, FOR_SEVERAL),
    };
    timeout.mul_f64(if plan.concurrent_calls > 1 { part.min(FOR_COPIES) } else { part })
}

/// Waits for the very first token of a credential, no longer than this.
async fn first_token(token: &TokenUse, wait: Duration) {
    let now = Instant::now();
    if !token.slot.is_usable(now) && !token.slot.has_started() {
        token.slot.started_within(token.first_token_wait.min(wait)).await;
        token.metrics.waited(now.elapsed());
    }
}
