//! Files and environment to a validated [`model::Model`], with every problem reported at its place.

pub mod diagnostic;
pub mod model;
