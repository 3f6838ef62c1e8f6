//! Text to a tree of nodes, within limits: a file from a repository may be hostile.

mod frame;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::fault::Code;
use super::node::{Kind, Node, Scalar, Size, Span};
use super::report::{Finding, Report};
use super::words::value;
use frame::Frame;

/// A spec of a thousand pools is a tenth of this.
const BYTES_MAX: usize = 1 << 20;
/// The deepest field of a spec is at 7; `runner_config` may go deeper.
const DEPTH_MAX: usize = 32;
/// Values after aliases were replaced by what they stand for.
const NODES_MAX: usize = 100_000;
/// Their text, so that few long ones behind many aliases fill no memory either.
const TEXT_BYTES_MAX: usize = 4 * BYTES_MAX;

/// Reads `text`. `None` when it is no YAML mapping at all; the report then has its fault.
pub(super) fn read(report: &mut Report<'_>) -> Option<Node> {
    let text = report.text();
    if text.len() > BYTES_MAX {
        let message = format!("the file is larger than {} KiB", BYTES_MAX / 1024);
        report.add(Span::default(), Finding::error(Code::TooLarge, message));
        return None;
    }
    let mut reader = Reader::new(report);
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => {
                let span = reader.bytes(span);
                reader.take(event, span)
            }
            Err(error) => {
                let at = reader.byte(error.marker().index());
                let span = Span { start: at, end: at };
                stop(span, syntax_fault(text, at, error.info()))
            }
        };
        if let Err(stopped) = step {
            let (span, finding) = *stopped;
            reader.report.add(span, finding);
            return None;
        }
    }
    let root = reader.root.filter(|root| !root.is_null());
    if root.is_none() {
        let finding = Finding::error(Code::Syntax, "the file is empty")
            .hint("`gitlab.url`, a token and one pool with a tag are enough");
        report.add(Span::default(), finding);
    }
    root
}

/// The parser's own words, and what an operator most likely did.
fn syntax_fault(text: &str, at: usize, info: &str) -> Finding {
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let finding = Finding::error(Code::Syntax, format!("not YAML: {}", value(info)));
    if line.contains("${") && line.contains(['{', '[']) {
        finding.hint("inside flow braces and brackets quote a variable: `\"${NAME}\"`")
    } else if line.trim_start_matches(' ').starts_with('\t') {
        finding.hint("indent with spaces: YAML takes no tabs")
    } else {
        finding
    }
}

/// What stops the reading, and where; boxed, for it is rare and every event could bring it.
type Step = Result<(), Box<(Span, Finding)>>;

fn stop<T>(span: Span, finding: Finding) -> Result<T, Box<(Span, Finding)>> {
    Err(Box::new((span, finding)))
}

struct Reader<'r, 'a> {
    report: &'r mut Report<'a>,
    /// The byte at which each character begins: the parser counts characters.
    byte_of: Vec<usize>,
    open: Vec<Frame>,
    anchors: BTreeMap<usize, (Node, Size)>,
    read: Size,
    root: Option<Node>,
}

impl<'r, 'a> Reader<'r, 'a> {
    fn new(report: &'r mut Report<'a>) -> Self {
        let byte_of = report.text().char_indices().map(|(at, _)| at).collect();
        Self {
            report,
            byte_of,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            read: Size::default(),
            root: None,
        }
    }

    fn byte(&self, character: usize) -> usize {
        self.byte_of.get(character).copied().unwrap_or(self.report.text().len())
    }

    fn bytes(&self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        Span { start, end: self.byte(span.end.index()).max(start) }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Step {
        let tagged = |tag: Option<_>| match tag {
            None => Ok(()),
            Some(_) => stop(span, Finding::error(Code::Syntax, "YAML tags have no meaning here")),
        };
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                tagged(tag)?;
                let plain = style == ScalarStyle::Plain;
                let size = Size { nodes: 1, bytes: text.len() };
                self.count(size, span)?;
                let scalar = Scalar { text: text.into_owned(), plain, variables: Vec::new() };
                self.close(Node { kind: Kind::Scalar(scalar), span }, anchor, size)
            }
            Event::SequenceStart(anchor, tag) => {
                tagged(tag)?;
                self.enter(Frame::list(anchor, span, self.read), span)
            }
            Event::MappingStart(anchor, tag) => {
                tagged(tag)?;
                self.enter(Frame::map(anchor, span, self.read), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.open.pop() else { return Ok(()) };
                let (anchor, size) = (frame.anchor, self.read.since(frame.before));
                let node = frame.finish(span.end);
                self.close(node, anchor, size)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    let message = "this alias is part of the value that it refers to";
                    return stop(span, Finding::error(Code::Syntax, message));
                };
                self.count(size, span)?;
                self.close(node, 0, size)
            }
        }
    }

    fn count(&mut self, size: Size, span: Span) -> Step {
        self.read = self.read.with(size);
        let message = if self.read.nodes > NODES_MAX {
            format!("the file has more than {NODES_MAX} values, aliases replaced")
        } else if self.read.bytes > TEXT_BYTES_MAX {
            let kib = TEXT_BYTES_MAX / 1024;
            format!("the file is larger than {kib} KiB, aliases replaced")
        } else {
            return Ok(());
        };
        stop(span, Finding::error(Code::TooLarge, message))
    }

    fn enter(&mut self, frame: Frame, span: Span) -> Step {
        self.count(Size { nodes: 1, bytes: 0 }, span)?;
        if self.open.len() >= DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} levels deep");
            return stop(span, Finding::error(Code::TooLarge, message));
        }
        self.open.push(frame);
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node, anchor: usize, size: Size) -> Step {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.open.last_mut() else {
            if self.root.is_some() {
                let message = "a second document, after `---`: a spec is one document";
                return stop(node.span, Finding::error(Code::Syntax, message));
            }
            self.root = Some(node);
            return Ok(());
        };
        if let Err(refusal) = frame.place(node) {
            self.report.add(refusal.0, refusal.1);
        }
        Ok(())
    }
}
