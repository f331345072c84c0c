//! The circuit breaker of a decoded backend: which calls pass, and what counts as a failure. That is what gives KrakenD no data
//! either: no answer, a status that is no success, a body that cannot be decoded. What goes wrong on our own side is not the backend's.
//! A breaker with a list of statuses stands closer to the backend: it only knows whether there was an answer, and with which status.

use crate::base::Failure;
use crate::compose::answered::Answered;
use crate::compose::trouble::Trouble;
use crate::snapshot::backend::BackendPlan;
use crate::snapshot::breaker::Permit;
use std::time::Instant;

/// Lets a call pass.
pub(super) fn admit(plan: &BackendPlan) -> Result<Option<Permit>, Trouble> {
    let admitted = plan.breaker.as_ref().map(|breaker| breaker.admit(Instant::now())).transpose();
    admitted.map_err(|_| Trouble::Failure(Failure::CircuitOpen, "circuit open"))
}

/// Tells a breaker with a list of statuses what came of a call. Others learn later what became of the answer.
pub(super) fn hear(permit: Option<Permit>, answered: &Result<Answered, Trouble>) -> Option<Permit> {
    let permit = permit?;
    if !permit.is_by_status() {
        return Some(permit);
    }
    match answered {
        Ok(answered) => permit.answered(answered.head.status, Instant::now()),
        Err(trouble) if is_of_backend(trouble) => permit.fail(Instant::now()),
        Err(_) => {}
    }
    None
}

/// Tells its breaker what a call came to.
pub(super) fn tell<T>(permit: Option<Permit>, result: &Result<T, Trouble>) {
    let Some(permit) = permit else { return };
    match result {
        Ok(_) => permit.succeed(Instant::now()),
        Err(trouble) if is_of_backend(trouble) => permit.fail(Instant::now()),
        Err(_) => {}
    }
}

const fn is_of_backend(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Failure(failure, _) => failure.is_of_upstream(),
        Trouble::Status(_)
        | Trouble::Undecodable(_)
        | Trouble::ContentEncoding(_)
        | Trouble::TooLong(_)
        | Trouble::Redirect(_) => true,
        Trouble::Condition(_) | Trouble::Modifier(_) | Trouble::MissingField => false,
    }
}
