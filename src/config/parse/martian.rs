//! `modifier/martian` of a backend: the tree of modifiers, each with the side it runs on.
//!
//! KrakenD logs what it cannot parse and then runs the backend without any modifier (`krakend-martian/martian.go`); here
//! each such problem is an error with its place.

mod cookie;
mod fields;
mod files;
mod headers;
mod scope;
mod template;
mod url;

use crate::config::code;
use crate::config::diagnostic::Diagnostic;
use crate::config::document::{Member, Node};
use crate::config::keys::martian::{self as keys, MODIFIERS, PRIORITY_ENTRY};
use crate::config::keys::{Level, is_comment};
use crate::config::model::martian::{Action, Condition, Filter, Group, Modifier, Sides};
use crate::config::model::{EndpointPath, Martian, TokenPolicy};
use crate::config::read::{Context, Object, quoted};
use crate::config::suggest;
use fields::{Reader, required};
use http::StatusCode;

/// Reads the namespace. Without a valid endpoint path, `${request.param.…}` cannot be checked, all else is.
pub(super) fn martian(
    cx: &mut Context<'_>,
    node: &Node,
    endpoint: Option<(&EndpointPath, &Node)>,
    token: Option<&TokenPolicy>,
) -> Option<Martian> {
    let reader = Reader { endpoint, token: token.map(|token| &token.header) };
    modifier(cx, &reader, node, Sides::BOTH).map(Martian::new)
}

/// A modifier inside something that runs on these sides only.
fn modifier(cx: &mut Context<'_>, reader: &Reader<'_>, node: &Node, outer: Sides) -> Option<Modifier> {
    let member = the_one(cx, node)?;
    let Some(row) = keys::modifier(&member.key) else {
        unknown(cx, member);
        return None;
    };
    let object = Object::open(cx, &member.value, Level::Namespace(row.level))?;
    let sides = scope::sides(cx, member, &object, row.sides, outer);
    let known = Known { reader, member, object: &object, sides };
    let action = action(cx, &known);
    Some(Modifier { sides, action: action? })
}

/// The one member that is no comment.
fn the_one<'d>(cx: &mut Context<'_>, node: &'d Node) -> Option<&'d Member> {
    const HELP: &str = "write one object for each modifier, and list several in a `fifo.Group`";
    let members = cx.members(node)?;
    let mut named = members.iter().filter(|member| !is_comment(&member.key));
    let Some(first) = named.next() else {
        cx.error(node, code::ONE_MODIFIER, "the modifier has no name", "write `{ \"header.Modifier\": { … } }`");
        return None;
    };
    if let Some(second) = named.next() {
        let message = format!("the modifier {} stands beside another one in the same object", second.name());
        cx.report_key(second, Diagnostic::error(code::ONE_MODIFIER, None, message).help(HELP));
        return None;
    }
    Some(first)
}

fn unknown(cx: &mut Context<'_>, member: &Member) {
    let name = member.name();
    let unregistered = keys::unregistered(&member.key);
    let message = match unregistered {
        Some(_) => format!("the modifier {name} is part of martian, but not of KrakenD"),
        None => format!("unknown modifier {name}"),
    };
    let nearest = || suggest::did_you_mean(&member.key, MODIFIERS.iter().map(|row| row.name));
    let help = unregistered.map_or_else(nearest, str::to_owned);
    let problem = Diagnostic::error(code::MODIFIER, None, message).help(help);
    cx.report_key(member, problem);
}

/// A modifier whose name is known.
struct Known<'r, 'd> {
    reader: &'r Reader<'r>,
    member: &'d Member,
    object: &'r Object<'d>,
    sides: Sides,
}

fn action(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    let Known { reader, object, .. } = known;
    match known.member.key.as_str() {
        "fifo.Group" => fifo(cx, known),
        "priority.Group" => priority(cx, known),
        "header.Modifier" => headers::set(cx, known),
        "header.Append" => headers::append(cx, known),
        "header.Blacklist" => headers::remove(cx, object),
        "header.Copy" => headers::copy(cx, known),
        "header.Id" => headers::identify(cx, known),
        "body.Modifier" => files::body(cx, reader, object),
        "static.Modifier" => files::static_files(cx, object),
        "cookie.Modifier" => cookie::modifier(cx, reader, object),
        "url.Modifier" => url::modifier(cx, reader, object),
        "querystring.Modifier" => url::query(cx, reader, object),
        "port.Modifier" => url::port(cx, object),
        "stash.Modifier" => headers::stash(cx, known),
        "status.Modifier" => status(cx, object).map(Action::Status),
        name => match name.strip_suffix(".Verifier") {
            Some(_) => condition(cx, known).map(|condition| Action::Verify(Box::new(condition))),
            None => filter(cx, known),
        },
    }
}

/// What a filter asks, or a verifier claims.
fn condition(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Condition> {
    let Known { reader, object, .. } = known;
    match known.member.key.as_str() {
        "header.Filter" => headers::filter(cx, reader, object),
        "header.Verifier" => headers::verifier(cx, reader, object),
        "header.RegexFilter" => headers::regex_filter(cx, object),
        "cookie.Filter" => cookie::filter(cx, reader, object),
        "url.Filter" | "url.Verifier" => url::filter(cx, object),
        "url.RegexFilter" => fields::regex(cx, object).map(Condition::UrlMatch),
        "querystring.Filter" | "querystring.Verifier" => url::query_filter(cx, reader, object),
        "port.Filter" => required(cx, object, "port").and_then(|node| url::port_number(cx, node)).map(Condition::Port),
        "status.Verifier" => status(cx, object).map(Condition::Status),
        _ => None,
    }
}

/// A condition with what runs if it holds, and if it does not.
fn filter(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    let condition = condition(cx, known);
    let inner =
        |cx: &mut Context<'_>, key| known.object.get(key).map(|node| modifier(cx, known.reader, node, known.sides));
    let then = inner(cx, "modifier");
    if then.is_none() {
        known.object.missing(cx, "modifier", "the filter", "add the modifier that runs if the condition holds");
    }
    // One that could not be read is reported; without it the filter would be another one.
    let otherwise = inner(cx, "else");
    if matches!(otherwise, Some(None)) {
        return None;
    }
    Some(Action::Filter(Box::new(Filter { condition: condition?, then: then??, otherwise: otherwise.flatten() })))
}

fn fifo(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    let aggregate_errors = known.object.boolean(cx, "aggregateErrors");
    let entries = known.object.get("modifiers").map_or(Some(&[][..]), |node| cx.list(node))?;
    let members: Vec<_> = entries.iter().map(|node| modifier(cx, known.reader, node, known.sides)).collect();
    let members = members.into_iter().collect::<Option<_>>()?;
    Some(Action::Group(Group { members, aggregate_errors }))
}

/// The highest priority runs first. Of equal ones the later entry does, although KrakenD's documentation says otherwise:
/// each is inserted before those that are not higher (`martian/priority/priority_group.go`).
fn priority(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    let entries = known.object.get("modifiers").map_or(Some(&[][..]), |node| cx.list(node))?;
    let read: Vec<_> = entries.iter().map(|node| prioritised(cx, known, node)).collect();
    let mut members = read.into_iter().collect::<Option<Vec<_>>>()?;
    members.reverse();
    members.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    let members = members.into_iter().map(|(_, modifier)| modifier).collect();
    Some(Action::Group(Group { members, aggregate_errors: false }))
}

fn prioritised(cx: &mut Context<'_>, known: &Known<'_, '_>, node: &Node) -> Option<(i64, Modifier)> {
    let object = Object::open(cx, node, Level::Namespace(PRIORITY_ENTRY))?;
    let priority = match object.get("priority") {
        Some(node) => cx.integer(node, "a whole number"),
        None => Some(0),
    };
    let Some(node) = object.get("modifier") else {
        object.missing(
            cx,
            "modifier",
            "an entry of `priority.Group`",
            "add it: `{ \"priority\": 1, \"modifier\": { … } }`",
        );
        return None;
    };
    let modifier = modifier(cx, known.reader, node, known.sides);
    Some((priority?, modifier?))
}

/// A status that ends an exchange: 1xx would leave the client waiting for another one.
fn status(cx: &mut Context<'_>, object: &Object<'_>) -> Option<StatusCode> {
    const EXPECTED: &str = "a status from 200 to 599";
    let node = required(cx, object, "statusCode")?;
    let status: u16 = cx.integer(node, EXPECTED)?;
    let found = StatusCode::from_u16(status).ok().filter(|_| (200..=599).contains(&status));
    if found.is_none() {
        cx.error(node, code::VALUE, format!("{} is no status of an answer", quoted(node)), EXPECTED);
    }
    found
}
