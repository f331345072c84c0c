//! Lists of regular expressions, in Go's syntax as far as both have it.

use super::super::code;
use super::super::document::Node;
use super::super::read::{Context, quoted};
use regex::bytes::{Regex, RegexSet};

/// Compiles all of them; `None` if one is wrong.
pub(super) fn patterns(cx: &mut Context<'_>, list: &Node, whole: bool) -> Option<RegexSet> {
    let items = cx.strings(list)?;
    let mut texts = Vec::new();
    let mut fine = true;
    for (text, item) in items {
        // Checked as it is written: a group around it could close what it leaves open.
        if let Err(error) = Regex::new(text) {
            let message = format!("{} is no regular expression: {}", quoted(item), reason(&error));
            cx.error(
                item,
                code::PATTERN,
                message,
                "the syntax is that of RE2, without look-around and back-references",
            );
            fine = false;
        }
        texts.push(if whole { format!("^(?:{text})$") } else { text.to_owned() });
    }
    if !fine {
        return None;
    }
    let set = RegexSet::new(texts);
    if let Err(error) = &set {
        let message = format!("the regular expressions do not go together: {}", reason(error));
        cx.error(list, code::PATTERN, message, "write fewer or simpler ones");
    }
    set.ok()
}

/// The last line; those before it draw a picture of the place.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim().trim_start_matches("error: ").trim_end_matches('.').to_owned()
}
