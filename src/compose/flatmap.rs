//! `flatmap_filter`: moves, appends and deletes at paths that also lead through lists.
//!
//! Items of a list have their first index as name, and keep it when others leave: after `del` of `a.0`, what was `a.1` is still
//! there under this name. So the data is turned into a tree of named nodes, as KrakenD does it, and back at the end.
//! An object or a list that operations leave empty becomes `null`; one that came empty stays what it is.

use crate::config::model::FlatmapOperation;
use serde_json::{Map, Value};

/// Stands for every name in a path.
const ANY: &str = "*";

/// Carries out operations one after the other.
pub fn apply(operations: &[FlatmapOperation], data: Map<String, Value>) -> Map<String, Value> {
    let mut root = Node::new(Value::Object(data));
    for operation in operations {
        match operation {
            FlatmapOperation::Move(from, to) => shift(&mut root, from, to),
            FlatmapOperation::Append(from, to) => append(&mut root, from, to),
            FlatmapOperation::Delete(paths) => paths.iter().for_each(|path| root.delete(path)),
        }
    }
    match root.into_value() {
        Value::Object(data) => data,
        _ => Map::new(),
    }
}

#[derive(Default)]
struct Node {
    /// What it is when it has no children: a scalar, or an object or a list that came empty.
    leaf: Value,
    is_list: bool,
    children: Vec<(String, Self)>,
}

impl Node {
    fn new(value: Value) -> Self {
        let is_list = value.is_array();
        let (leaf, children) = match value {
            Value::Object(members) if !members.is_empty() => {
                (Value::Null, members.into_iter().map(|(name, value)| (name, Self::new(value))).collect())
            }
            Value::Array(items) if !items.is_empty() => {
                let named = items.into_iter().enumerate();
                (Value::Null, named.map(|(index, item)| (index.to_string(), Self::new(item))).collect())
            }
            leaf => (leaf, Vec::new()),
        };
        Self { leaf, is_list, children }
    }

    /// Adds a child that was moved here. In an object it replaces its namesake, in a list it is one more item.
    fn adopt(&mut self, name: &str, node: Self) {
        if !self.is_list
            && let Some(child) = self.child(name)
        {
            *child = node;
            return;
        }
        self.children.push((name.to_owned(), node));
    }

    fn child(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|(child, _)| child == name).map(|(_, node)| node)
    }

    fn take(&mut self, name: &str) -> Option<Self> {
        let at = self.children.iter().position(|(child, _)| child == name)?;
        Some(self.children.remove(at).1)
    }

    fn into_value(self) -> Value {
        if self.children.is_empty() {
            return self.leaf;
        }
        if self.is_list {
            return Value::Array(self.children.into_iter().map(|(_, node)| node.into_value()).collect());
        }
        Value::Object(self.children.into_iter().map(|(name, node)| (name, node.into_value())).collect())
    }

    fn to_value(&self) -> Value {
        if self.children.is_empty() {
            return self.leaf.clone();
        }
        let values = self.children.iter().map(|(name, node)| (name, node.to_value()));
        if self.is_list {
            Value::Array(values.map(|(_, value)| value).collect())
        } else {
            Value::Object(values.map(|(name, value)| (name.clone(), value)).collect())
        }
    }

    /// The value at a path. A `*` gives a list, with `null` for what is not there.
    fn get(&self, path: &[String]) -> Value {
        match path {
            [] => self.to_value(),
            _ if self.children.is_empty() => Value::Null,
            [step, rest @ ..] if step == ANY => {
                Value::Array(self.children.iter().map(|(_, node)| node.get(rest)).collect())
            }
            [step, rest @ ..] => {
                let child = self.children.iter().find(|(name, _)| name == step);
                child.map_or(Value::Null, |(_, node)| node.get(rest))
            }
        }
    }

    fn delete(&mut self, path: &[String]) {
        match path {
            [] => {}
            [step] if step == ANY => self.children.clear(),
            [step] => drop(self.take(step)),
            [step, rest @ ..] if step == ANY => self.children.iter_mut().for_each(|(_, node)| node.delete(rest)),
            [step, rest @ ..] => {
                if let Some(node) = self.child(step) {
                    node.delete(rest);
                }
            }
        }
    }

    /// Calls `visit` with every node at a path, and with the way to it.
    fn visit(&mut self, path: &[String], way: &mut Vec<Step>, visit: &mut dyn FnMut(&mut Self, &[Step])) {
        let [step, rest @ ..] = path else {
            visit(self, way);
            return;
        };
        for (at, (name, node)) in self.children.iter_mut().enumerate() {
            if step == ANY || name == step {
                way.push(Step { at, name: name.clone() });
                node.visit(rest, way, visit);
                way.pop();
            }
        }
    }
}

/// A step on the way to a node: which child it was, and its name.
#[derive(Debug, Clone)]
struct Step {
    at: usize,
    name: String,
}

/// What a move does depends on the lengths of its paths alone: between equal ones the last step is renamed in place; to a
/// longer one the value is pushed down below the place where it was; to a shorter one it is pulled up.
fn shift(root: &mut Node, from: &[String], to: &[String]) {
    let (Some((from_last, from_way)), Some((to_last, to_way))) = (from.split_last(), to.split_last()) else {
        return;
    };
    let mut pulled = Vec::new();
    root.visit(from_way, &mut Vec::new(), &mut |parent, way| {
        let Some(at) = parent.children.iter().position(|(name, _)| name == from_last) else {
            return;
        };
        if from.len() == to.len() {
            relabel(parent, at, to_last);
            return;
        }
        let (_, node) = parent.children.remove(at);
        match to_way.get(from_way.len()..) {
            Some(down) => descend(parent, down).adopt(to_last, node),
            None => pulled.push((way.to_vec(), node)),
        }
    });
    for (way, node) in pulled {
        climb(root, to_way, &way).adopt(to_last, node);
    }
}

/// Gives a child another name. In an object its namesake goes.
fn relabel(parent: &mut Node, at: usize, name: &str) {
    if let Some((label, _)) = parent.children.get_mut(at) {
        name.clone_into(label);
    }
    if !parent.is_list {
        let mut index = 0;
        parent.children.retain(|(label, _)| {
            index += 1;
            label != name || index == at + 1
        });
    }
}

/// The node at a path below another; what is not there is made.
fn descend<'a>(mut node: &'a mut Node, path: &[String]) -> &'a mut Node {
    for step in path {
        let at = node.children.iter().position(|(name, _)| name == step).unwrap_or_else(|| {
            node.children.push((step.clone(), Node::default()));
            node.children.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or made a line above")]
        let child = &mut node.children[at].1;
        node = child;
    }
    node
}

/// The node at a path, as far as it goes; a `*` is what it was on the way to the value. Where the way knows the child it is not
/// searched for: in a list of many items that would be a search for each.
fn climb<'a>(mut node: &'a mut Node, path: &[String], way: &[Step]) -> &'a mut Node {
    for (index, step) in path.iter().enumerate() {
        let known = way.get(index);
        let step = known.filter(|_| step == ANY).map_or(step, |known| &known.name);
        let is_there = |at: &usize| node.children.get(*at).is_some_and(|(name, _)| name == step);
        let known = known.map(|known| known.at).filter(is_there);
        let Some(at) = known.or_else(|| node.children.iter().position(|(name, _)| name == step)) else {
            break;
        };
        #[expect(clippy::indexing_slicing, reason = "found a line above")]
        let child = &mut node.children[at].1;
        node = child;
    }
    node
}

/// Both must be lists.
fn append(root: &mut Node, from: &[String], to: &[String]) {
    let (Value::Array(more), Value::Array(mut items)) = (root.get(from), root.get(to)) else {
        return;
    };
    items.extend(more);
    *descend(root, to) = Node::new(Value::Array(items));
    root.delete(from);
}

#[cfg(test)]
mod tests;
