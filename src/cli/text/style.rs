//! How text is put on the page: colour, width, zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::view::{View, words};

/// How text is rendered; the terminal and the machine's zone are asked by main.
#[derive(Debug, Clone)]
pub struct RenderOptions {
    /// The zone of the times that people read.
    pub zone: TimeZone,
    /// Colour, or none of it.
    pub paint: Paint,
    /// Everything, where else only what matters is listed.
    pub verbose: bool,
}

impl RenderOptions {
    /// Without colour, in UTC, only what matters.
    pub fn bare() -> Self {
        Self { zone: TimeZone::UTC, paint: Paint::off(), verbose: false }
    }

    /// The first line of most output: which spec, whose, and when.
    pub(crate) fn heading_of(
        &self,
        source: &str,
        hash: &str,
        instance: &str,
        at: Timestamp,
    ) -> String {
        self.paint.strong(&self.plain_heading_of(source, hash, instance, at))
    }

    /// The same of a view, without colour.
    pub(crate) fn plain_heading(&self, view: &View) -> String {
        let spec = &view.spec;
        let instance = view.world.spec.instance.as_str();
        self.plain_heading_of(&spec.source, &spec.hash, instance, view.world.now)
    }

    /// A time of today: `14:03:22`.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// A time of any day, as JSON has it: `2026-01-02 03:04`.
    pub(crate) fn day(&self, at: Option<&str>) -> String {
        at.map_or_else(
            || "-".to_owned(),
            |at| {
                let at = words::parsed(at).to_zoned_datetime(self.zone.clone());
                at.strftime("%Y-%m-%d %H:%M").to_string()
            },
        )
    }

    /// The same, without colour.
    pub(crate) fn plain_heading_of(
        &self,
        source: &str,
        hash: &str,
        instance: &str,
        at: Timestamp,
    ) -> String {
        let now = at.to_zoned_datetime(self.zone.clone()).strftime("%H:%M:%S %Z").to_string();
        format!("{source}@{hash} · instance {instance} · {now}")
    }
}

/// Colour for a terminal. Never the only sign: each coloured word says the same without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Colours.
    pub fn on() -> Self {
        Self { on: true }
    }

    /// Leaves text as it is.
    pub fn off() -> Self {
        Self { on: false }
    }

    /// Whether it colours.
    pub fn is_on(self) -> bool {
        self.on
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn notable(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// At most `width` columns of a terminal.
pub(crate) fn cut(line: &str, width: usize) -> String {
    if line.width() <= width {
        return line.to_owned();
    }
    let mut kept = String::new();
    for letter in line.chars() {
        if kept.width() + letter.width().unwrap_or(0) >= width {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}
