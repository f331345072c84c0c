//! What a client may take: KrakenD's server keys on the root, and the namespace `limits` (an extension).

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::Limits;
use super::super::read::{Context, Object};
use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;

const WHOLE: &str = "a whole number that is not negative";

/// Reads the limits. KrakenD's 0 is "no limit"; here it is "as if not written", because no limit at all is what brings a
/// server down.
pub(super) fn limits(cx: &mut Context<'_>, root: &Object<'_>, namespace: Option<&Node>) -> Limits {
    let default = Limits::default();
    let mut time = |key| root.duration(cx, key).filter(|time| !time.is_zero());
    let (head_timeout, idle_timeout) = (time("read_header_timeout"), time("idle_timeout"));
    let (read_timeout, write_timeout) = (time("read_timeout"), time("write_timeout"));
    let head_size = at_most(cx, root, "max_header_bytes", Limits::LARGEST_HEAD);
    let limits = Limits {
        head_timeout: head_timeout.unwrap_or(default.head_timeout),
        idle_timeout: idle_timeout.unwrap_or(default.idle_timeout),
        read_timeout,
        write_timeout,
        head_size: head_size.unwrap_or(default.head_size),
        ..default
    };
    let object = namespace.and_then(|node| Object::open(cx, node, Level::Namespace("limits")));
    object.map_or(limits, |object| named(cx, &object, limits))
}

fn named(cx: &mut Context<'_>, object: &Object<'_>, default: Limits) -> Limits {
    let headers = at_most(cx, object, "max_headers", Limits::MOST_HEADERS);
    let h2_idle_timeout = object.duration(cx, "h2_idle_timeout").filter(|time| !time.is_zero());
    Limits {
        headers: headers.unwrap_or(default.headers),
        uri_length: at_most(cx, object, "max_uri_length", default.head_size).unwrap_or(default.uri_length),
        receive_rate: number(cx, object, "min_receive_rate").map_or(default.receive_rate, NonZeroU32::new),
        send_rate: number(cx, object, "min_send_rate").map_or(default.send_rate, NonZeroU32::new),
        connections: number(cx, object, "max_connections").filter(|count| *count > 0).map(|count| count as usize),
        requests: number(cx, object, "max_requests").filter(|count| *count > 0).map(|count| count as usize),
        requests_per_connection: number(cx, object, "max_requests_per_connection").and_then(NonZeroU32::new),
        h2_streams: at_most(cx, object, "h2_max_streams", Limits::MOST_STREAMS).unwrap_or(default.h2_streams),
        h2_idle_timeout: h2_idle_timeout.unwrap_or(default.h2_idle_timeout),
        ..default
    }
}

fn number(cx: &mut Context<'_>, object: &Object<'_>, key: &str) -> Option<u32> {
    cx.integer(object.get(key)?, WHOLE)
}

/// 0 is "not set".
fn at_most<N>(cx: &mut Context<'_>, object: &Object<'_>, key: &str, most: N) -> Option<N>
where
    N: Copy + Default + Display + FromStr + PartialOrd,
{
    let node = object.get(key)?;
    let number = cx.integer::<N>(node, WHOLE).filter(|number| *number > N::default())?;
    if number > most {
        let message = format!("`{key}` is {number}, and at most {most} is possible");
        cx.error(node, code::VALUE, message, format!("write a number up to {most}"));
        return None;
    }
    Some(number)
}
