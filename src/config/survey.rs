//! One walk over a parsed text before anything reads it: which parts are ours, what of them may be shown, and which keys are
//! written twice.

use super::code;
use super::diagnostic::{Diagnostic, Diagnostics, Span};
use super::document::{Member, Node, Value};
use super::keys::{self, Key, Level, Support, martian};
use super::show::{self, Show};
use super::suggest;
use std::collections::HashMap;

/// Fills in what [`Node`] and [`Member`] say about themselves.
pub(super) fn survey(root: &mut Node, diagnostics: &mut Diagnostics) {
    walk(root, Place::Keys(Level::Root), true, diagnostics);
    // What an alias stands for is written once: the strictest of its uses decides.
    let mut least = HashMap::new();
    gather(root, &mut least);
    settle(root, &least);
}

/// What stands at a place of the tree.
#[derive(Clone, Copy)]
enum Place {
    /// An object with the keys of a level, or a list of such.
    Keys(Level),
    /// `extra_config`.
    Namespaces,
    /// Credentials by their names.
    Credentials,
    /// Parameters of a token request: every key counts, as it is spelled.
    Parameters,
    /// `mapping`: names of fields, which people choose.
    Names,
    /// A JSON Schema: every key counts, as it is spelled.
    Schema,
    /// A modifier by its name, or a list of such.
    Modifier,
    /// The value of a modifier's key.
    ModifierValue(Show),
    /// The value of a known key.
    Value(Show),
    /// Nothing that we know.
    Foreign,
}

fn walk(node: &mut Node, place: Place, read: bool, diagnostics: &mut Diagnostics) {
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, place, read, diagnostics)),
        Value::Object(members) => {
            let mut after_nothing = false;
            for member in members.iter_mut() {
                let (inside, ours) = below(place, &member.key);
                member.read = ours;
                member.shown = shown_length(member, place, after_nothing);
                after_nothing = member.value.value == Value::Null;
                walk(&mut member.value, inside, read && ours, diagnostics);
            }
            if read {
                report_duplicates(members, place, diagnostics);
            }
        }
        _ => {
            if let Place::Value(show) | Place::ModifierValue(show) = place {
                node.show = show;
                node.per_request = matches!(place, Place::ModifierValue(_));
            }
        }
    }
}

/// What a key leads to, and whether porteur reads it.
fn below(place: Place, key: &str) -> (Place, bool) {
    match place {
        Place::Keys(level) => match level.key(key) {
            Some(key) => (of_key(level, key), true),
            None => (Place::Foreign, false),
        },
        Place::Namespaces => {
            let row = keys::namespace(keys::modern_name(key).unwrap_or(key));
            match row.filter(|row| row.support == Support::Supported) {
                Some(row) if row.name == "auth/credentials" => (Place::Credentials, true),
                Some(row) if row.name == "validation/json-schema" => (Place::Schema, true),
                Some(row) if row.name == "modifier/martian" => (Place::Modifier, true),
                Some(row) => (Place::Keys(Level::Namespace(row.name)), true),
                None => (Place::Foreign, false),
            }
        }
        Place::Credentials => (Place::Keys(Level::Namespace("auth/client-credentials")), true),
        Place::Parameters => (Place::Value(Show::Never), true),
        Place::Names => (Place::Value(Show::Word), true),
        Place::Schema => (Place::Schema, true),
        Place::Modifier => match martian::modifier(key) {
            Some(row) => (Place::Keys(Level::Namespace(row.level)), true),
            None => (Place::Foreign, false),
        },
        Place::Value(_) | Place::ModifierValue(_) | Place::Foreign => (Place::Foreign, true),
    }
}

fn of_key(level: Level, key: &Key) -> Place {
    match (level, key.name) {
        (Level::Root, "endpoints") => Place::Keys(Level::Endpoint),
        (Level::Endpoint, "backend") => Place::Keys(Level::Backend),
        (_, "extra_config") => Place::Namespaces,
        (_, "endpoint_params" | "request_headers") => Place::Parameters,
        (Level::Backend, "mapping") => Place::Names,
        (Level::Namespace("router"), "error_body") => Place::Keys(Level::Namespace("router.error_body")),
        (Level::Namespace("auth/client-credentials"), "tls") => {
            Place::Keys(Level::Namespace("auth/client-credentials.tls"))
        }
        (Level::Root | Level::Namespace("listeners"), "tls") => Place::Keys(Level::Namespace("tls")),
        (Level::Namespace("tls"), "keys") => Place::Keys(Level::Namespace("tls.keys")),
        (Level::Namespace("proxy"), "flatmap_filter") => Place::Keys(Level::Namespace("proxy.flatmap_filter")),
        (Level::Namespace("proxy"), "static") => Place::Keys(Level::Namespace("proxy.static")),
        (Level::Namespace(name), _) if name.starts_with("modifier/martian.") => of_modifier_key(name, key),
        _ => level.below(key).map_or_else(|| Place::Value(show::of_key(key)), Place::Keys),
    }
}

fn of_modifier_key(level: &str, key: &Key) -> Place {
    match key.name {
        "modifiers" if level == "modifier/martian.priority.Group" => {
            Place::Keys(Level::Namespace(martian::PRIORITY_ENTRY))
        }
        "modifier" | "else" | "modifiers" => Place::Modifier,
        "explicitPaths" => Place::Parameters,
        _ => Place::ModifierValue(show::of_key(key)),
    }
}

/// A name nobody knows is shown where names stand. Not so beside a key without value: `{client_secret, hunter2}`.
fn shown_length(member: &Member, place: Place, after_nothing: bool) -> usize {
    let key = member.key.as_str();
    if keys::is_known(key) {
        return key.len();
    }
    let known = match place {
        Place::Keys(level) => suggest::closest(key, level.keys().iter().map(|key| key.name)).is_some(),
        Place::Namespaces | Place::Credentials | Place::Names | Place::Schema => true,
        Place::Modifier => suggest::closest(key, martian::MODIFIERS.iter().map(|row| row.name)).is_some(),
        Place::Parameters => false,
        Place::Value(_) | Place::ModifierValue(_) | Place::Foreign => return 0,
    };
    let suspicious = !known && (after_nothing || member.value.value == Value::Null);
    let length = show::key_length(key);
    if suspicious && !key.get(..length).is_some_and(keys::is_known) { 0 } else { length }
}

/// Keys of ours are matched without regard to case, as in KrakenD, and which one would win is chance; others as written.
fn report_duplicates(members: &[Member], place: Place, diagnostics: &mut Diagnostics) {
    let folds = matches!(place, Place::Keys(_));
    let mut seen: HashMap<String, &Member> = HashMap::new();
    for member in members {
        let unread = !matches!(place, Place::Parameters | Place::Schema) && keys::is_comment(&member.key);
        let key = if folds { member.key.to_lowercase() } else { member.key.clone() };
        match seen.get(&key) {
            _ if unread => {}
            Some(first) => diagnostics.push(duplicate(first, member, diagnostics)),
            None => {
                seen.insert(key, member);
            }
        }
    }
}

fn duplicate(first: &Member, second: &Member, diagnostics: &Diagnostics) -> Diagnostic {
    let line = diagnostics.line_of(first.key_span.start);
    let spelled = if first.key == second.key { String::new() } else { format!(" as {}", first.name()) };
    let message = format!("the key {} is written twice, first on line {line}{spelled}", second.name());
    Diagnostic::error(code::DUPLICATE_KEY, Some(second.key_span.clone()), message)
        .label("written again here")
        .help("keep one of the two; keys are compared without regard to case")
}

fn gather(node: &Node, least: &mut HashMap<Span, Show>) {
    match &node.value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, least)),
        Value::Object(members) => members.iter().for_each(|member| gather(&member.value, least)),
        _ => {
            least.entry(node.span.clone()).and_modify(|show| *show = node.show.min(*show)).or_insert(node.show);
        }
    }
}

fn settle(node: &mut Node, least: &HashMap<Span, Show>) {
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| settle(item, least)),
        Value::Object(members) => members.iter_mut().for_each(|member| settle(&mut member.value, least)),
        _ => node.show = least.get(&node.span).copied().unwrap_or(Show::Never),
    }
}
