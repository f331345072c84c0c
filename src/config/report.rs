//! What was found in one configuration: for people, in rustc's form, and for programs, as JSON.

use super::diagnostic::{Diagnostic, Severity, Span, floor_boundary};
use super::mask::Masked;
use super::show;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use serde_json::json;

/// A line of more bytes is shown in part.
const LONG_LINE: usize = 400;

/// How many bytes of a long line are shown on either side of a problem.
const AROUND: usize = 60;

/// Every problem of one configuration file, and of those that it is rendered from. It holds copies of the texts in which
/// secrets are masked.
#[derive(Debug, Clone)]
pub struct Report {
    file: Text,
    /// What it is rendered from.
    others: Vec<Text>,
    diagnostics: Vec<Diagnostic>,
    /// What each diagnostic may show of the value it is about.
    values: Vec<Option<String>>,
    /// What to know about the places; may be empty.
    note: String,
}

/// A text that problems are in.
#[derive(Debug, Clone)]
struct Text {
    name: String,
    masked: String,
    /// Where each line starts.
    lines: Vec<usize>,
}

impl Report {
    pub(super) fn new(file: &str, masked: Masked, diagnostics: Vec<Diagnostic>) -> Self {
        let value = |diagnostic: &Diagnostic| {
            let span = diagnostic.span.as_ref().filter(|_| diagnostic.file == 0)?;
            masked.value(span).map(str::to_owned)
        };
        let values = diagnostics.iter().map(value).collect();
        Self { file: Text::new(file, masked.text), others: Vec::new(), diagnostics, values, note: String::new() }
    }

    /// Adds a file that the configuration is rendered from, in the order that diagnostics count them in.
    pub(super) fn add_file(&mut self, name: &str, masked: Masked) {
        self.others.push(Text::new(name, masked.text));
    }

    /// The same with something to know about its places.
    #[must_use]
    pub(super) fn note(self, note: String) -> Self {
        Self { note, ..self }
    }

    /// The text that a diagnostic is about.
    fn text_of(&self, diagnostic: &Diagnostic) -> &Text {
        let other = usize::try_from(diagnostic.file).ok().and_then(|file| self.others.get(file.checked_sub(1)?));
        other.unwrap_or(&self.file)
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
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }

    /// For people: each problem with its line, and a last line that counts them. Empty when there is none.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for (diagnostic, value) in self.diagnostics.iter().zip(&self.values) {
            let drawn = renderer.render(&[self.group(diagnostic, value.as_deref())]);
            let text = self.text_of(diagnostic);
            let place = diagnostic.span.as_ref().map(|span| text.place(span));
            let moved = place.and_then(|place| text.with_column(&drawn, &place));
            out.push_str(&moved.unwrap_or(drawn));
            out.push_str("\n\n");
        }
        if let Some(closing) = self.closing() {
            let closing = Group::with_title(closing);
            let closing = match self.note.as_str() {
                "" => closing,
                note => closing.element(Level::NOTE.message(normalize_untrusted_str(note))),
            };
            out.push_str(&renderer.render(&[closing]));
            out.push('\n');
        }
        out
    }

    /// For programs: a list of objects. `line`, `column` and `length` count characters from 1; without a place they are `null`.
    pub fn to_json(&self) -> String {
        let list: Vec<_> = self.diagnostics.iter().map(|diagnostic| self.object(diagnostic)).collect();
        format!("{:#}", serde_json::Value::Array(list))
    }

    fn object(&self, diagnostic: &Diagnostic) -> serde_json::Value {
        let text = self.text_of(diagnostic);
        let place = diagnostic.span.as_ref().map(|span| text.place(span));
        json!({
            "severity": if diagnostic.severity == Severity::Error { "error" } else { "warning" },
            "code": diagnostic.code,
            "message": diagnostic.message,
            "file": text.name,
            "line": place.map(|place| place.line),
            "column": place.map(|place| place.column),
            "length": place.map(|place| place.length),
            "label": diagnostic.label,
            "help": diagnostic.help,
        })
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic, value: Option<&str>) -> Group<'a> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = Group::with_title(level.primary_title(&*diagnostic.message).id(diagnostic.code));
        let text = self.text_of(diagnostic);
        let group = match &diagnostic.span {
            Some(span) => group.element(text.snippet(&text.place(span), &diagnostic.label, value)),
            None => group.element(Origin::path(&*text.name)),
        };
        match diagnostic.help.as_str() {
            "" => group,
            help => group.element(Level::HELP.message(normalize_untrusted_str(help))),
        }
    }

    fn closing(&self) -> Option<annotate_snippets::Title<'static>> {
        let count = |n: usize, word: &str| match n {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        };
        let counts: Vec<_> =
            [count(self.errors(), "error"), count(self.warnings(), "warning")].into_iter().flatten().collect();
        let level = if self.is_ok() { Level::WARNING } else { Level::ERROR };
        let text = format!("`{}`: {}", self.file.name, counts.join(", "));
        (!counts.is_empty()).then(|| level.primary_title(text))
    }
}

impl Text {
    fn new(name: &str, text: String) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after).collect();
        Self { name: name.to_owned(), masked: text, lines }
    }

    /// Only the line of the problem is handed over, and of a very long line only what is around it: the renderer lays out
    /// all it is given, for each problem anew.
    fn snippet<'a>(&'a self, place: &Place, label: &'a str, value: Option<&str>) -> Snippet<'a, Annotation<'a>> {
        let window = self.window(place);
        let end = place.end.min(window.end);
        let part = |range: Span| self.masked.get(range).unwrap_or_default();
        let value = value.and_then(|value| value.get(..end - place.start)).unwrap_or_else(|| part(place.start..end));
        let mut source = drawn(part(window.start..place.start));
        let start = source.len();
        source.push_str(&drawn(value));
        let span = start..source.len();
        source.push_str(&drawn(part(end..window.end)));
        let label = (!label.is_empty()).then_some(label);
        Snippet::source(source)
            .path(&*self.name)
            .line_start(place.line)
            .annotation(AnnotationKind::Primary.span(span).label(label))
    }

    fn window(&self, place: &Place) -> Span {
        if place.line_end - place.line_start <= LONG_LINE {
            return place.line_start..place.line_end;
        }
        let from = floor_boundary(&self.masked, place.start.saturating_sub(AROUND));
        let to = floor_boundary(&self.masked, place.start.saturating_add(AROUND));
        from.max(place.line_start)..to.min(place.line_end)
    }

    /// The renderer counts columns from where the window starts; in the line below the title, which names the place, that is
    /// put right.
    fn with_column(&self, rendered: &str, place: &Place) -> Option<String> {
        let window = self.window(place);
        if window.start == place.line_start {
            return None;
        }
        let shown = format!(":{}", count(self.masked.get(window.start..place.start)) + 1);
        let (title, rest) = rendered.split_once('\n')?;
        let (origin, rest) = rest.split_once('\n')?;
        let (before, after) = origin.rsplit_once(&shown)?;
        Some(format!("{title}\n{before}:{}{after}\n{rest}", place.column))
    }

    fn place(&self, span: &Span) -> Place {
        let text = &self.masked;
        let start = floor_boundary(text, span.start);
        let line = self.lines.partition_point(|line| *line <= start);
        let line_start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0);
        let next = self.lines.get(line).copied().unwrap_or(text.len());
        let written = text.get(line_start..next).unwrap_or_default();
        let line_end = line_start + written.trim_end_matches(['\n', '\r']).len();
        // A place at the very end of a line is shown behind its last character.
        let start = start.min(line_end);
        let end = floor_boundary(text, span.end).clamp(start, line_end);
        Place {
            line,
            column: count(text.get(line_start..start)) + 1,
            length: count(text.get(start..end)),
            line_start,
            line_end,
            start,
            end,
        }
    }
}

/// Characters that editors count as columns.
fn count(text: Option<&str>) -> usize {
    text.map_or(0, |text| text.chars().filter(|c| *c != '\u{feff}').count())
}

/// Hidden characters as stars, and a byte order mark, which has no width, as nothing.
fn drawn(text: &str) -> String {
    text.chars().filter(|c| *c != '\u{feff}').map(|c| if show::is_star(c) { '*' } else { c }).collect()
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

    fn unmasked(text: &str) -> Masked {
        Masked { text: text.to_owned(), ..Masked::default() }
    }

    fn report(text: &str, span: Option<Span>) -> Report {
        let diagnostic = Diagnostic::error("E009", span, "`x` is wrong").label("here").help("write `y`");
        Report::new("a.json", unmasked(text), vec![diagnostic])
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
        assert_eq!(rendered, "error[E009]: `x` is wrong\n--> a.json\n = help: write `y`\n\nerror: `a.json`: 1 error\n");
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_problem() {
        let text = format!("{{{}\"x\"{}}}", "\"a\":1,".repeat(5_000), ",\"b\":2".repeat(5_000));
        let at = text.find("\"x\"").unwrap();
        let rendered = report(&text, Some(at..at + 3)).render(false);
        assert!(rendered.len() < 2_000, "{}", rendered.len());
        assert!(rendered.contains(&format!("a.json:1:{}", at + 1)), "{rendered}");
        assert!(rendered.contains("\"x\"") && rendered.contains("^^^ here"), "{rendered}");
    }

    #[test]
    fn spans_beyond_the_text_do_no_harm() {
        for span in [0..0, 5..900, 900..1000, 2..3] {
            let report = report("é\r\nab", Some(span));
            assert!(report.render(true).contains("E009"));
            assert!(report.to_json().contains("\"line\": "));
        }
        assert!(Report::new("a", Masked::default(), Vec::new()).render(false).is_empty());
    }

    #[test]
    fn json_counts_characters() {
        let json: serde_json::Value =
            serde_json::from_str(&report("{\n  \"é\": \"x\"\n}\n", Some(10..13)).to_json()).unwrap();
        assert_eq!(json[0]["line"], 2);
        assert_eq!(json[0]["column"], 8);
        assert_eq!(json[0]["length"], 3);
        assert_eq!(json[0]["severity"], "error");
    }
}
