//! Asks the addresses of backends with `health` whether they are well, again and again, in the background. Backends that would ask
//! the same share one check; requests read nothing but its flag.

use crate::base::random;
use crate::compose::probe;
use crate::config::model::HealthCheck;
use crate::snapshot::Snapshot;
use crate::snapshot::health::CheckState;
use crate::snapshot::roster::Roster;
use crate::snapshot::targets::Target;
use log::{info, warn};
use pingora_core::connectors::http::Connector;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// How often it is looked whether there are other addresses.
const EVERY: Duration = Duration::from_millis(500);

/// The backends whose addresses are asked.
pub(super) struct HealthChecks {
    rosters: Vec<Arc<Roster>>,
    connector: Arc<Connector>,
}

/// What is asked where.
struct Question {
    target: Arc<Target>,
    state: Arc<CheckState>,
    check: HealthCheck,
}

impl HealthChecks {
    /// The checks of a configuration; `None`: it wants none.
    pub(super) fn of(snapshot: &Snapshot) -> Option<Self> {
        let rosters = snapshot.backends().map(|plan| &plan.upstream.roster);
        let rosters: Vec<_> = rosters.filter(|roster| roster.health().is_some()).cloned().collect();
        (!rosters.is_empty()).then(|| Self { rosters, connector: Arc::new(Connector::new(None)) })
    }

    /// Asks until the task is dropped. An address that is there no longer is not asked again.
    pub(super) async fn run(&self) {
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<usize, AbortHandle> = BTreeMap::new();
        loop {
            let mut wanted = self.questions();
            running.retain(|key, task| {
                let goes_on = wanted.remove(key).is_some() && !task.is_finished();
                if !goes_on {
                    task.abort();
                }
                goes_on
            });
            for (key, question) in wanted {
                running.insert(key, tasks.spawn(question.keep_asking(self.connector.clone())));
            }
            while tasks.try_join_next().is_some() {}
            sleep(EVERY).await;
        }
    }

    /// Each told from the others by where its state is: nothing else is there while its task holds it.
    fn questions(&self) -> BTreeMap<usize, Question> {
        let mut questions = BTreeMap::new();
        for (roster, check) in self.rosters.iter().filter_map(|roster| Some((roster, roster.health()?))) {
            for target in roster.targets().all() {
                let Some(state) = &target.check else { continue };
                questions.entry(Arc::as_ptr(state).addr()).or_insert_with(|| Question {
                    target: target.clone(),
                    state: state.clone(),
                    check: check.clone(),
                });
            }
        }
        questions
    }
}

impl Question {
    async fn keep_asking(self, connector: Arc<Connector>) {
        loop {
            let answer = probe::is_well(&connector, &self.target, &self.check).await;
            let is_ours = answer.as_ref().is_err_and(probe::Unwell::is_ours);
            if !is_ours && let Some(is_up) = self.state.observe(answer.is_ok(), &self.check) {
                let Target { host, address, .. } = &*self.target;
                match answer {
                    Err(problem) if !is_up => warn!("upstream {} at {address} is unwell: {problem}", host.origin),
                    _ => info!("upstream {} at {address} is well again", host.origin),
                }
            }
            // Not all at the same time, whenever they began.
            sleep(self.check.interval.mul_f64(0.9 + 0.2 * random::fraction())).await;
        }
    }
}
