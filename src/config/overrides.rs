//! `KRAKEND_<KEY>`: environment variables in place of the root's scalar keys, whether the file has them or not.

use super::Environment;
use super::document::{Member, Node, Origin, Value};
use super::keys::{Kind, Level};

/// Puts the variables that are set into the root.
pub(super) fn apply(root: &mut Node, environment: &dyn Environment) {
    let Value::Object(members) = &mut root.value else {
        return;
    };
    for key in Level::Root.keys() {
        let scalar = matches!(key.kind, Kind::String | Kind::Integer | Kind::Boolean | Kind::Duration | Kind::Word(_));
        // These two describe the file itself.
        if !scalar || matches!(key.name, "version" | "$schema") {
            continue;
        }
        let variable = format!("KRAKEND_{}", key.name.to_uppercase());
        let Some(text) = environment.var(&variable).filter(|text| !text.is_empty()) else {
            continue;
        };
        let value = Node { origin: Origin::Variable(variable), ..Node::new(Value::String(text), 0..0) };
        members.retain(|member| !member.key.eq_ignore_ascii_case(key.name));
        members.push(Member::new(key.name.to_owned(), 0..0, value));
    }
}
