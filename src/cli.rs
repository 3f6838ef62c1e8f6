//! The commands: arguments, rendering, exit codes. One file per command. Rendering is pure: a
//! [`View`](crate::view::View) in, text out; nothing here acts on GitLab or Docker.

mod explain;
mod live;
mod plan;
mod queue;
mod runners;
mod sources;
mod status;
mod style;
mod table;

pub use explain::render_explain;
pub use live::{SandboxStats, render_changes, render_live};
pub use plan::{render_plan, render_plan_markdown};
pub use queue::render_queue;
pub use runners::render_runners;
pub use status::render_status;
pub use style::{Paint, RenderOptions};
