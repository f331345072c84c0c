//! How the answers of backends become data, and how data becomes the answer of an endpoint.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `encoding` of a backend: how its answer is decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `json` or `fast-json`: an object, or with `is_collection` a list.
    #[default]
    Json,
    /// `safejson`: any JSON.
    SafeJson,
    /// `string`: the text as it is.
    String,
    /// `xml`: one document.
    Xml,
    /// `no-op`: nothing is decoded.
    NoOp,
}

/// `output_encoding` of an endpoint: how data is encoded for the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputEncoding {
    /// `json` or `fast-json`: all data as an object.
    #[default]
    Json,
    /// `json-collection`: the list in `collection` alone.
    JsonCollection,
    /// `string`: the text in `content` alone.
    String,
    /// `xml`: all data as a document.
    Xml,
    /// `yaml`: all data as a document.
    Yaml,
    /// `negotiate`: what the client accepts of JSON, YAML and XML.
    Negotiate,
    /// `no-op`: the answer passes as it is.
    NoOp,
}

/// What is done with a backend's answer, in the order of these fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoding {
    /// `encoding`.
    pub encoding: Encoding,
    /// `is_collection`: the answer is a list, and is kept under `collection`.
    pub is_collection: bool,
    /// `target`: the path of the one object to keep; empty means all.
    pub target: Vec<String>,
    /// `allow`, `deny` or `flatmap_filter`.
    pub filter: Filter,
    /// `mapping`: new names of top-level fields.
    pub mapping: Vec<(String, String)>,
    /// `group`: the one field that is put around all others.
    pub group: Option<String>,
}

/// Which fields are kept, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Filter {
    /// All, as they are.
    #[default]
    None,
    /// `allow`: these alone.
    Allow(Fields),
    /// `deny`: all but these.
    Deny(Fields),
    /// `flatmap_filter`: what these operations leave.
    Flatmap(Vec<FlatmapOperation>),
}

/// Dotted names of fields, as a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Field>);

/// A field that is named in [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The field with all that is in it.
    Whole,
    /// These fields of the object in it.
    Within(Fields),
}

impl Fields {
    /// The tree of an `allow`: of `a` and `a.b` the later one counts.
    pub fn allowed<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fields = Self::default();
        for name in names {
            fields.add(name, |field| *field = Field::Within(Self::default()));
        }
        fields
    }

    /// The tree of a `deny`: `a` also denies `a.b`.
    pub fn denied<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fields = Self::default();
        for name in names {
            fields.add(name, |_| {});
        }
        fields
    }

    /// `at_whole` decides what a field that was named as a whole becomes when one within it is named later.
    fn add(&mut self, name: &str, at_whole: fn(&mut Field)) {
        let Some((first, rest)) = name.split_once('.') else {
            self.0.insert(name.to_owned(), Field::Whole);
            return;
        };
        let field = self.0.entry(first.to_owned()).or_insert_with(|| Field::Within(Self::default()));
        if *field == Field::Whole {
            at_whole(field);
        }
        if let Field::Within(fields) = field {
            fields.add(rest, at_whole);
        }
    }

    /// What is said of a field.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.get(name)
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.0.iter().map(|(name, field)| (name.as_str(), field))
    }
}

/// An operation of `flatmap_filter`. Paths have at least one step; `*` stands for every item or field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlatmapOperation {
    /// `move`: from the first path to the second.
    Move(Vec<String>, Vec<String>),
    /// `append`: the list at the first path goes to the end of the list at the second, which has no `*`.
    Append(Vec<String>, Vec<String>),
    /// `del`: whatever is at these paths.
    Delete(Vec<Vec<String>>),
}

/// `proxy.static`: data that an endpoint adds to its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticData {
    /// `data`: replaces fields of the same names.
    pub data: Map<String, Value>,
    /// `strategy`, `always` unless set.
    pub strategy: StaticStrategy,
}

/// When static data is added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StaticStrategy {
    /// `always`.
    #[default]
    Always,
    /// `success`: no backend failed.
    Success,
    /// `errored`: a backend failed.
    Errored,
    /// `complete`: every backend answered, and in full.
    Complete,
    /// `incomplete`: not so.
    Incomplete,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(fields: &[(&str, Field)]) -> Field {
        Field::Within(Fields(fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect()))
    }

    #[test]
    fn of_a_field_and_its_parts_the_later_is_allowed_and_the_wider_denied() {
        let part = within(&[("b", Field::Whole)]);
        for (names, allowed, denied) in [
            (["a", "a.b"], part.clone(), Field::Whole),
            (["a.b", "a"], Field::Whole, Field::Whole),
            (["a.b", "a.b"], part.clone(), part),
        ] {
            assert_eq!(Fields::allowed(names).get("a"), Some(&allowed));
            assert_eq!(Fields::denied(names).get("a"), Some(&denied));
        }
    }

    #[test]
    fn dotted_names_share_their_branches() {
        let fields = Fields::denied(["a.b.c", "a.b.d", "a.e", ""]);
        let b = within(&[("c", Field::Whole), ("d", Field::Whole)]);
        assert_eq!(fields.get("a"), Some(&within(&[("b", b), ("e", Field::Whole)])));
        assert_eq!(fields.get(""), Some(&Field::Whole));
        assert_eq!(fields.get("a.b"), None);
    }
}
