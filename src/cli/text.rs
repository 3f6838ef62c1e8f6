//! What the texts of all commands are made of.

pub(super) mod hosts;
pub(super) mod rows;
pub(super) mod sources;
mod style;
mod table;
pub(super) mod unplaced;

pub(super) use style::cut;
pub use style::{Paint, RenderOptions};
pub(super) use table::Table;

use serde::Serialize;

/// One JSON document, with line breaks for people who read it.
pub(super) fn json(output: &impl Serialize) -> String {
    // Our outputs are structs with string keys: serialising them cannot fail.
    serde_json::to_string_pretty(output).unwrap_or_default() + "\n"
}
