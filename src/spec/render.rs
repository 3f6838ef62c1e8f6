//! Faults as the operator sees them.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
    ThemeCharacters, ThemeStyles,
};

use super::fault::{Fault, Faults, Severity};

/// The longest line that is shown; wider than any screen.
const LINE_BYTES_MAX: usize = 1000;

impl Fault {
    fn place(&self) -> Vec<LabeledSpan> {
        let length = self.span.end.saturating_sub(self.span.start);
        vec![LabeledSpan::new(self.label.clone(), self.span.start, length)]
    }

    fn weight(&self) -> miette::Severity {
        match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        }
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code.as_str()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.weight())
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint.as_ref().map(|hint| -> Box<dyn fmt::Display> { Box::new(hint) })
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.place().into_iter()))
    }
}

impl Diagnostic for Faults {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.faults.iter().map(|fault| -> &dyn Diagnostic { fault })))
    }
}

/// A fault with its source and without what the handler would word otherwise than we do.
struct Shown<'a> {
    fault: &'a Fault,
    source: &'a NamedSource<String>,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.fault, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.fault.weight())
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.fault.place().into_iter()))
    }
}

impl Faults {
    /// Each fault with its line, a caret and its hint; in colour for a terminal.
    pub fn render(&self, color: bool) -> String {
        let source = NamedSource::new(&self.file, self.text.clone());
        let handler = GraphicalReportHandler::new_themed(theme(color))
            .with_width(110)
            .with_links(false)
            .without_syntax_highlighting();
        let lines: Vec<&str> = self.text.split('\n').collect();
        let mut rendered = String::new();
        for fault in &self.faults {
            let mut one = String::new();
            // Writing to a string fails only where a span lies outside the text, and then the
            // place in words says enough.
            let drawn = drawable(&lines, fault.line)
                && handler.render_report(&mut one, &Shown { fault, source: &source }).is_ok();
            if !drawn {
                one = self.in_words(fault);
            }
            rendered.push_str(&flush_left(&one));
            if let Some(hint) = &fault.hint {
                rendered.push_str("  hint: ");
                rendered.push_str(hint);
                rendered.push('\n');
            }
            rendered.push('\n');
        }
        rendered
    }

    /// A fault without its line.
    fn in_words(&self, fault: &Fault) -> String {
        let weight = match fault.severity {
            Severity::Error => "error:",
            Severity::Warning => "warning:",
        };
        let Fault { message, line, column, .. } = fault;
        format!("{weight} {message}\n   ╭─[{}:{line}:{column}]\n", self.file)
    }
}

/// Whether a line can be shown with a caret below it: it and its neighbours, which are shown too,
/// are of a length that somebody reads. The handler panics on a column beyond 65535, and each of
/// many faults would repeat a line of a megabyte.
fn drawable(lines: &[&str], line: usize) -> bool {
    let shown = lines.iter().skip(line.saturating_sub(2)).take(3);
    shown.into_iter().all(|line| line.len() <= LINE_BYTES_MAX)
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
