//! Template text to tokens: texts with their blanks trimmed, and what stands in actions.
//!
//! Blanks in actions are tokens: `.a.b` is a field of a field, `.a .b` are two values.

mod literal;

use super::fault::{Fault, Problem};
use super::value::Value;
use crate::config::diagnostic::{Span, floor_boundary};

/// A token with its place.
pub(super) struct Token<'t> {
    pub kind: Kind<'t>,
    pub span: Span,
}

#[derive(Clone)]
pub(super) enum Kind<'t> {
    Text(&'t str),
    /// `{{` or `{{-`.
    Open,
    /// `}}` or `-}}`.
    Close,
    Space,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    Comma,
    Pipe,
    LeftParen,
    RightParen,
    Dot,
    /// Without its dot.
    Field(&'t str),
    /// With its `$`.
    Variable(&'t str),
    Word(&'t str),
    /// A number, a character or a text.
    Constant(Value),
}

/// Go's template blanks. A no-break space is none.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The tokens of a text, up to the first thing that is none.
pub(super) fn lex(text: &str, file: usize) -> (Vec<Token<'_>>, Option<Box<Problem>>) {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), file };
    let problem = lexer.template().err();
    (lexer.tokens, problem)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
    file: usize,
}

type Lexed = Result<(), Box<Problem>>;

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind<'t>, length: usize) {
        self.tokens.push(Token { kind, span: self.at..self.at + length });
        self.at += length;
    }

    fn fail(&self, fault: Fault, length: usize) -> Lexed {
        let end = floor_boundary(self.text, self.at + length).max(self.at);
        Err(fault.at(self.file, &(self.at..end)))
    }

    fn template(&mut self) -> Lexed {
        let mut trim_start = false;
        while !self.rest().is_empty() {
            let rest = self.rest();
            let length = rest.find("{{").unwrap_or(rest.len());
            let inside = rest.get(length + 2..).unwrap_or_default();
            let trim_end = length < rest.len() && has_left_marker(inside);
            self.text(rest.get(..length).unwrap_or_default(), trim_start, trim_end);
            if length == rest.len() {
                break;
            }
            let skipped = if trim_end { 3 } else { 2 };
            let after = self.text.get(self.at + skipped..).unwrap_or_default();
            let blanks = if trim_end { after.len() - after.trim_start_matches(is_blank).len() } else { 0 };
            trim_start = if after.get(blanks..).unwrap_or_default().starts_with("/*") {
                self.comment(skipped + blanks)?
            } else {
                self.action(skipped)?
            };
        }
        Ok(())
    }

    fn text(&mut self, text: &'t str, trim_start: bool, trim_end: bool) {
        let end = self.at + text.len();
        let kept = if trim_start { text.trim_start_matches(is_blank) } else { text };
        self.at = end - kept.len();
        let kept = if trim_end { kept.trim_end_matches(is_blank) } else { kept };
        if !kept.is_empty() {
            self.push(Kind::Text(kept), kept.len());
        }
        self.at = end;
    }

    /// Whether the text behind it is to be trimmed.
    fn comment(&mut self, start: usize) -> Result<bool, Box<Problem>> {
        let inner = self.rest().get(start..).unwrap_or_default();
        let Some(length) = inner.find("*/") else {
            return self
                .fail(Fault::syntax("the comment is never closed").help("close it with `*/}}`"), 2)
                .map(|()| false);
        };
        let after = inner.get(length + 2..).unwrap_or_default();
        let Some((length_of_closing, trim)) = closing(after) else {
            self.at += start + length;
            let help = "nothing may stand between `*/` and `}}`: `{{/* … */}}` or `{{- /* … */ -}}`";
            return self.fail(Fault::syntax("the comment ends before its action").help(help), 2).map(|()| false);
        };
        self.at += start + length + 2 + length_of_closing;
        Ok(trim)
    }

    /// Whether the text behind it is to be trimmed.
    fn action(&mut self, opening: usize) -> Result<bool, Box<Problem>> {
        let start = self.at;
        self.push(Kind::Open, opening);
        loop {
            if let Some((length, trim)) = closing(self.rest()) {
                self.push(Kind::Close, length);
                return Ok(trim);
            }
            if self.rest().is_empty() {
                self.at = start;
                let fault = Fault::syntax("the action is never closed").help("close it with `}}`");
                return self.fail(fault, opening).map(|()| false);
            }
            self.token()?;
        }
    }

    fn token(&mut self) -> Lexed {
        let rest = self.rest();
        let mut characters = rest.chars();
        let (first, second) = (characters.next().unwrap_or(' '), characters.next().unwrap_or(' '));
        match first {
            _ if is_blank(first) => {
                // The last blank belongs to a `-}}` behind it.
                let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
                let before =
                    if rest.get(blanks..).is_some_and(|rest| rest.starts_with("-}}")) { blanks - 1 } else { blanks };
                self.push(Kind::Space, before.max(1));
            }
            ':' if second == '=' => self.push(Kind::Declare, 2),
            '=' => self.push(Kind::Assign, 1),
            ',' => self.push(Kind::Comma, 1),
            '|' => self.push(Kind::Pipe, 1),
            '(' => self.push(Kind::LeftParen, 1),
            ')' => self.push(Kind::RightParen, 1),
            '"' | '`' | '\'' => return self.literal(literal::quoted(rest)),
            '0'..='9' | '+' | '-' => return self.literal(literal::number(rest)),
            '.' if second.is_ascii_digit() => return self.literal(literal::number(rest)),
            '.' | '$' => return self.name(1),
            _ if is_letter(first) => return self.name(0),
            _ => return self.unexpected(first),
        }
        Ok(())
    }

    fn literal(&mut self, literal: Result<(Value, usize), (Fault, usize)>) -> Lexed {
        match literal {
            Ok((value, length)) => {
                self.push(Kind::Constant(value), length);
                Ok(())
            }
            Err((fault, length)) => self.fail(fault, length),
        }
    }

    /// A field, a variable or a word, behind a sign of so many bytes.
    fn name(&mut self, sign: usize) -> Lexed {
        let rest = self.rest();
        let name = rest.get(sign..).unwrap_or_default();
        let name = name.get(..name.find(|c| !is_letter(c)).unwrap_or(name.len())).unwrap_or_default();
        let whole = rest.get(..sign + name.len()).unwrap_or_default();
        let kind = match (rest.chars().next(), name) {
            (Some('.'), "") => Kind::Dot,
            (Some('.'), _) => Kind::Field(name),
            (Some('$'), _) => Kind::Variable(whole),
            _ => Kind::Word(name),
        };
        self.push(kind, whole.len());
        match self.rest().chars().next() {
            Some(c) if !self.is_end_of_name(c) => self.unexpected(c),
            _ => Ok(()),
        }
    }

    fn is_end_of_name(&self, c: char) -> bool {
        is_blank(c) || matches!(c, '.' | ',' | '|' | ':' | '=' | '(' | ')') || self.rest().starts_with("}}")
    }

    fn unexpected(&self, c: char) -> Lexed {
        let help = match c {
            '-' => "a key with a `-` is read with `index`: `{{ index .x \"a-b\" }}`",
            '/' => "a comment begins right behind its `{{`: `{{/* … */}}`",
            '{' => "actions cannot hold actions: write `( … )`",
            _ => "",
        };
        self.fail(Fault::syntax("this character has no place in an action").help(help), c.len_utf8())
    }
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// `{{-` trims if a blank follows; `{{-3}}` is a number.
fn has_left_marker(inside: &str) -> bool {
    inside.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_blank))
}

/// The length of the end of an action, and whether it trims.
fn closing(text: &str) -> Option<(usize, bool)> {
    if text.starts_with("}}") {
        return Some((2, false));
    }
    text.strip_prefix(is_blank).is_some_and(|rest| rest.starts_with("-}}")).then_some((4, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The texts and tokens, written plainly.
    fn lexed(text: &str) -> String {
        let (tokens, problem) = lex(text, 0);
        assert!(problem.is_none(), "{problem:?}");
        let written = |token: &Token<'_>| match &token.kind {
            Kind::Text(text) => format!("'{text}'"),
            _ => text[token.span.clone()].to_owned(),
        };
        tokens.iter().map(written).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn blanks_are_trimmed_where_markers_say_so() {
        for (text, tokens) in [
            ("a {{ . }} b", "'a '|{{| |.| |}}|' b'"),
            ("a \n{{- . -}}\t b", "'a'|{{-| |.| -}}|'b'"),
            ("a {{-3}} b", "'a '|{{|-3|}}|' b'"),
            ("a {{- 3 -}} b", "'a'|{{-| |3| -}}|'b'"),
            ("a {{/* {{ . }} */}} b", "'a '|' b'"),
            ("a {{- /* x */ -}} b", "'a'|'b'"),
            ("{{- . -}} {{- . -}}", "{{-| |.| -}}|{{-| |.| -}}"),
            ("a } }} {", "'a } }} {'"),
        ] {
            assert_eq!(lexed(text), tokens, "{text}");
        }
    }

    #[test]
    fn fields_cling_and_values_stand_apart() {
        assert_eq!(lexed("{{.a.b .c}}"), "{{|.a|.b| |.c|}}");
        assert_eq!(lexed("{{$x.y|f \"}}\" `\n`}}"), "{{|$x|.y|||f| |\"}}\"| |`\n`|}}");
        assert_eq!(lexed("{{$i,$e:=.5}}"), "{{|$i|,|$e|:=|.5|}}");
    }

    #[test]
    fn what_is_no_token_is_reported_where_it_stands() {
        for (text, at, word) in [
            ("a {{ .x", "{{", "never closed"),
            ("{{ .a-b }}", "-", "no place"),
            ("{{/* x", "{{", "never closed"),
            ("{{/* x */ .y }}", "*/", "before its action"),
            ("{{ \"a\n\" }}", "\"a", "never closed"),
            ("{{ `a }}", "`a }}", "never closed"),
            ("{{ 1x }}", "1x", "number"),
            ("{{ 'ab' }}", "'ab'", "character"),
            ("{{ # }}", "#", "no place"),
            ("{{ {{ . }} }}", "{", "no place"),
        ] {
            let (_, problem) = lex(text, 0);
            let problem = problem.unwrap_or_else(|| panic!("{text}"));
            assert_eq!(&text[problem.span.clone()], at, "{text}");
            assert!(problem.fault.message.contains(word), "{problem:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_lexed_without_a_panic(text in "[ -~\\n]{0,40}|(\\{\\{|\\}\\}|-|\"|`|'|\\.|\\$|/\\*|\\*/|\\\\|é|𝄞|0|x| |\\n|\\(|\\)|\\||:=){0,30}") {
            let (tokens, _) = lex(&text, 0);
            let mut at = 0;
            for token in tokens {
                prop_assert!(token.span.start >= at && text.get(token.span.clone()).is_some());
                at = token.span.end;
            }
        }
    }
}
