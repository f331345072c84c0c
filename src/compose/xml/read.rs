//! An XML document to data.
//!
//! Entities of a document type are never defined, so they cannot grow; and a document can neither nest deeper than
//! [`MAX_DEPTH`] nor name a file.

use super::super::json::MOST_WEIGHT;
use super::{ATTRIBUTE, TEXT};
use crate::base::json_weight;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion, escape};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// How deep elements may nest.
const MAX_DEPTH: usize = 128;

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// The text has no element, or ends within one.
    #[error("the document ends too early")]
    End,
    /// Something that cannot stand there.
    #[error("the markup before offset {0} is not well-formed")]
    Malformed(u64),
    /// Something like `&nbsp;`, which XML does not know by itself.
    #[error("unknown entity before offset {0}")]
    Entity(u64),
    /// Neither UTF-8 nor Latin-1.
    #[error("the character encoding is not supported")]
    Encoding,
    /// Too many open elements.
    #[error("elements nest deeper than {MAX_DEPTH}")]
    Depth,
    /// They would take too much memory.
    #[error("there are too many elements")]
    Heavy,
}

/// Reads the first element, with all that is in it, as the one field of an object.
///
/// # Errors
///
/// Says what is wrong, and where.
pub fn read_xml(body: &[u8]) -> Result<Map<String, Value>, XmlError> {
    let text = decoded(body)?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text));
    let mut open: Vec<Element> = Vec::new();
    let mut left = MOST_WEIGHT;
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let event = event.map_err(|_| XmlError::Malformed(at))?;
        if let Event::Start(tag) | Event::Empty(tag) = &event {
            // Each element is an object, and each attribute a value.
            let weight = json_weight::OBJECT + tag.attributes().count() * json_weight::VALUE;
            left = left.checked_sub(weight).ok_or(XmlError::Heavy)?;
        }
        let closed = match event {
            Event::Start(_) if open.len() >= MAX_DEPTH => return Err(XmlError::Depth),
            Event::Start(tag) => {
                settle(&mut open);
                open.push(Element::new(&tag, at)?);
                continue;
            }
            Event::Empty(tag) => {
                settle(&mut open);
                Some(Element::new(&tag, at)?)
            }
            Event::End(_) => {
                settle(&mut open);
                open.pop()
            }
            Event::Eof => return Err(XmlError::End),
            event => {
                if let Some(element) = open.last_mut() {
                    element.take(&event, at)?;
                }
                continue;
            }
        };
        let Some(closed) = closed else { continue };
        let (name, value) = closed.into_field();
        match open.last_mut() {
            Some(parent) => add(&mut parent.fields, name, value),
            None => return Ok(Map::from_iter([(name, value)])),
        }
    }
}

/// Text that is not UTF-8 must say what it is.
fn decoded(body: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    let head = body.get(..body.len().min(200)).unwrap_or_default().to_ascii_lowercase();
    let head = String::from_utf8_lossy(&head);
    let declared = head.trim_start_matches('\u{feff}').strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    let declared = declared.and_then(|(declaration, _)| declaration.split_once("encoding"));
    let name = declared.and_then(|(_, rest)| rest.split(['"', '\'']).nth(1)).unwrap_or("utf-8");
    match name {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => {
            str::from_utf8(body).map(Cow::Borrowed).map_err(|_| XmlError::Encoding)
        }
        "iso-8859-1" | "latin1" => Ok(body.iter().map(|byte| char::from(*byte)).collect::<String>().into()),
        _ => Err(XmlError::Encoding),
    }
}

struct Element {
    name: String,
    /// Attributes and elements, and text that comes after any of them.
    fields: Map<String, Value>,
    /// Text that comes before any of them.
    text: Option<String>,
    /// Text since the last markup.
    run: String,
}

impl Element {
    fn new(tag: &BytesStart<'_>, at: u64) -> Result<Self, XmlError> {
        let mut fields = Map::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| XmlError::Malformed(at))?;
            let name = attribute.key.local_name();
            let value = escape::unescape(&attribute.value).map_err(|_| XmlError::Entity(at))?;
            fields.insert(format!("{ATTRIBUTE}{}", name.as_ref()), Value::String(value.into_owned()));
        }
        let name = tag.local_name().as_ref().to_owned();
        Ok(Self { name, fields, text: None, run: String::new() })
    }

    /// Takes in what is neither a tag nor the end.
    fn take(&mut self, event: &Event<'_>, at: u64) -> Result<(), XmlError> {
        match event {
            Event::Text(text) => self.run.push_str(&text.xml_content(XmlVersion::Implicit1_0)),
            Event::GeneralRef(reference) => self.run.push_str(&resolved(reference, at)?),
            Event::CData(text) => {
                self.settle();
                self.run.push_str(&text.xml_content(XmlVersion::Implicit1_0));
                self.settle();
            }
            _ => self.settle(),
        }
        Ok(())
    }

    /// Ends a run of text: of several the last one counts.
    fn settle(&mut self) {
        let text = self.run.trim_matches(['\t', '\r', '\u{8}', '\n', ' ']);
        if !text.is_empty() {
            if self.fields.is_empty() {
                self.text = Some(text.to_owned());
            } else {
                self.fields.insert(TEXT.to_owned(), Value::String(text.to_owned()));
            }
        }
        self.run.clear();
    }

    fn into_field(mut self) -> (String, Value) {
        let value = match self.text {
            None if self.fields.is_empty() => Value::String(String::new()),
            None => Value::Object(self.fields),
            Some(text) if self.fields.is_empty() => Value::String(text),
            Some(text) => {
                self.fields.insert(TEXT.to_owned(), Value::String(text));
                Value::Object(self.fields)
            }
        };
        (self.name, value)
    }
}

fn settle(open: &mut [Element]) {
    if let Some(element) = open.last_mut() {
        element.settle();
    }
}

fn resolved(reference: &BytesRef<'_>, at: u64) -> Result<String, XmlError> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => Ok(c.to_string()),
        Ok(None) => escape::resolve_xml_entity(reference).map(str::to_owned).ok_or(XmlError::Entity(at)),
        Err(_) => Err(XmlError::Malformed(at)),
    }
}

/// The second of a name makes a list of it.
fn add(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None => {
            fields.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn reads(text: &str, expected: Value) {
        assert_eq!(read_xml(text.as_bytes()).map(Value::Object), Ok(expected), "{text}");
    }

    #[test]
    fn elements_attributes_and_lists() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- people -->\n<Person id=\"1\">\n\
            <FullName>Alice</FullName>\n<Email where='home'><Addr>a@home</Addr></Email>\n\
            <Email where='work'><Addr>a@work</Addr></Email>\n<Group><Value>Friends</Value><Value>Squash</Value></Group></Person>\n";
        let expected = json!({"Person": {
            "-id": "1",
            "FullName": "Alice",
            "Email": [{"-where": "home", "Addr": "a@home"}, {"-where": "work", "Addr": "a@work"}],
            "Group": {"Value": ["Friends", "Squash"]},
        }});
        reads(text, expected);
    }

    #[test]
    fn text_is_a_value_or_stands_beside_others() {
        reads("<a> 1 \n</a>", json!({"a": "1"}));
        reads("<a/>", json!({"a": ""}));
        reads("<a> </a>", json!({"a": ""}));
        reads("<a b='c'>d</a>", json!({"a": {"-b": "c", "#text": "d"}}));
        reads("<a>x<b/></a>", json!({"a": {"b": "", "#text": "x"}}));
        reads("<a><b/>x<c/>y</a>", json!({"a": {"b": "", "c": "", "#text": "y"}}));
        reads("<a><![CDATA[<b>]]></a>", json!({"a": "<b>"}));
        reads("<a>x<![CDATA[y]]></a>", json!({"a": "y"}));
    }

    #[test]
    fn entities_are_those_of_xml_alone() {
        reads("<a b='&lt;&#65;'>x &amp; y&#x42;</a>", json!({"a": {"-b": "<A", "#text": "x & yB"}}));
        assert!(matches!(read_xml(b"<a>&nbsp;</a>"), Err(XmlError::Entity(_))));
        assert!(matches!(read_xml(b"<a b='&nbsp;'/>"), Err(XmlError::Entity(_))));
    }

    #[test]
    fn a_document_type_defines_nothing() {
        let bomb =
            "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]><a>";
        reads(&format!("{bomb}1</a>"), json!({"a": "1"}));
        for entity in ["&c;", "&f;"] {
            assert!(matches!(read_xml(format!("{bomb}{entity}</a>").as_bytes()), Err(XmlError::Entity(_))), "{entity}");
        }
    }

    #[test]
    fn prefixes_of_namespaces_are_not_kept() {
        reads("<s:a xmlns:s='urn:s' s:b='1'><s:c/></s:a>", json!({"a": {"-s": "urn:s", "-b": "1", "c": ""}}));
    }

    #[test]
    fn only_the_first_element_is_read() {
        reads("\u{feff}stray <a>1</a><b>2</b> </c>", json!({"a": "1"}));
    }

    #[test]
    fn latin_1_is_read_where_it_is_declared() {
        let body = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>caf\xe9</a>";
        assert_eq!(read_xml(body).map(Value::Object), Ok(json!({"a": "café"})));
        assert_eq!(read_xml(b"<a>caf\xe9</a>"), Err(XmlError::Encoding));
        assert_eq!(read_xml(b"<?xml version='1.0' encoding='utf-16'?><a/>"), Err(XmlError::Encoding));
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for text in ["", "3", "<a>", "<a></b>", "<a b>", "<a b='1' b='2'/>", "<a>&amp</a>", "<", "</a>", "<a><!--"] {
            assert!(read_xml(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_document_with_more_elements_than_are_held_is_refused() {
        let elements = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
        assert!(read_xml(elements(MOST_WEIGHT / 20).as_bytes()).is_ok());
        assert_eq!(read_xml(elements(MOST_WEIGHT / 10).as_bytes()), Err(XmlError::Heavy));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read_xml(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(read_xml(nested(MAX_DEPTH + 1).as_bytes()), Err(XmlError::Depth));
    }
}
