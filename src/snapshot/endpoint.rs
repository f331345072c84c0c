//! One endpoint, compiled: what a request that matched it needs from here on.

use crate::cache::HttpCache;
use crate::config::model::{self, Answer, WebSocket};
use crate::guard::bot::BotDetector;
use crate::guard::json_schema::JsonSchema;
use crate::snapshot::CompileError;
use crate::snapshot::addresses::AddressBook;
use crate::snapshot::backend::BackendPlan;
use crate::snapshot::composition::ComposePlan;
use crate::snapshot::conditions::ConditionPlan;
use crate::snapshot::transport::Transports;
use crate::telemetry::metrics::{EndpointMetrics, Metrics};
use crate::token::table::TokenTable;
use std::sync::Arc;
use std::time::Duration;

/// A compiled endpoint, by the way its requests are carried.
#[derive(Debug, Clone)]
pub enum EndpointPlan {
    /// Bytes pass between client and upstream as they come.
    Stream(Arc<StreamPlan>),
    /// The request and the answers of its backends are held whole.
    Compose(Arc<ComposePlan>),
}

/// What every endpoint has.
#[derive(Debug)]
pub struct Common {
    /// The path as configured; its name in logs and metrics.
    pub name: Arc<str>,
    /// For the whole exchange; while bytes pass, until the upstream's head is here and then between two pieces of its body.
    pub timeout: Duration,
    /// The longest body of a request, in bytes; `None`: any.
    pub max_payload: Option<usize>,
    /// The bot detector of the endpoint.
    pub bots: Option<BotDetector>,
    /// What request bodies must be.
    pub json_schema: Option<JsonSchema>,
    /// What must hold of requests and answers.
    pub conditions: Option<ConditionPlan>,
    /// Counters of this endpoint.
    pub metrics: EndpointMetrics,
}

/// An endpoint whose one backend's answer passes as it is.
#[derive(Debug)]
pub struct StreamPlan {
    /// What every endpoint has.
    pub common: Common,
    /// The backend.
    pub backend: BackendPlan,
    /// Whether clients may change to the WebSocket protocol.
    pub websocket: Option<WebSocket>,
}

/// What compiling needs besides the Model: what outlives a Snapshot.
pub struct Surroundings<'a> {
    /// All credentials with their slots.
    pub tokens: &'a TokenTable,
    /// Addresses of upstream names.
    pub addresses: &'a mut AddressBook,
    /// Where requests are counted.
    pub metrics: &'a Metrics,
    /// The cache of all backends that share one, made by the first of them.
    pub shared_cache: Option<Arc<HttpCache>>,
    /// How upstreams are connected to, as far as it is compiled.
    pub transports: Transports,
}

impl EndpointPlan {
    /// Compiles one endpoint.
    ///
    /// # Errors
    /// If a host cannot stand in a header, or the credential is not in the table.
    pub fn compile(endpoint: &model::Endpoint, around: &mut Surroundings<'_>) -> Result<Self, CompileError> {
        let common = Common {
            name: endpoint.path.text.as_str().into(),
            timeout: endpoint.timeout,
            max_payload: endpoint.max_payload,
            bots: endpoint.bots.as_ref().map(BotDetector::new),
            json_schema: endpoint.json_schema.as_ref().map(JsonSchema::new),
            conditions: ConditionPlan::compile(&endpoint.conditions, endpoint, None),
            metrics: around.metrics.endpoint(&endpoint.path.text),
        };
        match &endpoint.answer {
            Answer::NoOp(backend) if !endpoint.is_held(backend) => {
                let backend = BackendPlan::compile(endpoint, backend, around)?;
                Ok(Self::Stream(Arc::new(StreamPlan { common, backend, websocket: endpoint.websocket })))
            }
            Answer::NoOp(backend) => {
                let plan = ComposePlan::passing(common, endpoint, backend, around)?;
                Ok(Self::Compose(Arc::new(plan)))
            }
            Answer::Composed(composition) => {
                let plan = ComposePlan::compile(common, endpoint, composition, around)?;
                Ok(Self::Compose(Arc::new(plan)))
            }
        }
    }

    /// Its backends, shadows among them.
    pub fn backends(&self) -> impl Iterator<Item = &BackendPlan> {
        let (streamed, composed) = match self {
            Self::Stream(plan) => (Some(&plan.backend), None),
            Self::Compose(plan) => (None, Some(plan)),
        };
        streamed.into_iter().chain(composed.into_iter().flat_map(|plan| plan.backends()))
    }

    /// What every endpoint has.
    #[must_use]
    pub fn common(&self) -> &Common {
        match self {
            Self::Stream(plan) => &plan.common,
            Self::Compose(plan) => &plan.common,
        }
    }
}
