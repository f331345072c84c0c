//! What stands in an action: variables that are set, commands, their operands.

use super::super::fault::{Fault, Problem};
use super::super::functions;
use super::super::lex::Kind;
use super::super::syntax::{Command, Operand, Pipeline, Term};
use super::super::value::Value;
use super::{Parser, is_keyword};
use crate::config::diagnostic::Span;
use crate::config::suggest;

/// What ends a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `}}`
    Action,
    /// `)`
    Parenthesis,
}

impl Parser<'_> {
    /// A pipeline and what ends it. `owner` is what needs it.
    pub(super) fn pipeline(&mut self, owner: &str, end: End) -> Result<Pipeline, Box<Problem>> {
        self.skip_space();
        let start = self.here();
        let (sets, is_assignment) = self.sets(owner)?;
        let mut commands = Vec::new();
        loop {
            self.skip_space();
            let place = self.here();
            let command = self.command()?;
            let Some(command) = command else {
                let message = match commands.len() {
                    0 => format!("{owner} needs a value"),
                    _ => "a `|` is followed by nothing".to_owned(),
                };
                return self.fail(Fault::syntax(message), &place);
            };
            if !commands.is_empty() && !command.can_take() {
                let fault = Fault::syntax("only a function can take what comes through a `|`");
                return self.fail(fault, &command.first.span);
            }
            commands.push(command);
            self.skip_space();
            if !self.take_pipe() {
                break;
            }
        }
        let span = start.start..commands.last().map_or(start.end, |command| command.span.end);
        self.finish_pipeline(end, &start)?;
        if !is_assignment {
            self.variables.extend(sets.iter().cloned());
        }
        Ok(Pipeline { sets, is_assignment, commands, span })
    }

    fn take_pipe(&mut self) -> bool {
        let is_pipe = matches!(self.peek().map(|token| &token.kind), Some(Kind::Pipe));
        self.at += usize::from(is_pipe);
        is_pipe
    }

    fn finish_pipeline(&mut self, end: End, start: &Span) -> Result<(), Box<Problem>> {
        match (end, self.peek().map(|token| &token.kind)) {
            (End::Action, Some(Kind::Close)) | (End::Parenthesis, Some(Kind::RightParen)) => {
                self.at += 1;
                Ok(())
            }
            (End::Parenthesis, Some(Kind::Close) | None) => {
                let open = start.start.saturating_sub(1)..start.start;
                self.fail(Fault::syntax("the parenthesis is never closed").help("close it with `)`"), &open)
            }
            (End::Action, Some(Kind::RightParen)) => {
                self.fail(Fault::syntax("nothing opened this parenthesis"), &self.here())
            }
            _ => self.fail(Fault::syntax("this has no place here"), &self.here()),
        }
    }

    /// `$x :=`, `$x =`, and two of them for `range`.
    fn sets(&mut self, owner: &str) -> Result<(Vec<String>, bool), Box<Problem>> {
        let mut sets = Vec::new();
        let start = self.at;
        loop {
            self.skip_space();
            let place = self.here();
            let Some(Kind::Variable(name)) = self.peek().map(|token| &token.kind) else {
                break;
            };
            sets.push(((*name).to_owned(), place.clone()));
            self.at += 1;
            self.skip_space();
            match self.peek().map(|token| &token.kind) {
                Some(Kind::Comma) if owner == "`range`" && sets.len() < 2 => self.at += 1,
                Some(Kind::Comma) => {
                    return self.fail(Fault::syntax(format!("{owner} cannot set so many variables")), &place);
                }
                Some(Kind::Declare) => {
                    self.at += 1;
                    return self.declared(sets).map(|names| (names, false));
                }
                Some(Kind::Assign) => {
                    self.at += 1;
                    for (name, place) in &sets {
                        self.known_variable(name, place)?;
                    }
                    return Ok((sets.into_iter().map(|(name, _)| name).collect(), true));
                }
                _ => break,
            }
        }
        // A variable that is only used.
        if sets.len() > 1 {
            let fault = Fault::syntax("`range` sets no variables here").help("write `$i, $e := …`");
            return self.fail(fault, &self.here());
        }
        self.at = start;
        Ok((Vec::new(), false))
    }

    fn declared(&self, sets: Vec<(String, Span)>) -> Result<Vec<String>, Box<Problem>> {
        if let Some((_, place)) = sets.iter().find(|(name, _)| name == "$") {
            let fault = Fault::syntax("`$` is what the template was given; it cannot be set");
            return self.fail(fault.help("name the variable: `$x`"), place);
        }
        Ok(sets.into_iter().map(|(name, _)| name).collect())
    }

    fn known_variable(&self, name: &str, place: &Span) -> Result<(), Box<Problem>> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        let help = suggest::did_you_mean(name, self.variables.iter().map(String::as_str).filter(|known| *known != "$"));
        let help = if help.is_empty() { format!("declare it before: `{{{{ {name} := … }}}}`") } else { help };
        self.fail(Fault::syntax(format!("the variable `{name}` is not declared here")).help(help), place)
    }

    fn command(&mut self) -> Result<Option<Command>, Box<Problem>> {
        let mut operands: Vec<Operand> = Vec::new();
        loop {
            self.skip_space();
            let Some(operand) = self.operand()? else {
                break;
            };
            operands.push(operand);
            match self.peek().map(|token| &token.kind) {
                Some(Kind::Space) => {}
                Some(Kind::Pipe | Kind::Close | Kind::RightParen) | None => break,
                Some(_) => {
                    let fault = Fault::syntax("values are not separated").help("put a blank before it");
                    return self.fail(fault, &self.here());
                }
            }
        }
        let last = operands.last().map_or(0, |operand| operand.span.end);
        let mut operands = operands.into_iter();
        let Some(first) = operands.next() else {
            return Ok(None);
        };
        let command = Command { span: first.span.start..last, first, arguments: operands.collect() };
        self.check(&command)?;
        Ok(Some(command))
    }

    /// Only functions take arguments.
    fn check(&self, command: &Command) -> Result<(), Box<Problem>> {
        if let (false, Some(argument)) = (command.can_take(), command.arguments.first()) {
            let fault = Fault::syntax("what stands before is no function, so it takes no argument");
            let fault = fault.help("methods cannot be called; several values are printed with `print`");
            return self.fail(fault, &argument.span);
        }
        if let Term::Constant(Value::Nil) = command.first.term {
            let fault = Fault::syntax("`nil` alone says nothing").help("give it to a function");
            return self.fail(fault, &command.first.span);
        }
        Ok(())
    }

    fn operand(&mut self) -> Result<Option<Operand>, Box<Problem>> {
        let place = self.here();
        let mut fields = Vec::new();
        let Some(kind) = self.peek().map(|token| token.kind.clone()) else {
            return Ok(None);
        };
        let term = match kind {
            Kind::Dot => Term::Dot,
            Kind::Field(name) => {
                fields.push((name.to_owned(), place.clone()));
                Term::Dot
            }
            Kind::Variable(name) => {
                self.known_variable(name, &place)?;
                Term::Variable(name.to_owned())
            }
            Kind::Word(word) => self.word(word, &place)?,
            Kind::Constant(value) => Term::Constant(value),
            Kind::LeftParen => return self.parenthesised(&place).map(Some),
            _ => return Ok(None),
        };
        self.at += 1;
        let takes_fields = match &term {
            Term::Dot => !fields.is_empty(),
            term => matches!(term, Term::Variable(_)),
        };
        self.with_fields(term, fields, takes_fields, place.start).map(Some)
    }

    fn parenthesised(&mut self, place: &Span) -> Result<Operand, Box<Problem>> {
        self.enter(place)?;
        self.at += 1;
        let pipeline = self.pipeline("a parenthesis", End::Parenthesis)?;
        self.nesting -= 1;
        self.with_fields(Term::Pipeline(pipeline), Vec::new(), true, place.start)
    }

    fn with_fields(
        &mut self,
        term: Term,
        mut fields: Vec<(String, Span)>,
        takes_fields: bool,
        start: usize,
    ) -> Result<Operand, Box<Problem>> {
        while let Some((name, place)) = self.peek().and_then(|token| match token.kind {
            Kind::Field(name) => Some((name.to_owned(), token.span.clone())),
            _ => None,
        }) {
            if !takes_fields {
                let fault = Fault::syntax(format!("`.{name}` clings to something that has no fields"));
                return self
                    .fail(fault.help("put a blank before it, or parentheses around what it belongs to"), &place);
            }
            fields.push((name, place));
            self.at += 1;
        }
        let end = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(start, |token| token.span.end);
        Ok(Operand { term, fields, span: start..end })
    }

    fn word(&self, word: &str, place: &Span) -> Result<Term, Box<Problem>> {
        match word {
            "true" => return Ok(Term::Constant(Value::Bool(true))),
            "false" => return Ok(Term::Constant(Value::Bool(false))),
            "nil" => return Ok(Term::Constant(Value::Nil)),
            _ if is_keyword(word) => {
                let fault = Fault::syntax(format!("`{word}` is no value"));
                return self.fail(fault.help("it stands first in an action of its own"), place);
            }
            _ => {}
        }
        match functions::find(word) {
            Some(function) => Ok(Term::Function(function)),
            None => self.fail(unknown_function(word), place),
        }
    }
}

/// A word that is close to no function is not shown: it may be a text without its quotes.
fn unknown_function(word: &str) -> Fault {
    const LISTED: &str = "docs/flexible-configuration.md lists the functions that are; a text is in quotes";
    if functions::is_unsupported(word) {
        return Fault::syntax(format!("the function `{word}` is not supported")).help(LISTED);
    }
    match functions::closest(word) {
        Some(function) => {
            Fault::syntax(format!("there is no function `{word}`")).help(format!("did you mean `{}`?", function.name))
        }
        None => Fault::syntax("there is no function of this name").help(LISTED),
    }
}

impl Command {
    /// Whether it is a function.
    fn can_take(&self) -> bool {
        matches!(self.first.term, Term::Function(_))
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[track_caller]
    fn refused(text: &str, at: &str, word: &str) {
        let problem = parse(text, 0).err().unwrap_or_else(|| panic!("{text}"));
        let said = format!("{} {}", problem.fault.message, problem.fault.help);
        assert!(said.contains(word), "{text}: {said}");
        assert_eq!(&text[problem.span.clone()], at, "{text}: {said}");
        assert_eq!(problem.fault.code, "E041");
    }

    #[test]
    fn what_is_no_pipeline_is_refused_where_it_goes_wrong() {
        refused("{{ }}", "}}", "needs a value");
        refused("{{ .x | }}", "}}", "followed by nothing");
        refused("{{ | .x }}", "|", "needs a value");
        refused("{{ .x | .y }}", ".y", "only a function");
        refused("{{ (.x }}", "(", "never closed");
        refused("{{ .x) }}", ")", "nothing opened");
        refused("{{ \"a\"\"b\" }}", "\"b\"", "blank");
        refused("{{ .x .y }}", ".y", "no function");
        refused("{{ upper.x }}", ".x", "parentheses");
        refused("{{ \"a\".x }}", ".x", "no fields");
        refused("{{ nil }}", "nil", "says nothing");
        refused("{{ quote if }}", "if", "no value");
        refused("{{ .x, .y }}", ",", "");
    }

    #[test]
    fn functions_and_variables_are_known_before_anything_runs() {
        refused("{{ quot .x }}", "quot", "did you mean `quote`?");
        refused("{{ htmlEscapeAll }}", "htmlEscapeAll", "there is no function of this name");
        refused("{{ sortAlpha .x }}", "sortAlpha", "`sortAlpha` is not supported");
        refused("{{ $hots }}", "$hots", "not declared");
        refused("{{ $host := 1 }}{{ $hots }}", "$hots", "did you mean `$host`?");
        refused("{{ $x = 1 }}", "$x", "not declared");
        refused("{{ $ := 1 }}", "$", "cannot be set");
        refused("{{ if $x := 1 }}{{ end }}{{ $x }}", "$x", "not declared");
        refused("{{ $x := 1 }}{{ define \"a\" }}{{ $x }}{{ end }}", "$x", "not declared");
        refused("{{ $x, $y := . }}", "$x", "so many");
        refused("{{ range $x, $y }}{{ end }}", "}}", "sets no variables");
    }
}
