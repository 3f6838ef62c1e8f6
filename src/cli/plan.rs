//! `autogit plan`: what would happen now, and what waits for what; changes nothing.

mod groups;
mod markdown;
mod text;
mod waiting;

pub use markdown::render_plan_markdown;
pub use text::render_plan;

pub(crate) use text::decision_line;
