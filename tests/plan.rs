//! The planner: cases by hand, and laws that hold in every world.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a law names only what it is about")]

#[path = "plan/case.rs"]
mod case;
#[path = "plan/cases.rs"]
mod cases;
#[path = "plan/changes.rs"]
mod changes;
#[path = "plan/laws.rs"]
mod laws;
#[path = "plan/memory.rs"]
mod memory;
#[path = "plan/model.rs"]
mod model;
#[path = "plan/properties.rs"]
mod properties;
#[path = "plan/stage.rs"]
mod stage;
#[path = "plan/steps.rs"]
mod steps;
#[path = "plan/words.rs"]
mod words;
#[path = "plan/worlds.rs"]
mod worlds;
