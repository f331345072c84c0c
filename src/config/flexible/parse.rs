//! Tokens to a tree: texts, actions and control structures. Pipelines are in a file of their own.
//!
//! Functions, variables and the nesting are checked here, so that a template is refused before any of it runs.

mod pipeline;

use super::fault::{Fault, Problem};
use super::lex::{self, Kind, Token};
use super::syntax::{Branch, Definition, Keyword, Node, Template};
use super::value::Value;
use crate::config::diagnostic::Span;

/// How deep blocks and parentheses may nest: far beyond what people read.
const MAX_NESTING: usize = 40;

/// A text that parsed.
pub(super) struct Parsed {
    /// What is outside of its definitions.
    pub nodes: Vec<Node>,
    /// Its `define`s and `block`s.
    pub definitions: Vec<Definition>,
}

/// Reads a text.
pub(super) fn parse(text: &str, file: usize) -> Result<Parsed, Box<Problem>> {
    let (tokens, problem) = lex::lex(text, file);
    let mut parser = Parser {
        tokens,
        at: 0,
        file,
        end: text.len(),
        variables: vec!["$".to_owned()],
        loops: 0,
        nesting: 0,
        definitions: Vec::new(),
    };
    let parsed = parser.nodes();
    match (parsed, problem) {
        // What follows an error of the lexer is missing, which says nothing.
        (Err(parsed), Some(problem)) if parsed.span.start < problem.span.start && !parser.is_at_end() => Err(parsed),
        (_, Some(problem)) => Err(problem),
        (Err(parsed), None) => Err(parsed),
        (Ok((nodes, Stop::End)), None) => Ok(Parsed { nodes, definitions: parser.definitions }),
        (Ok((_, Stop::Word(word, span))), None) => {
            let message = format!("there is nothing that this `{word}` belongs to");
            Err(Fault::syntax(message)
                .help("remove it, or open the `if`, `range`, `with`, `block` or `define` before it")
                .at(file, &span))
        }
    }
}

/// What ends a run of nodes.
enum Stop<'t> {
    /// The text.
    End,
    /// `end` or `else`; the rest of its action is still to be read.
    Word(&'t str, Span),
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    file: usize,
    end: usize,
    /// Those that may be used here.
    variables: Vec<String>,
    /// How many `range`s are open.
    loops: usize,
    nesting: usize,
    definitions: Vec<Definition>,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|token| matches!(token.kind, Kind::Space)) {
            self.at += 1;
        }
    }

    /// Where the next token is.
    fn here(&self) -> Span {
        self.peek().map_or(self.end..self.end, |token| token.span.clone())
    }

    fn fail<T>(&self, fault: Fault, span: &Span) -> Result<T, Box<Problem>> {
        Err(fault.at(self.file, span))
    }

    /// Counts a level; the caller takes it back.
    fn enter(&mut self, span: &Span) -> Result<(), Box<Problem>> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            let fault = Fault::limit(format!("the template nests deeper than {MAX_NESTING}"));
            return self.fail(fault.help("move the inner parts to a `define`"), span);
        }
        Ok(())
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Stop<'t>), Box<Problem>> {
        let mut nodes = Vec::new();
        while let Some(token) = self.peek() {
            let span = token.span.clone();
            if let Kind::Text(text) = token.kind {
                nodes.push(Node::Text(text.to_owned(), span));
                self.at += 1;
                continue;
            }
            // The lexer gives an action or a text.
            self.at += 1;
            self.skip_space();
            let word = match self.peek() {
                Some(Token { kind: Kind::Word(word), span }) => Some((*word, span.clone())),
                _ => None,
            };
            match word {
                Some((word @ ("end" | "else"), span)) => {
                    self.at += 1;
                    return Ok((nodes, Stop::Word(word, span)));
                }
                Some((word, span)) if is_keyword(word) => {
                    self.at += 1;
                    nodes.extend(self.control(word, span)?);
                }
                _ => nodes.push(Node::Print(self.pipeline("an action", pipeline::End::Action)?)),
            }
        }
        Ok((nodes, Stop::End))
    }

    /// What a keyword begins; a `define` leaves nothing in its place.
    fn control(&mut self, word: &str, span: Span) -> Result<Option<Node>, Box<Problem>> {
        match word {
            "if" => self.branch(Keyword::If, &span).map(Some),
            "with" => self.branch(Keyword::With, &span).map(Some),
            "range" => self.branch(Keyword::Range, &span).map(Some),
            "template" => {
                let (name, place) = self.name(word)?;
                let context = self.context()?;
                Ok(Some(Node::Call { name, span: place, context }))
            }
            "define" => self.define(&span).map(|()| None),
            "block" => self.block(&span).map(Some),
            _ => {
                if self.loops == 0 {
                    return self.fail(Fault::syntax(format!("`{word}` is outside of every `range`")), &span);
                }
                self.close(word)?;
                Ok(Some(if word == "break" { Node::Break } else { Node::Continue }))
            }
        }
    }

    fn branch(&mut self, keyword: Keyword, span: &Span) -> Result<Node, Box<Problem>> {
        self.enter(span)?;
        let scope = self.variables.len();
        let pipeline = self.pipeline(&format!("`{}`", keyword.word()), pipeline::End::Action)?;
        let inside = usize::from(keyword == Keyword::Range);
        self.loops += inside;
        let (then, stop) = self.nodes()?;
        self.loops -= inside;
        let otherwise = match stop {
            Stop::Word("else", _) => self.otherwise(keyword, span)?,
            stop => {
                self.finish(keyword.word(), span, stop)?;
                Vec::new()
            }
        };
        self.variables.truncate(scope);
        self.nesting -= 1;
        Ok(Node::Branch(Branch { keyword, pipeline, then, otherwise }))
    }

    /// `else`, `else if` and `else with`. The latter two share the `end` of what they belong to.
    fn otherwise(&mut self, keyword: Keyword, span: &Span) -> Result<Vec<Node>, Box<Problem>> {
        self.skip_space();
        let word = match self.peek().map(|token| &token.kind) {
            Some(Kind::Word(word)) => *word,
            _ => "",
        };
        if word == keyword.word() && keyword != Keyword::Range {
            let place = self.here();
            self.at += 1;
            return Ok(vec![self.branch(keyword, &place)?]);
        }
        self.close("else")?;
        let (nodes, stop) = self.nodes()?;
        self.finish(keyword.word(), span, stop)?;
        Ok(nodes)
    }

    /// The `end` of what a keyword began at `span`.
    fn finish(&mut self, word: &str, span: &Span, stop: Stop<'t>) -> Result<(), Box<Problem>> {
        match stop {
            Stop::Word("end", _) => self.close("end"),
            Stop::Word(other, place) => {
                self.fail(Fault::syntax(format!("this `{other}` has no place in `{word}`")), &place)
            }
            Stop::End => {
                self.fail(Fault::syntax(format!("`{word}` is never closed")).help("close it with `{{ end }}`"), span)
            }
        }
    }

    /// The end of an action that has nothing more to say.
    fn close(&mut self, word: &str) -> Result<(), Box<Problem>> {
        self.skip_space();
        match self.peek() {
            Some(Token { kind: Kind::Close, .. }) => {
                self.at += 1;
                Ok(())
            }
            _ => self.fail(Fault::syntax(format!("`{word}` is followed by something")), &self.here()),
        }
    }

    /// The name of a template, which is a text.
    fn name(&mut self, word: &str) -> Result<(String, Span), Box<Problem>> {
        self.skip_space();
        let span = self.here();
        let Some(Kind::Constant(Value::String(name))) = self.peek().map(|token| &token.kind) else {
            let fault = Fault::syntax(format!("`{word}` needs the name of a template"));
            return self.fail(fault.help(format!("write it in quotes: `{{{{ {word} \"name\" … }}}}`")), &span);
        };
        let name = name.to_string();
        self.at += 1;
        Ok((name, span))
    }

    /// What a template is given, if it is given anything.
    fn context(&mut self) -> Result<Option<super::syntax::Pipeline>, Box<Problem>> {
        self.skip_space();
        if matches!(self.peek(), Some(Token { kind: Kind::Close, .. })) {
            self.at += 1;
            return Ok(None);
        }
        self.pipeline("`template`", pipeline::End::Action).map(Some)
    }

    fn define(&mut self, span: &Span) -> Result<(), Box<Problem>> {
        if self.nesting > 0 {
            return self.fail(Fault::syntax("`define` is inside of something").help("move it out"), span);
        }
        let (name, place) = self.name("define")?;
        self.close("the name")?;
        self.definition("define", span, name, place)
    }

    /// A definition and its use in one.
    fn block(&mut self, span: &Span) -> Result<Node, Box<Problem>> {
        let (name, place) = self.name("block")?;
        let context = self.pipeline("`block`", pipeline::End::Action)?;
        self.definition("block", span, name.clone(), place.clone())?;
        Ok(Node::Call { name, span: place, context: Some(context) })
    }

    /// Its variables and loops are its own.
    fn definition(&mut self, word: &str, span: &Span, name: String, place: Span) -> Result<(), Box<Problem>> {
        self.enter(span)?;
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let (nodes, stop) = self.nodes()?;
        self.finish(word, span, stop)?;
        self.variables = variables;
        self.loops = loops;
        self.nesting -= 1;
        let template = Template { file: self.file, nodes };
        self.definitions.push(Definition { name, span: place, is_default: word == "block", template });
        Ok(())
    }
}

/// Words that begin or end something, and so are no functions.
pub(super) fn is_keyword(word: &str) -> bool {
    ["if", "with", "range", "template", "define", "block", "break", "continue", "end", "else"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn refused(text: &str, at: &str, word: &str) {
        let problem = parse(text, 0).err().unwrap_or_else(|| panic!("{text}"));
        let said = format!("{} {}", problem.fault.message, problem.fault.help);
        assert!(said.contains(word), "{text}: {said}");
        assert_eq!(&text[problem.span.clone()], at, "{text}: {said}");
    }

    #[test]
    fn structures_are_closed_once_and_in_order() {
        refused("a {{ if .x }} b", "if", "never closed");
        refused("{{ range . }}{{ if . }}{{ end }}", "range", "never closed");
        refused("a {{ end }}", "end", "nothing that this `end` belongs to");
        refused("{{ else }}", "else", "nothing");
        refused("{{ if . }}{{ else }}{{ else }}{{ end }}", "else", "no place in `if`");
        refused("{{ if . }}{{ end . }}", ".", "followed by something");
        refused("{{ range . }}{{ else if . }}{{ end }}", "if", "followed by something");
        refused("{{ break }}", "break", "outside of every `range`");
        refused("{{ range . }}{{ else }}{{ continue }}{{ end }}", "continue", "outside");
        refused("{{ range . }}{{ block \"x\" . }}{{ break }}{{ end }}{{ end }}", "break", "outside");
        refused("{{ if . }}{{ define \"x\" }}{{ end }}{{ end }}", "define", "move it out");
        refused("{{ template x }}", "x", "in quotes");
        refused("{{ if }}{{ end }}", "}}", "`if` needs a value");
        refused("a {{ if .x }} {{ .y", "{{", "never closed");
        refused("{{ nope }} {{ .y", "nope", "no function of this name");
    }

    #[test]
    fn nesting_has_an_end() {
        for text in [
            "{{ if . }}".repeat(100_000),
            format!("{{{{ {} }}}}", "(".repeat(100_000)),
            "{{ if . }}{{ else if . }}".repeat(9_000),
        ] {
            let problem = parse(&text, 0).err().unwrap();
            assert_eq!(problem.fault.code, "E043");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "{{", "{{- ", "}}", " -}}", " ", "if", "else", "end", "range", "with", "define", "block", "template", "break", "\"x\"", "`", "'a'",
                ".", ".a", "$", "$x", ":=", "=", ",", "|", "(", ")", "1", "-", "len", "nope", "nil", "true", "/*", "*/", "é", "\n",
            ]), 0..40),
            text in ".{0,40}",
        ) {
            let _ = parse(&words.concat(), 0);
            let _ = parse(&format!("{{{{{}", words.join(" ")), 0);
            let _ = parse(&text, 0);
        }
    }
}
