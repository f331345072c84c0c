//! The modifiers of `modifier/martian` and their keys: those KrakenD registers, and those that only the library has.

use super::Kind::{Boolean, Integer, List, Object, String, Strings};
use super::{Key, Kind, supported};
use crate::config::model::martian::Sides;

/// A modifier that porteur carries out.
#[derive(Debug, Clone, Copy)]
pub struct Modifier {
    /// As KrakenD spells it; the case counts.
    pub name: &'static str,
    /// Its name as a level of keys.
    pub level: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Where it can run, and does unless its scope says less.
    pub sides: Sides,
    /// One line for people.
    pub doc: &'static str,
}

macro_rules! modifiers {
    ($($name:literal, $sides:ident, [$($key:expr),* $(,)?], $doc:literal;)*) => {
        /// Every modifier.
        pub const MODIFIERS: &[Modifier] = &[$(Modifier {
            name: $name,
            level: concat!("modifier/martian.", $name),
            keys: &[SCOPE, $($key),*],
            sides: Sides::$sides,
            doc: $doc,
        }),*];
    };
}

/// An entry of `modifiers` in `priority.Group`.
pub const PRIORITY_ENTRY: &str = "modifier/martian.priority.Group.modifiers";

const SCOPE: Key = supported("scope", Strings, "request, response or both; every side it can run on unless set");
const NAME: Key = supported("name", String, "name of the header");
const COOKIE: Key = supported("name", String, "name of the cookie");
const PARAMETER: Key = supported("name", String, "name of the parameter");
const VALUE: Key = supported("value", String, "its value; may hold ${request.…}");
const SCHEME: Key = supported("scheme", Kind::Word(&["http", "https"]), "scheme");
const REGEX: Key = supported("regex", String, "regular expression; it need not match the whole");
const THEN: Key = supported("modifier", Object, "runs if the condition holds");
const ELSE: Key = supported("else", Object, "runs if it does not");
const PORT: Key = supported("port", Integer, "port");
const STATUS: Key = supported("statusCode", Integer, "status");

modifiers! {
    "fifo.Group", BOTH, [
        supported("modifiers", List, "modifiers, run in this order"),
        supported("aggregateErrors", Boolean, "run the rest when one fails; the request fails either way"),
    ], "several modifiers, one after another";
    "priority.Group", BOTH, [
        supported("modifiers", List, "objects with priority and modifier"),
    ], "several modifiers, the highest priority first; of equal ones the later first";
    "header.Modifier", BOTH, [NAME, VALUE], "sets a header";
    "header.Append", BOTH, [NAME, VALUE], "adds a value to a header";
    "header.Blacklist", BOTH, [supported("names", Strings, "names of headers")], "removes headers";
    "header.Copy", BOTH, [
        supported("from", String, "name of the source"),
        supported("to", String, "name of the copy"),
    ], "copies the first value of a header; a missing source gives an empty one";
    "header.Id", REQUEST, [
        supported("header", String, "name of the header; X-Krakend-Id unless set"),
    ], "a random identifier (UUID), unless the header is there";
    "header.Filter", BOTH, [NAME, VALUE, THEN, ELSE],
        "asks for a header with exactly this value; without value for an empty one, as KrakenD does, not for any";
    "header.RegexFilter", BOTH, [
        supported("header", String, "name of the header"), REGEX, THEN,
    ], "asks for a match in a header of the request, for answers too";
    "header.Verifier", BOTH, [NAME, VALUE], "counts messages without this header and value; without value, any";
    "body.Modifier", BOTH, [
        supported("contentType", String, "value of Content-Type; may hold ${request.…}"),
        supported("body", String, "the new body in Base64"),
    ], "replaces the body";
    "cookie.Modifier", BOTH, [
        COOKIE,
        VALUE,
        supported("path", String, "Path of Set-Cookie"),
        supported("domain", String, "Domain of Set-Cookie"),
        supported("expires", String, "Expires of Set-Cookie, as a date like 2030-01-31T12:00:00Z"),
        supported("maxAge", Integer, "Max-Age of Set-Cookie"),
        supported("secure", Boolean, "Secure of Set-Cookie"),
        supported("httpOnly", Boolean, "HttpOnly of Set-Cookie"),
    ], "adds a cookie to requests, a Set-Cookie to answers";
    "cookie.Filter", BOTH, [COOKIE, VALUE, THEN, ELSE], "asks for a cookie, with this value if one is given";
    "url.Modifier", REQUEST, [
        SCHEME,
        supported("host", String, "host and port to connect to; the Host header stays"),
        supported("path", String, "path, not encoded; may hold ${request.…}"),
        supported("query", String, "query, encoded; may hold ${request.…}"),
    ], "replaces parts of the URL";
    "url.Filter", BOTH, [
        SCHEME,
        supported("host", String, "host with its port if one is written; a label may be *"),
        supported("path", String, "path, not encoded"),
        supported("query", String, "query, encoded"),
        THEN,
        ELSE,
    ], "asks for exactly these parts in the request's URL";
    "url.RegexFilter", BOTH, [REGEX, THEN, ELSE], "asks for a match in the request's whole URL, with its query";
    "url.Verifier", REQUEST, [
        SCHEME,
        supported("host", String, "host with its port if one is written; a label may be *"),
        supported("path", String, "path, not encoded"),
        supported("query", String, "query, encoded"),
    ], "counts requests without these parts in their URL";
    "querystring.Modifier", REQUEST, [PARAMETER, VALUE], "sets a parameter; the query is sorted and encoded anew";
    "querystring.Filter", BOTH, [PARAMETER, VALUE, THEN, ELSE],
        "asks for a parameter of the request, with this value if one is given";
    "querystring.Verifier", REQUEST, [PARAMETER, VALUE], "counts requests without this parameter and value";
    "port.Modifier", REQUEST, [
        PORT,
        supported("defaultForScheme", Boolean, "80 or 443, as the scheme says"),
        supported("remove", Boolean, "no port"),
    ], "changes the port to connect to; exactly one key beside scope, and the Host header stays";
    "port.Filter", BOTH, [PORT, THEN], "asks for the port of the request's URL";
    "stash.Modifier", BOTH, [
        supported("headerName", String, "name of the header"),
    ], "puts the request's URL into a header, and back into the answer";
    "status.Modifier", RESPONSE, [STATUS], "sets the status";
    "status.Verifier", RESPONSE, [STATUS], "counts answers with another status";
    "static.Modifier", BOTH, [
        supported("rootPath", String, "folder of the files, from the configuration's unless it begins with /"),
        supported("explicitPaths", Object, "files for these paths of requests"),
    ], "answers with a file in place of the upstream";
}

const PRIORITY_KEYS: &[Key] = &[
    supported("priority", Integer, "the highest runs first; 0 unless set"),
    supported("modifier", Object, "the modifier"),
];

/// Modifiers of the library that KrakenD does not register either, by how their names begin.
const UNREGISTERED: &[(&str, &str)] = &[
    ("skip.", "use `static.Modifier` to answer without the upstream"),
    ("log.", "the access log tells of each request"),
    ("method.", "set `method` on the backend"),
    ("pingback.", "it belongs to tests of proxies, not to a gateway"),
    ("failure.", "it belongs to tests of proxies, not to a gateway"),
    ("trafficshape.", "it belongs to tests of proxies, not to a gateway"),
    ("har.", "the access log tells of each request"),
    ("api.", "it leads to the control server of martian's own proxy, which is not here"),
];

/// The row of a modifier.
pub fn modifier(name: &str) -> Option<&'static Modifier> {
    MODIFIERS.iter().find(|row| row.name == name)
}

/// What to do without a modifier that martian has and KrakenD does not register.
pub fn unregistered(name: &str) -> Option<&'static str> {
    UNREGISTERED.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, help)| *help)
}

/// The keys of a level inside `modifier/martian`.
pub(super) fn keys(level: &str) -> &'static [Key] {
    if level == PRIORITY_ENTRY {
        return PRIORITY_KEYS;
    }
    MODIFIERS.iter().find(|row| row.level == level).map_or(&[], |row| row.keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_modifier_or_key_is_there_twice() {
        for (index, row) in MODIFIERS.iter().enumerate() {
            assert!(!MODIFIERS[..index].iter().any(|other| other.name == row.name), "{} twice", row.name);
            assert!(!row.doc.is_empty() && row.sides != Sides::NONE, "{}", row.name);
            assert!(unregistered(row.name).is_none(), "{}", row.name);
            for (index, key) in row.keys.iter().enumerate() {
                assert!(!row.keys[..index].iter().any(|other| other.name == key.name), "{} {}", row.name, key.name);
            }
        }
    }
}
