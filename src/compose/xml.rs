//! XML as KrakenD's `mxj` reads and writes it: attributes are fields that begin with `-`, repeated elements are lists, text
//! beside attributes or elements is `#text`, and every value is a string.

mod read;
mod write;

pub use read::{XmlError, read_xml};
pub use write::write_xml;

/// The text of an element that has more than text.
const TEXT: &str = "#text";
/// What names of attributes begin with.
const ATTRIBUTE: char = '-';
