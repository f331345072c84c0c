//! A configuration compiled as `porteur run` compiles it, with a token for each of its credentials.

use porteur::base::{Moment, Secret};
use porteur::config::model::Model;
use porteur::config::{self, Format, Options};
use porteur::snapshot::Snapshot;
use porteur::snapshot::addresses::AddressBook;
use porteur::telemetry::metrics::Metrics;
use porteur::token::schedule::Life;
use porteur::token::slot::Token;
use porteur::token::table::TokenTable;
use std::collections::HashMap;
use std::time::Duration;

/// What every credential has.
pub const TOKEN: &str = "fuzz-token";

/// The Model of a configuration, if it is one.
pub fn model(text: &str) -> Result<Model, String> {
    let environment = HashMap::<String, String>::new();
    let loaded = config::load_text("fuzz.json", Format::Json, text, &Options::default(), &environment);
    loaded.model.ok_or_else(|| loaded.report.render(false))
}

/// A Snapshot of a Model that compiles; the slots of its tokens live in it.
pub fn snapshot(model: &Model) -> Snapshot {
    let tokens = TokenTable::of(model).expect("no key is needed");
    let now = Moment::now();
    let unusable_at = now.instant.checked_add(Duration::from_secs(3600 * 24 * 365));
    let life = Life { refresh_at: None, unusable_at, expires_at: unusable_at };
    for slot in tokens.slots() {
        slot.publish(Token::new("Bearer", &Secret::new(TOKEN.to_owned()), 1, life, now).expect("a header"));
    }
    let metrics = Metrics::new().expect("no name twice");
    Snapshot::compile(model, &tokens, &mut AddressBook::default(), &metrics).expect("what is valid compiles")
}
