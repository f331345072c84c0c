//! Asking all backends of an endpoint: at once or one after the other, each perhaps with several copies of its request.

use crate::base::Failure;
use crate::compose::Composer;
use crate::compose::answered::Answered;
use crate::compose::call::{Call, Hold};
use crate::compose::kept::Kept;
use crate::compose::part::{LONGEST_ANSWER, Part, part};
use crate::compose::request::ClientRequest;
use crate::compose::trouble::Trouble;
use crate::compose::{circuit, earlier, first_token, merge};
use crate::config::model::EarlierField;
use crate::forward::conditions;
use crate::guard::cel::CelResponse;
use crate::snapshot::composition::{ComposePlan, ComposedBackend};
use crate::snapshot::conditions::ConditionPlan;
use crate::snapshot::target::Params;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{Method, StatusCode};
use log::warn;
use serde_json::Map;
use std::sync::atomic::AtomicU8;
use std::time::{Instant, SystemTime};

/// Longer answers that pass as they are are not kept, in bytes.
const LONGEST_KEPT: usize = 1024 * 1024;

/// What the backends came to.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Their data; `None`: there is not a single answer.
    pub part: Option<Part>,
    /// What went wrong, with the position of the backend.
    pub troubles: Vec<(usize, Trouble)>,
}

impl Gathered {
    /// Adds what one backend came to, in the order of arrival: KrakenD's later arrival overwrites, too.
    fn add(&mut self, index: usize, result: Result<Part, Trouble>) {
        match (result, &mut self.part) {
            (Ok(part), Some(whole)) => {
                merge::merge(&mut whole.data, part.data);
                whole.complete &= part.complete;
            }
            (Ok(part), none) => *none = Some(part),
            (Err(trouble), _) => self.troubles.push((index, trouble)),
        }
    }

    /// Tells of what went wrong: the client does not learn it, and a part that is missing has no line of its own elsewhere.
    pub(super) fn log(&self, plan: &ComposePlan) {
        for (index, trouble) in &self.troubles {
            warn!("endpoint {}: backend {index}: {trouble}", plan.common.name);
        }
    }

    /// Nothing more is to come; some backends were not even asked if `asked` is less than all.
    fn end(mut self, asked: usize, all: usize) -> Self {
        if let Some(part) = self.part.as_mut().filter(|_| asked < all || !self.troubles.is_empty()) {
            part.complete = false;
        }
        self
    }
}

/// One client request on its way to the backends.
pub(super) struct Gathering<'a> {
    pub composer: &'a Composer,
    pub plan: &'a ComposePlan,
    pub request: &'a ClientRequest,
    /// When all must have answered.
    pub deadline: Instant,
    pub attempts: &'a AtomicU8,
}

impl Gathering<'_> {
    /// Asks all backends at once.
    pub(super) async fn at_once(&self, params: &Params) -> Gathered {
        let ask = |(index, backend)| async move { (index, self.ask(backend, params).await) };
        let mut calls: FuturesUnordered<_> = self.plan.backends.iter().enumerate().map(ask).collect();
        let mut gathered = Gathered::default();
        while let Some((index, result)) = calls.next().await {
            gathered.add(index, result);
        }
        let all = self.plan.backends.len();
        gathered.end(all, all)
    }

    /// Asks one backend after the other, for as long as each gives a whole answer.
    pub(super) async fn in_turn(&self, fields: &[EarlierField], mut params: Params) -> Gathered {
        let mut gathered = Gathered::default();
        let mut asked = 0;
        params.earlier.resize(fields.len(), None);
        for (index, backend) in self.plan.backends.iter().enumerate() {
            asked += 1;
            let result = self.ask(backend, &params).await;
            let is_whole = result.as_ref().is_ok_and(|part| part.complete);
            if let Ok(part) = &result {
                earlier::keep(fields, index, &part.data, &mut params.earlier);
            }
            gathered.add(index, result);
            if !is_whole {
                break;
            }
        }
        gathered.end(asked, self.plan.backends.len())
    }

    /// Asks one backend, with as many copies as it is to get: the first whole answer counts, else the last one.
    async fn ask(&self, backend: &ComposedBackend, params: &Params) -> Result<Part, Trouble> {
        if self.plan.concurrent_calls <= 1 {
            return self.ask_once(backend, params).await;
        }
        let copies = 0..self.plan.concurrent_calls;
        let mut calls: FuturesUnordered<_> = copies.map(|_| self.ask_once(backend, params)).collect();
        let mut last = None;
        while let Some(result) = calls.next().await {
            let is_better = result.is_ok() || !matches!(last, Some(Ok(_)));
            if result.as_ref().is_ok_and(|part: &Part| part.complete) {
                return result;
            }
            if is_better {
                last = Some(result);
            }
        }
        last.unwrap_or(Err(Trouble::Failure(Failure::Internal, "no copy")))
    }

    async fn ask_once(&self, backend: &ComposedBackend, params: &Params) -> Result<Part, Trouble> {
        if backend.plan.target.lacks(params) {
            return Err(Trouble::MissingField);
        }
        self.check_request(backend, params)?;
        let permit = circuit::admit(&backend.plan)?;
        if let Some(token) = backend.plan.token.as_ref().filter(|_| self.plan.backends.len() > 1) {
            // Within the time of all: the others' parts are not to wait for a server that is down.
            first_token(token, self.deadline.saturating_duration_since(Instant::now())).await;
        }
        let answered = self.call(backend, params, true, Hold::All(LONGEST_ANSWER + 1)).ask().await;
        let permit = circuit::hear(permit, &answered);
        let part = answered.and_then(|answered| part(answered, backend));
        circuit::tell(permit, &part);
        part
    }

    /// Asks the one backend whose answer passes as it is. It is held only where it is to be kept.
    pub(super) async fn pass(&self, backend: &ComposedBackend, params: &Params) -> Result<Answered, Trouble> {
        self.check_request(backend, params)?;
        let permit = circuit::admit(&backend.plan)?;
        let mut call = self.call(backend, params, false, Hold::Nothing);
        if backend.cache.is_some() && matches!(*call.method(), Method::GET | Method::HEAD) {
            call.hold = Hold::Cacheable(LONGEST_KEPT);
        }
        let answered = call.ask().await;
        circuit::tell(circuit::hear(permit, &answered), &answered);
        let mut answered = answered?;
        // Nobody asked for another protocol: it would tie up both connections.
        if answered.head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Trouble::Failure(Failure::UpstreamProtocol, "101"));
        }
        for plan in [&backend.plan.conditions, &self.plan.common.conditions].into_iter().flatten() {
            check_passing(plan, &answered)?;
        }
        if let Some(rest) = &mut answered.rest {
            rest.bound(backend.plan.timeout);
        }
        Ok(answered)
    }

    fn check_request(&self, backend: &ComposedBackend, params: &Params) -> Result<(), Trouble> {
        conditions::of_backend(&backend.plan, &self.request.view(), params).map_err(Trouble::Condition)
    }

    fn call<'c>(&'c self, backend: &'c ComposedBackend, params: &'c Params, decoded: bool, hold: Hold) -> Call<'c> {
        let own = Instant::now().checked_add(backend.plan.timeout).unwrap_or(self.deadline);
        Call {
            composer: self.composer,
            plan: &backend.plan,
            request: self.request,
            params,
            kept: Kept::of(backend, self.plan),
            decoded,
            hold,
            deadline: own.min(self.deadline),
            attempts: self.attempts,
        }
    }
}

/// Judges an answer that passes as it is: there is no data to look at.
fn check_passing(plan: &ConditionPlan, answered: &Answered) -> Result<(), Trouble> {
    let (status, headers) = (answered.head.status.as_u16(), &answered.head.headers);
    let response = CelResponse { completed: true, status, headers, data: &Map::new() };
    plan.conditions.allows_response(&response, SystemTime::now()).map_err(Trouble::Condition)
}
