//! Yes or no before a request goes on: each guard looks at one thing, and knows nothing of who carries its answer out.

pub mod bot;
pub mod cel;
pub mod json_schema;
