//! Copies of requests for backends with `proxy.shadow`: nobody waits for their answers.

use crate::compose::Composer;
use crate::compose::call::{Call, Hold};
use crate::compose::circuit;
use crate::compose::request::ClientRequest;
use crate::forward::conditions;
use crate::snapshot::composition::{ComposePlan, ShadowPlan};
use crate::snapshot::target::Params;
use log::debug;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Copies that may be under way at once. Past it, or where clients' requests need the descriptors, they are left out: a slow shadow
/// must not fill the memory.
const MOST: usize = 1024;

/// The longest answer that is read to its end, in bytes, so that its connection is kept. Of a longer one nobody wants the rest.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How many more copies may be sent.
pub(super) struct Shadows(Arc<Semaphore>);

impl Default for Shadows {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Shadows {
    /// Sends a copy to each shadow of an endpoint.
    pub(super) fn send(
        &self,
        composer: &Arc<Composer>,
        plan: &Arc<ComposePlan>,
        request: &Arc<ClientRequest>,
        params: &Params,
    ) {
        for index in 0..plan.shadows.len() {
            let permit = self.0.clone().try_acquire_owned().ok().zip(composer.exchanges.reserve(1));
            let Some(permit) = permit else {
                debug!("endpoint {}: a shadow copy is left out: too many are under way", plan.common.name);
                return;
            };
            let (composer, plan, request, params) = (composer.clone(), plan.clone(), request.clone(), params.clone());
            tokio::spawn(async move {
                if let Some(shadow) = plan.shadows.get(index) {
                    copy(&composer, shadow, &request, &params).await;
                }
                drop(permit);
            });
        }
    }
}

async fn copy(composer: &Composer, shadow: &ShadowPlan, request: &ClientRequest, params: &Params) {
    let is_allowed = conditions::of_backend(&shadow.plan, &request.view(), params).is_ok();
    // A shadow is asked at once, when no earlier backend has answered yet.
    if !is_allowed || shadow.plan.target.lacks(params) {
        return;
    }
    let Ok(permit) = circuit::admit(&shadow.plan) else { return };
    let now = Instant::now();
    let call = Call {
        composer,
        plan: &shadow.plan,
        request,
        params,
        kept: None,
        decoded: true,
        hold: Hold::All(LONGEST_ANSWER),
        deadline: now.checked_add(shadow.timeout).unwrap_or(now),
        attempts: &AtomicU8::new(0),
    };
    let answered = call.ask().await;
    circuit::tell(circuit::hear(permit, &answered), &answered);
}
