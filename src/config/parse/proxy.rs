//! `extra_config.proxy`: of an endpoint how its backends are asked and what is added to their data, of a backend whether it
//! only gets a copy of the request.

use super::super::code;
use super::super::document::{Node, Value};
use super::super::keys::Level;
use super::super::model::{FlatmapOperation, StaticData};
use super::super::read::{Context, Object};
use super::shape::{flatmap, static_data};
use std::time::Duration;

/// What `proxy` says of an endpoint.
#[derive(Default)]
pub(super) struct EndpointProxy {
    pub sequential: bool,
    pub flatmap: Vec<FlatmapOperation>,
    pub static_data: Option<StaticData>,
}

/// What a backend is there for.
#[derive(Clone, Copy, Default)]
pub(super) enum Role {
    /// Its answer counts.
    #[default]
    Part,
    /// It gets a copy of the request, and may take this long.
    Shadow(Option<Duration>),
}

/// What `proxy` says of a backend.
#[derive(Default)]
pub(super) struct BackendProxy<'d> {
    pub flatmap: Option<&'d Node>,
    pub role: Role,
}

const LEVEL: Level = Level::Namespace("proxy");

impl EndpointProxy {
    pub(super) fn read(cx: &mut Context<'_>, node: Option<&Node>) -> Self {
        let Some(object) = node.and_then(|node| Object::open(cx, node, LEVEL)) else { return Self::default() };
        belongs(cx, &object, &["shadow", "shadow_timeout"], "a backend");
        combiner(cx, &object);
        let read = Self {
            sequential: object.boolean(cx, "sequential"),
            flatmap: object.get("flatmap_filter").map(|node| flatmap(cx, node)).unwrap_or_default(),
            static_data: object.get("static").and_then(|node| static_data(cx, node)),
        };
        if cx.no_op {
            without_effect(cx, &object, &["sequential", "flatmap_filter", "static"]);
        }
        read
    }
}

impl<'d> BackendProxy<'d> {
    pub(super) fn read(cx: &mut Context<'_>, node: Option<&'d Node>) -> Self {
        let Some(object) = node.and_then(|node| Object::open(cx, node, LEVEL)) else { return Self::default() };
        let of_endpoints = ["sequential", "sequential_propagated_params", "static", "combiner", "max_payload"];
        belongs(cx, &object, &of_endpoints, "an endpoint");
        let timeout = object.duration(cx, "shadow_timeout");
        let role = if object.boolean(cx, "shadow") { Role::Shadow(timeout) } else { Role::Part };
        Self { flatmap: object.get("flatmap_filter"), role }
    }
}

fn belongs(cx: &mut Context<'_>, object: &Object<'_>, keys: &[&str], whose: &str) {
    for member in keys.iter().filter_map(|key| object.member(key)) {
        let message = format!("{} belongs to the `proxy` of {whose}", member.name());
        cx.error(&member.value, code::WRONG_LEVEL, message, format!("move it into the `extra_config` of {whose}"));
    }
}

fn without_effect(cx: &mut Context<'_>, object: &Object<'_>, keys: &[&str]) {
    for member in keys.iter().filter_map(|key| object.member(key)) {
        if member.value.value != Value::Bool(false) {
            let message = format!("{} has no effect: no-op passes answers as they are", member.name());
            cx.warning(&member.value, code::NO_EFFECT, message, "remove it");
        }
    }
}

/// KrakenD has one way of merging unless a plugin brings another.
fn combiner(cx: &mut Context<'_>, object: &Object<'_>) {
    let Some(node) = object.get("combiner") else { return };
    if cx.string(node).is_some_and(|text| text != "default") {
        cx.error(node, code::VALUE, "there is one way of merging: `default`", "remove `combiner`");
    }
}
