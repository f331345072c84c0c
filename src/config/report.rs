//! What was found in one configuration: for people, in rustc's form, and for programs, as JSON.

use super::diagnostic::{Diagnostic, Severity, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::json;

/// Every problem of one configuration file. It holds a copy of the text in which secrets are masked.
#[derive(Debug, Clone)]
pub struct Report {
    file: String,
    text: String,
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    pub(super) fn new(file: &str, masked: String, diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            file: file.to_owned(),
            text: masked,
            diagnostics,
        }
    }

    /// The problems, in the order of the file.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// Whether the configuration runs.
    pub fn is_ok(&self) -> bool {
        self.errors() == 0
    }

    fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|d| d.severity == severity)
            .count()
    }

    /// For people: each problem with its line, and a last line that counts them. Empty when there is none.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut out = String::new();
        for diagnostic in &self.diagnostics {
            out.push_str(&renderer.render(&[self.group(diagnostic)]));
            out.push_str("\n\n");
        }
        if let Some(closing) = self.closing() {
            out.push_str(&renderer.render(&[Group::with_title(closing)]));
            out.push('\n');
        }
        out
    }

    /// For programs: a list of objects. `line`, `column` and `length` count characters from 1; without a place they are `null`.
    pub fn to_json(&self) -> String {
        let list: Vec<_> = self
            .diagnostics
            .iter()
            .map(|diagnostic| self.object(diagnostic))
            .collect();
        format!("{:#}", serde_json::Value::Array(list))
    }

    fn object(&self, diagnostic: &Diagnostic) -> serde_json::Value {
        let place = diagnostic.span.as_ref().map(|span| self.place(span));
        json!({
            "severity": if diagnostic.severity == Severity::Error { "error" } else { "warning" },
            "code": diagnostic.code,
            "message": diagnostic.message,
            "file": self.file,
            "line": place.map(|place| place.line),
            "column": place.map(|place| place.column),
            "length": place.map(|place| place.length),
            "label": diagnostic.label,
            "help": diagnostic.help,
        })
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic) -> Group<'a> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = Group::with_title(
            level
                .primary_title(&*diagnostic.message)
                .id(diagnostic.code),
        );
        let group = match &diagnostic.span {
            Some(span) => group.element(self.snippet(span, &diagnostic.label)),
            None => group.element(Origin::path(&*self.file)),
        };
        if diagnostic.help.is_empty() {
            group
        } else {
            group.element(Level::HELP.message(&*diagnostic.help))
        }
    }

    /// Only the line of the problem is handed over: a whole file would be laid out anew for each.
    fn snippet<'a>(
        &'a self,
        span: &Span,
        label: &'a str,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let place = self.place(span);
        let line = self
            .text
            .get(place.line_start..place.line_end)
            .unwrap_or_default();
        let start = place.start - place.line_start;
        let end = place.end - place.line_start;
        let label = (!label.is_empty()).then_some(label);
        Snippet::source(line)
            .path(&*self.file)
            .line_start(place.line)
            .annotation(AnnotationKind::Primary.span(start..end).label(label))
    }

    fn place(&self, span: &Span) -> Place {
        let text = &self.text;
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(start..).unwrap_or_default();
        let line_end = rest.find('\n').map_or(text.len(), |at| start + at);
        let line_end = line_end
            - usize::from(
                text.get(start..line_end)
                    .is_some_and(|rest| rest.ends_with('\r')),
            );
        let end = text
            .floor_char_boundary(span.end)
            .clamp(start, line_end.max(start));
        Place {
            line: before.matches('\n').count() + 1,
            column: text
                .get(line_start..start)
                .map_or(0, |part| part.chars().count())
                + 1,
            length: text.get(start..end).map_or(0, |part| part.chars().count()),
            line_start,
            line_end,
            start,
            end,
        }
    }

    fn closing(&self) -> Option<annotate_snippets::Title<'static>> {
        let count = |n: usize, word: &str| match n {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        };
        let counts: Vec<_> = [
            count(self.errors(), "error"),
            count(self.warnings(), "warning"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let level = if self.is_ok() {
            Level::WARNING
        } else {
            Level::ERROR
        };
        let text = format!("`{}`: {}", self.file, counts.join(", "));
        (!counts.is_empty()).then(|| level.primary_title(text))
    }
}

/// A span in lines and characters.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
    length: usize,
    line_start: usize,
    line_end: usize,
    start: usize,
    end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, span: Option<Span>) -> Report {
        let diagnostic = Diagnostic::error("E009", span, "`x` is wrong")
            .label("here")
            .help("write `y`");
        Report::new("a.json", text.to_owned(), vec![diagnostic])
    }

    #[test]
    fn a_problem_is_drawn_as_rustc_does() {
        let rendered = report("{\n  \"é\": \"x\"\n}\n", Some(10..13)).render(false);
        let expected = "\
error[E009]: `x` is wrong
 --> a.json:2:8
  |
2 |   \"é\": \"x\"
  |        ^^^ here
  |
  = help: write `y`

error: `a.json`: 1 error
";
        assert_eq!(rendered, expected);
    }

    #[test]
    fn a_problem_without_a_place_names_the_file() {
        let rendered = report("", None).render(false);
        assert_eq!(
            rendered,
            "error[E009]: `x` is wrong\n--> a.json\n = help: write `y`\n\nerror: `a.json`: 1 error\n"
        );
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_problem() {
        let text = format!(
            "{{{}\"x\"{}}}",
            "\"a\":1,".repeat(5_000),
            ",\"b\":2".repeat(5_000)
        );
        let at = text.find("\"x\"").unwrap();
        let rendered = report(&text, Some(at..at + 3)).render(false);
        assert!(rendered.len() < 2_000, "{}", rendered.len());
        assert!(
            rendered.contains(&format!("a.json:1:{}", at + 1)),
            "{rendered}"
        );
        assert!(
            rendered.contains("\"x\"") && rendered.contains("^^^ here"),
            "{rendered}"
        );
    }

    #[test]
    fn spans_beyond_the_text_do_no_harm() {
        for span in [0..0, 5..900, 900..1000, 2..3] {
            let report = report("é\r\nab", Some(span));
            assert!(report.render(true).contains("E009"));
            assert!(report.to_json().contains("\"line\": "));
        }
        assert!(
            Report::new("a", String::new(), Vec::new())
                .render(false)
                .is_empty()
        );
    }

    #[test]
    fn json_counts_characters() {
        let json: serde_json::Value =
            serde_json::from_str(&report("{\n  \"é\": \"x\"\n}\n", Some(10..13)).to_json())
                .unwrap();
        assert_eq!(json[0]["line"], 2);
        assert_eq!(json[0]["column"], 8);
        assert_eq!(json[0]["length"], 3);
        assert_eq!(json[0]["severity"], "error");
    }
}
