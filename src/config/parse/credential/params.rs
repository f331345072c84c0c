//! `endpoint_params` of `auth/client-credentials`: further parameters of the token request.

use crate::base::Secret;
use crate::config::code;
use crate::config::document::{Member, Node, Value};
use crate::config::read::{Context, Object, items};
use std::collections::BTreeMap;

/// Parameters that keys of their own set already.
pub(super) struct Taken {
    pub scope: bool,
    pub audience: bool,
    pub resource: bool,
}

impl Taken {
    /// The key that sets this parameter.
    fn key(&self, parameter: &str) -> Option<&'static str> {
        match parameter {
            "scope" if self.scope => Some("scopes"),
            "audience" if self.audience => Some("audience"),
            "resource" if self.resource => Some("resource"),
            _ => None,
        }
    }
}

/// Parameters by which the client proves who it is: they follow from `client_auth`.
const PROOFS: [&str; 2] = ["client_assertion", "client_assertion_type"];

/// The parameters, sorted by name.
#[derive(Default)]
pub(super) struct Params(pub BTreeMap<String, Vec<Secret>>);

impl Params {
    /// Reads the object and compares it with what the other keys say.
    pub(super) fn read(cx: &mut Context<'_>, object: &Object<'_>, taken: &Taken) -> Self {
        let mut params = Self::default();
        let Some(node) = object.get("endpoint_params") else {
            return params;
        };
        for member in cx.members(node).unwrap_or_default() {
            // No name is a comment here: KrakenD sends `$filter` and `_id` too.
            if member.value.value != Value::Null {
                params.add(cx, member, taken);
            }
        }
        params
    }

    fn add(&mut self, cx: &mut Context<'_>, member: &Member, taken: &Taken) {
        let Some(values) = values(cx, &member.value) else {
            return;
        };
        if let Some(key) = taken.key(&member.key) {
            let message = format!("`{}` is written twice: in `{key}` and in `endpoint_params`", member.key);
            cx.error(&member.value, code::ENDPOINT_PARAMS, message, format!("keep `{key}`"));
            return;
        }
        match member.key.as_str() {
            "grant_type" => check_grant(cx, &member.value, &values),
            name if PROOFS.contains(&name) => {
                let message =
                    format!("`{name}` is not for `endpoint_params`: an assertion must be new in each request");
                let help = "use `client_auth` with `private_key_file` or `client_assertion_file`";
                cx.error(&member.value, code::ENDPOINT_PARAMS, message, help);
            }
            name @ ("client_id" | "client_secret") if !single(&values) => {
                let message = format!("`{name}` in `endpoint_params` must be one text that is not empty");
                cx.error(&member.value, code::EMPTY_CREDENTIAL, message, "give its value");
            }
            name => {
                if matches!(name, "client_id" | "client_secret") {
                    warn_blanks(cx, &member.value, name, values.first().map(Secret::expose).unwrap_or_default());
                }
                self.0.insert(name.to_owned(), values);
            }
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The first value of a parameter.
    pub(super) fn first(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|values| values.first()).map(|value| value.expose().to_owned())
    }

    /// Takes a parameter out.
    pub(super) fn remove(&mut self, name: &str) -> Option<String> {
        let first = self.first(name);
        self.0.remove(name);
        first
    }
}

/// A server compares every character; a line end usually comes from an editor or `echo`.
pub(super) fn warn_blanks(cx: &mut Context<'_>, node: &Node, name: &str, text: &str) {
    if text.trim() != text {
        let message = format!("the `{name}` begins or ends with a blank or a line end, and is sent so");
        cx.warning(
            node,
            code::BLANKS,
            message,
            "remove it; `printf` writes a file without a line end, `echo` with one",
        );
    }
}

fn values(cx: &mut Context<'_>, node: &Node) -> Option<Vec<Secret>> {
    items(node).iter().map(|item| value(cx, item)).collect()
}

fn value(cx: &mut Context<'_>, node: &Node) -> Option<Secret> {
    match &node.value {
        Value::Bool(value) => Some(Secret::new(value.to_string())),
        _ => cx.string(node).map(Secret::new),
    }
}

fn single(values: &[Secret]) -> bool {
    matches!(values, [value] if !value.expose().trim().is_empty())
}

/// It says what the token request says anyway, or asks for another grant under this name.
fn check_grant(cx: &mut Context<'_>, node: &Node, values: &[Secret]) {
    if !matches!(values, [grant] if grant.expose() == "client_credentials") {
        let message = "the `grant_type` of `auth/client-credentials` is always `client_credentials`";
        let help = "remove it; the password grant must not be used (RFC 9700, section 2.4)";
        cx.error(node, code::ENDPOINT_PARAMS, message, help);
    }
}
