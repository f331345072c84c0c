//! The conditions of an endpoint or a backend, with what of a request they may look at: what its allow-lists let through.

use crate::config::model::{self, AllowList, Condition};
use crate::guard::cel::Conditions;
use crate::snapshot::headers;
use http::HeaderName;

/// Conditions, compiled.
#[derive(Debug)]
pub struct ConditionPlan {
    /// The conditions.
    pub conditions: Conditions,
    /// Request headers that they see.
    pub headers: AllowList<HeaderName>,
    /// Query parameters that they see.
    pub query: AllowList<String>,
    /// Names of the endpoint's placeholders.
    pub names: Box<[String]>,
}

impl ConditionPlan {
    /// Compiles the conditions of an endpoint, or of one of its backends; `None` if there are none.
    #[must_use]
    pub fn compile(
        conditions: &[Condition],
        endpoint: &model::Endpoint,
        backend: Option<&model::Backend>,
    ) -> Option<Self> {
        let own_headers = backend.and_then(|backend| backend.input_headers.as_ref());
        let own_query = backend.and_then(|backend| backend.input_query_strings.as_ref());
        (!conditions.is_empty()).then(|| Self {
            conditions: Conditions::compile(conditions),
            headers: headers::allowed(&endpoint.input_headers, own_headers),
            query: headers::both(&endpoint.input_query_strings, own_query),
            names: endpoint.path.params.clone().into(),
        })
    }
}
