//! A copy of a template that diagnostics may draw their lines from. Outside of actions it is masked as any text that does not
//! parse; inside, names stay and literals go.

use super::functions;
use super::lex::{self, Kind, Token};
use super::parse;
use super::value::Value;
use crate::config::diagnostic::Span;
use crate::config::mask::Masked;
use crate::config::show::{self, star, stars};

/// The copy, as long as the text byte for byte.
pub(super) fn masked(text: &str) -> Masked {
    let (tokens, _) = lex::lex(text, 0);
    let written = |span: Span| text.get(span).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    // The word before a token, and whether it is right before it.
    let mut word = ("", false);
    for token in tokens {
        out.push_str(&between(written(at..token.span.start)));
        out.push_str(&drawn(&token, written(token.span.clone()), word));
        at = token.span.end;
        word = match token.kind {
            Kind::Word(word) => (word, true),
            Kind::Field(_) => word,
            Kind::Space => (word.0, false),
            _ => ("", false),
        };
    }
    // Behind what the lexer could not read.
    out.push_str(&between(written(at..text.len())));
    Masked { text: out, ..Masked::default() }
}

/// Trimmed blanks and comments.
fn between(text: &str) -> String {
    text.chars().map(|c| if lex::is_blank(c) { c } else { star(c) }).collect()
}

fn drawn(token: &Token<'_>, written: &str, (word, clings): (&str, bool)) -> String {
    let shown = match token.kind {
        Kind::Text(text) => return Masked::new(text, None).text,
        // Where an action is not closed, what was meant for the text follows.
        Kind::Word(word) => is_known(word),
        Kind::Field(_) => !clings,
        Kind::Constant(Value::String(_)) => {
            let inner = written.trim_matches(['"', '`']);
            match word {
                "include" | "template" | "define" | "block" => show::is_key_like(inner),
                "env" => show::is_usual_variable(inner),
                _ => false,
            }
        }
        Kind::Constant(_) => false,
        _ => true,
    };
    if shown { written.to_owned() } else { stars(written) }
}

/// A word of the language, or one that may be meant for one: any other may be a text without its quotes.
fn is_known(word: &str) -> bool {
    let is_constant = ["true", "false", "nil"].contains(&word);
    is_constant || parse::is_keyword(word) || functions::is_unsupported(word) || functions::closest(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_and_literals_go() {
        let text = r#"{"port": {{ .service.port | default 9071 }}, "x": "hünter2", {{/* hunter2 */}} {{ include "a.txt" }} {{ env "PORT" }}
            {{ env "hunter2" }} {{ template "t.tmpl" (dict "hunter2" .x) -}}  {{ "hunter2 "#;
        let masked = masked(text).text;
        assert_eq!(masked.len(), text.len());
        let drawn: String = masked.chars().map(|c| if show::is_star(c) { '*' } else { c }).collect();
        let expected = r#"{"port": {{ .service.port | default **** }}, "*": "*******", **** ******* **** {{ include "a.txt" }} {{ env "PORT" }}
            {{ env ********* }} {{ template "t.tmpl" (dict ********* .x) -}}  {{ ******** "#;
        assert_eq!(drawn, expected);
    }

    #[test]
    fn words_of_no_language_go() {
        let masked = masked("{{ hunter2.x uper .s.t $x nil | sortAlpha \n y: hunter2").text;
        let drawn: String = masked.chars().map(|c| if show::is_star(c) { '*' } else { c }).collect();
        let expected = "{{ ********* uper .s.t $x nil | sortAlpha \n ** *******";
        assert_eq!(drawn, expected);
    }
}
