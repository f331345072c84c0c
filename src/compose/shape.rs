//! What a backend's part of the configuration leaves of its data: `target`, then the filter, then `mapping`, then `group`.

use super::flatmap;
use crate::config::model::{Decoding, Field, Fields, Filter};
use serde_json::{Map, Value};

/// Shapes the data of one backend's answer.
pub fn apply(decoding: &Decoding, data: Map<String, Value>) -> Map<String, Value> {
    let mut data = extract(&decoding.target, data);
    match &decoding.filter {
        Filter::None => {}
        Filter::Allow(fields) => keep(fields, &mut data),
        Filter::Deny(fields) => remove(fields, &mut data),
        Filter::Flatmap(operations) => data = flatmap::apply(operations, data),
    }
    rename(&decoding.mapping, &mut data);
    match &decoding.group {
        Some(name) => Map::from_iter([(name.clone(), Value::Object(data))]),
        None => data,
    }
}

/// The object at a path; nothing when there is none.
fn extract(path: &[String], mut data: Map<String, Value>) -> Map<String, Value> {
    for step in path {
        data = match data.remove(step) {
            Some(Value::Object(inner)) => inner,
            _ => Map::new(),
        };
    }
    data
}

/// A field with parts that are allowed must be an object, and goes when none of them is left: a list on the way goes as a whole.
fn keep(allowed: &Fields, data: &mut Map<String, Value>) {
    data.retain(|name, value| match (allowed.get(name), value) {
        (Some(Field::Whole), _) => true,
        (Some(Field::Within(fields)), Value::Object(inner)) => {
            keep(fields, inner);
            !inner.is_empty()
        }
        _ => false,
    });
}

/// What has parts that are denied stays when none of them is left, and when it is no object: a list on the way stays whole.
fn remove(denied: &Fields, data: &mut Map<String, Value>) {
    for (name, field) in denied.iter() {
        match (field, data.get_mut(name)) {
            (Field::Whole, Some(_)) => {
                data.remove(name);
            }
            (Field::Within(fields), Some(Value::Object(inner))) => remove(fields, inner),
            _ => {}
        }
    }
}

/// All fields leave their places before any takes its new one. KrakenD goes one by one in an order that changes from request
/// to request, so that two fields which trade names lose one of their values.
fn rename(mapping: &[(String, String)], data: &mut Map<String, Value>) {
    let moved: Vec<_> = mapping.iter().filter_map(|(old, new)| Some((new, data.remove(old)?))).collect();
    for (new, value) in moved {
        data.insert(new.clone(), value);
    }
}

#[cfg(test)]
mod tests;
