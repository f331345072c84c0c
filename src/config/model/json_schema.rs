//! A JSON Schema that is known to be one.
//!
//! It is compiled where it is checked, so that nothing can be found wrong with it later.

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use std::fmt;
use std::sync::Arc;

/// A compiled schema. It leads nowhere outside of itself.
#[derive(Clone)]
pub struct JsonSchema(Arc<Validator>);

impl JsonSchema {
    /// Compiles a schema. Without `$schema` it is one of draft 7, the newest that KrakenD knows.
    ///
    /// Formats are checked, as in KrakenD. Patterns are the linear-time kind that Go has, too: no client can make one slow.
    ///
    /// # Errors
    ///
    /// The first problem, with its place in the schema.
    pub fn compile(schema: &serde_json::Value) -> Result<Self, ValidationError<'static>> {
        let options = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true);
        // A draft that is set here would win over `$schema`.
        let options = if schema.get("$schema").is_some() { options } else { options.with_draft(Draft::Draft7) };
        options.build(schema).map(|validator| Self(Arc::new(validator)))
    }

    /// What checks values.
    pub fn validator(&self) -> &Validator {
        &self.0
    }
}

/// A schema can hold what a `${…}` was filled with.
impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonSchema")
    }
}
