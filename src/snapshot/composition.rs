//! An endpoint whose answer is made of its backends' answers, compiled.

use crate::cache::HttpCache;
use crate::config::model::{
    self, Backend, Composition, Decoding, ErrorStatus, FlatmapOperation, OutputEncoding, Sequential, Shadow, StaticData,
};
use crate::snapshot::CompileError;
use crate::snapshot::backend::BackendPlan;
use crate::snapshot::endpoint::{Common, Surroundings};
use http::HeaderValue;
use std::sync::Arc;
use std::time::Duration;

/// A compiled composition.
#[derive(Debug)]
pub struct ComposePlan {
    /// What every endpoint has.
    pub common: Common,
    /// The backends whose answers count. At least one.
    pub backends: Box<[ComposedBackend]>,
    /// The backends that only get a copy of the request.
    pub shadows: Box<[ShadowPlan]>,
    /// How the answer is encoded; no-op: it is that of the one backend, as it came.
    pub output: OutputEncoding,
    /// `Cache-Control` of complete answers.
    pub cache_control: Option<HeaderValue>,
    /// How many copies of its request each backend gets.
    pub concurrent_calls: u8,
    /// One backend after the other; `None`: all at once.
    pub sequential: Option<Sequential>,
    /// What is done to the merged data.
    pub flatmap: Box<[FlatmapOperation]>,
    /// Data that is added to it.
    pub static_data: Option<StaticData>,
}

/// A backend whose answer is decoded.
#[derive(Debug)]
pub struct ComposedBackend {
    /// Where its requests go.
    pub plan: BackendPlan,
    /// What becomes of its answers.
    pub decoding: Decoding,
    /// What the client learns of its error statuses.
    pub errors: ErrorStatus,
    /// Where its answers are kept.
    pub cache: Option<Arc<HttpCache>>,
}

/// A backend that gets a copy.
#[derive(Debug)]
pub struct ShadowPlan {
    /// Where the copy goes.
    pub plan: BackendPlan,
    /// How long it may take.
    pub timeout: Duration,
}

impl ComposePlan {
    /// Compiles a composition.
    ///
    /// # Errors
    /// If a host cannot stand in a header, or a credential is not in the table.
    pub fn compile(
        common: Common,
        endpoint: &model::Endpoint,
        composition: &Composition,
        around: &mut Surroundings<'_>,
    ) -> Result<Self, CompileError> {
        let backends = composition.backends.iter().map(|backend| composed(endpoint, backend, around));
        let backends = backends.collect::<Result<_, _>>()?;
        let shadows = composition.shadows.iter().map(|shadow| shadowed(endpoint, shadow, around));
        let shadows = shadows.collect::<Result<_, _>>()?;
        Ok(Self {
            common,
            backends,
            shadows,
            output: composition.output,
            cache_control: cache_control(composition.cache_ttl)?,
            concurrent_calls: composition.concurrent_calls,
            sequential: composition.sequential.clone(),
            flatmap: composition.flatmap.clone().into(),
            static_data: composition.static_data.clone(),
        })
    }

    /// Compiles an endpoint whose one backend's answer passes as it is, but not as it comes.
    ///
    /// # Errors
    /// If a host cannot stand in a header, or a credential is not in the table.
    pub fn passing(
        common: Common,
        endpoint: &model::Endpoint,
        backend: &Backend,
        around: &mut Surroundings<'_>,
    ) -> Result<Self, CompileError> {
        Ok(Self {
            common,
            backends: Box::new([composed(endpoint, backend, around)?]),
            shadows: Box::new([]),
            output: OutputEncoding::NoOp,
            cache_control: None,
            concurrent_calls: 1,
            sequential: None,
            flatmap: Box::new([]),
            static_data: None,
        })
    }

    /// All backends that are asked.
    pub fn backends(&self) -> impl Iterator<Item = &BackendPlan> {
        self.backends.iter().map(|backend| &backend.plan).chain(self.shadows.iter().map(|shadow| &shadow.plan))
    }

    /// How many requests to backends are under way at the same time, shadows not among them.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        let at_once = if self.sequential.is_some() { 1 } else { self.backends.len() };
        at_once * usize::from(self.concurrent_calls.max(1))
    }

    /// Whether the status of the backend at `index` may be the endpoint's: it is the only one, or the others were not asked
    /// because of it.
    #[must_use]
    pub fn passes_status(&self, index: usize) -> bool {
        index == 0 && (self.backends.len() == 1 || self.sequential.is_some())
    }
}

fn composed(
    endpoint: &model::Endpoint,
    backend: &Backend,
    around: &mut Surroundings<'_>,
) -> Result<ComposedBackend, CompileError> {
    let plan = BackendPlan::compile(endpoint, backend, around)?;
    Ok(ComposedBackend {
        plan,
        decoding: backend.decoding.clone(),
        errors: backend.errors.clone(),
        cache: backend.http_cache.map(|cache| kept_in(cache, around)),
    })
}

/// The backend's own cache, or the one it shares.
fn kept_in(cache: model::HttpCache, around: &mut Surroundings<'_>) -> Arc<HttpCache> {
    let new = || Arc::new(HttpCache::new(cache.max_items.get(), cache.max_size.get()));
    if cache.shared { around.shared_cache.get_or_insert_with(new).clone() } else { new() }
}

fn shadowed(
    endpoint: &model::Endpoint,
    shadow: &Shadow,
    around: &mut Surroundings<'_>,
) -> Result<ShadowPlan, CompileError> {
    Ok(ShadowPlan { plan: BackendPlan::compile(endpoint, &shadow.backend, around)?, timeout: shadow.timeout })
}

fn cache_control(ttl: Duration) -> Result<Option<HeaderValue>, CompileError> {
    if ttl.is_zero() {
        return Ok(None);
    }
    let text = format!("public, max-age={}", ttl.as_secs());
    HeaderValue::from_str(&text).map(Some).map_err(|_| CompileError::Header(text))
}
