//! Collects faults: one per place and kind, with line and column.

use std::collections::BTreeSet;

use super::fault::{Code, Excerpt, Fault, Severity};
use super::hidden::Hidden;
use super::node::Span;
use super::words::Words;

/// Faults beyond this many are dropped: nobody reads them, and a hostile file has no end of them.
pub(super) const FAULTS_MAX: usize = 200;

/// A fault without its place.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) code: Code,
    pub(super) path: String,
    /// Whom it is about, as in "pool `linux`".
    pub(super) subject: Option<String>,
    pub(super) message: Words,
    pub(super) label: Option<String>,
    pub(super) hint: Option<Words>,
}

impl Finding {
    pub(super) fn error(code: Code, message: impl Into<Words>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            path: String::new(),
            subject: None,
            message: message.into(),
            label: None,
            hint: None,
        }
    }

    pub(super) fn warning(code: Code, message: impl Into<Words>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(super) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<Words>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.map(Words::from);
        self
    }
}

/// The faults of one text so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    seen: BTreeSet<(Span, Code, Words)>,
    faults: Vec<Fault>,
    /// Which places may not be shown.
    pub(super) hidden: Hidden,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_newlines).collect();
        let hidden = Hidden::default();
        Self { text, line_starts, seen: BTreeSet::new(), faults: Vec::new(), hidden }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Takes a finding of which the place is told and nothing shown, unless the same stands at
    /// that place already: what `defaults` or an alias gives to several pools is one fault.
    pub(super) fn add(&mut self, span: Span, finding: Finding) {
        self.take(span, None, finding);
    }

    /// The same, where the value or key at `span` may be shown, with its `keys` before it.
    pub(super) fn add_shown(&mut self, span: Span, keys: &[Span], finding: Finding) {
        self.take(span, Some(keys), finding);
    }

    fn take(&mut self, span: Span, shown: Option<&[Span]>, finding: Finding) {
        let key = (span, finding.code, finding.message.clone());
        if self.faults.len() >= FAULTS_MAX || !self.seen.insert(key) {
            return;
        }
        let span = self.first_line(span);
        let (line, column) = self.place(span.start);
        let shown = shown.filter(|_| span.start < span.end && !self.hidden.hides(span));
        let excerpt = shown.and_then(|keys| self.excerpt(span, keys, finding.label));
        let message = match &finding.subject {
            Some(subject) => finding.message.about(subject),
            None => finding.message,
        };
        self.faults.push(Fault {
            severity: finding.severity,
            code: finding.code,
            path: finding.path,
            message,
            hint: finding.hint,
            excerpt,
            span: span.start..span.end,
            line,
            column,
        });
    }

    pub(super) fn failed(&self) -> bool {
        self.faults.iter().any(|fault| fault.severity == Severity::Error)
    }

    /// No further fault is taken.
    pub(super) fn is_full(&self) -> bool {
        self.faults.len() >= FAULTS_MAX
    }

    /// The text is not to be looked at further.
    pub(super) fn is_beyond_limits(&self) -> bool {
        self.faults.iter().any(|fault| fault.code == Code::TooLarge)
    }

    /// The faults in file order.
    pub(super) fn finish(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| (fault.span.start, fault.severity));
        self.faults
    }

    /// The line that holds the byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied();
        let before = self.text.get(start.unwrap_or_default()..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The line of a value, up to its end, with nothing on it but the value and its keys.
    fn excerpt(&self, span: Span, keys: &[Span], label: Option<String>) -> Option<Excerpt> {
        let start = *self.line_starts.get(self.line(span.start).checked_sub(1)?)?;
        let mut line = String::new();
        for (at, letter) in self.text.get(start..span.end)?.char_indices() {
            let at = start + at;
            let open = at >= span.start || letter == '\t' || self.is_of_a_key(at, keys);
            line.push(if open { letter } else { ' ' });
        }
        let length = span.end - span.start;
        Some(Excerpt { place: line.len() - length..line.len(), line, label })
    }

    /// Whether that byte is one of a key, or the colon after it.
    fn is_of_a_key(&self, at: usize, keys: &[Span]) -> bool {
        let is_colon = || self.text.as_bytes().get(at) == Some(&b':');
        let shown = keys.iter().filter(|key| !self.hidden.hides(**key));
        shown
            .into_iter()
            .any(|key| (key.start..key.end).contains(&at) || (key.end == at && is_colon()))
    }

    /// A caret marks one line: what a longer value has beyond its first one is cut off.
    fn first_line(&self, span: Span) -> Span {
        let written = self.text.get(span.start..span.end).unwrap_or_default();
        let line = written.lines().next().unwrap_or_default().trim_end();
        Span { start: span.start.min(self.text.len()), end: span.start + line.len() }
    }
}
