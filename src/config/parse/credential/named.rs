//! `auth/credentials` of the service: credentials with a name, which backends use and adapt.

use super::read;
use crate::config::code;
use crate::config::document::{Member, Node, Value};
use crate::config::keys::Level;
use crate::config::read::{Context, Object, quoted};
use crate::config::suggest;
use std::borrow::Cow;

/// The named credentials of a service.
#[derive(Default)]
pub(in crate::config::parse) struct Named<'d>(Vec<&'d Member>);

impl<'d> Named<'d> {
    /// Reads the names; what they hold is read where it is used.
    pub(in crate::config::parse) fn open(cx: &mut Context<'_>, node: Option<&'d Node>) -> Self {
        let members = node.and_then(|node| cx.members(node)).unwrap_or_default();
        let mut named = Vec::new();
        for member in members.iter().filter(|member| !crate::config::keys::is_comment(&member.key)) {
            if cx.members(&member.value).is_none() {
                continue;
            }
            if !is_name(&member.key) {
                let message = format!("{} is not a name for a credential", member.name());
                let problem = crate::config::diagnostic::Diagnostic::error(code::VALUE, None, message);
                cx.report_key(member, problem.help("a name has letters, digits, `-`, `_` and `.`, 64 at the most"));
                continue;
            }
            named.push(member);
        }
        Self(named)
    }

    /// The namespace of a backend with what it `use`s filled in: what the backend says itself wins.
    pub(super) fn resolve<'n>(&self, cx: &mut Context<'_>, node: &'n Node) -> Option<(Cow<'n, Node>, Option<String>)> {
        let Value::Object(own) = &node.value else {
            return Some((Cow::Borrowed(node), None));
        };
        let Some(reference) = own.iter().find(|member| is_use(member)) else {
            return Some((Cow::Borrowed(node), None));
        };
        let name = cx.string(&reference.value)?;
        let Some(found) = self.0.iter().find(|member| member.key == name) else {
            let message = format!("there is no credential {}", quoted(&reference.value));
            let help = match suggest::did_you_mean(name, self.0.iter().map(|member| member.key.as_str())) {
                help if help.is_empty() => {
                    "define it in `auth/credentials` in the `extra_config` of the service".to_owned()
                }
                help => help,
            };
            cx.error(&reference.value, code::CREDENTIAL, message, help);
            // What stands beside it is looked at all the same.
            Object::open(cx, node, Level::Namespace("auth/client-credentials"));
            return None;
        };
        cx.credentials.insert(name.to_owned());
        if refuses_nested(cx, &found.value) {
            return None;
        }
        Some((Cow::Owned(merged(&found.value, node, own)), Some(name.to_owned())))
    }

    /// A credential that no backend uses is still checked, and told of.
    pub(in crate::config::parse) fn check_unused(&self, cx: &mut Context<'_>) {
        for member in &self.0 {
            if !cx.credentials.contains(&member.key) {
                if !refuses_nested(cx, &member.value) {
                    read(cx, &member.value, Some(member.key.clone()));
                }
                let message = format!("no backend uses the credential {}", member.name());
                let problem = crate::config::diagnostic::Diagnostic::warning(code::UNUSED_CREDENTIAL, None, message);
                let help =
                    format!("write `\"auth/client-credentials\": {{ \"use\": {:?} }}`, or remove it", member.key);
                cx.report_key(member, problem.help(help));
            }
        }
    }
}

fn is_use(member: &Member) -> bool {
    member.key.eq_ignore_ascii_case("use") && member.value.value != Value::Null
}

/// Names stand in metrics, logs and addresses of the admin listener.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Keys that stand for the same thing: one of a backend replaces the other of the named credential.
const ALTERNATIVES: [[&str; 2]; 2] = [["token_url", "issuer"], ["client_secret", "client_secret_file"]];

fn replaces(own: &str, named: &str) -> bool {
    let is_one = |pair: &[&str; 2], key: &str| pair.iter().any(|name| name.eq_ignore_ascii_case(key));
    own.eq_ignore_ascii_case(named) || ALTERNATIVES.iter().any(|pair| is_one(pair, own) && is_one(pair, named))
}

/// Reports a `use` inside a named credential.
fn refuses_nested(cx: &mut Context<'_>, node: &Node) -> bool {
    let Value::Object(members) = &node.value else { return false };
    let Some(nested) = members.iter().find(|member| is_use(member)) else { return false };
    cx.error(&nested.value, code::CREDENTIAL, "a named credential cannot use another one", "write its keys here");
    true
}

fn merged(named: &Node, node: &Node, own: &[Member]) -> Node {
    let Value::Object(base) = &named.value else { return node.clone() };
    let overridden = |member: &Member| own.iter().any(|other| replaces(&other.key, &member.key));
    let mut members: Vec<Member> = base.iter().filter(|member| !overridden(member)).cloned().collect();
    members.extend(own.iter().filter(|member| !is_use(member)).cloned());
    Node { value: Value::Object(members), ..node.clone() }
}
