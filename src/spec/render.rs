//! Faults as the operator sees them on the terminal of `check`.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};

use super::fault::{Excerpt, Fault, Faults, Severity};

/// The longest line that is shown; wider than any screen. The library panics on a column beyond
/// 65535, and each of many faults would repeat a line of a megabyte.
const LINE_BYTES_MAX: usize = 1000;

/// A fault with what may be seen of its line.
#[derive(Debug)]
struct Shown<'a> {
    fault: &'a Fault,
    line: Line<'a>,
}

/// The one line that there is to see of a file.
#[derive(Debug)]
struct Line<'a> {
    file: &'a str,
    text: &'a str,
    /// From 0, as the library counts.
    number: usize,
    column: usize,
}

impl SourceCode for Line<'_> {
    /// Without context the library asks for a place, with it for what is around.
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        lines_before: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let whole = SourceSpan::new(0.into(), self.text.len());
        let (span, column) = if lines_before == 0 { (*span, self.column) } else { (whole, 0) };
        let (file, text) = (self.file.to_owned(), self.text.as_bytes());
        Ok(Box::new(MietteSpanContents::new_named(file, text, span, self.number, column, 1)))
    }
}

impl<'a> Shown<'a> {
    fn new(file: &'a str, fault: &'a Fault, excerpt: &'a Excerpt) -> Self {
        let (number, column) = (fault.line.saturating_sub(1), fault.column.saturating_sub(1));
        Self { fault, line: Line { file, text: &excerpt.line, number, column } }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault.message_in_full())
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.fault.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.line)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Excerpt { place, label, .. } = self.fault.excerpt.as_ref()?;
        let span = LabeledSpan::new(label.clone(), place.start, place.len());
        Some(Box::new(std::iter::once(span)))
    }
}

impl Faults {
    /// Each fault with its values, a caret below what may be seen of its line, and its hint: for
    /// the terminal of `check` and nobody else; in colour where that shows it.
    pub fn render(&self, color: bool) -> String {
        let handler = GraphicalReportHandler::new_themed(theme(color))
            .with_width(110)
            .with_context_lines(1)
            .with_links(false)
            .without_syntax_highlighting();
        let mut rendered = String::new();
        for fault in &self.faults {
            let mut one = String::new();
            let excerpt = fault.excerpt.as_ref().filter(|one| one.line.len() <= LINE_BYTES_MAX);
            let drawn = excerpt.is_some_and(|excerpt| {
                let shown = Shown::new(&self.file, fault, excerpt);
                // Writing to a string does not fail; should it, the place in words says enough.
                handler.render_report(&mut one, &shown).is_ok()
            });
            if !drawn {
                one = self.without_line(fault);
            }
            rendered.push_str(&flush_left(&one));
            if let Some(hint) = fault.hint_in_full() {
                rendered.push_str("  hint: ");
                rendered.push_str(&hint);
                rendered.push('\n');
            }
            rendered.push('\n');
        }
        rendered
    }

    /// A fault without its line.
    fn without_line(&self, fault: &Fault) -> String {
        let weight = fault.severity.as_str();
        let Fault { line, column, .. } = fault;
        let message = fault.message_in_full();
        format!("{weight}: {message}\n   ╭─[{}:{line}:{column}]\n", self.file)
    }
}

/// The handler indents its first line; a line that begins with `error:` is found by eye and tool.
fn flush_left(report: &str) -> String {
    let mut lines = report.lines();
    let first = lines.next().unwrap_or_default().trim_start();
    let rest = lines.map(|line| format!("{}\n", line.trim_end()));
    format!("{first}\n{}", rest.collect::<String>())
}

fn theme(color: bool) -> GraphicalTheme {
    let characters = ThemeCharacters {
        error: "error:".into(),
        warning: "warning:".into(),
        underline: '^',
        underbar: '^',
        ..ThemeCharacters::unicode()
    };
    let styles = if color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    GraphicalTheme { characters, styles }
}
