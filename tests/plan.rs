//! The planner: cases by hand, and laws that hold in every world.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[path = "plan/case.rs"]
mod case;
#[path = "plan/cases.rs"]
mod cases;
#[path = "plan/model.rs"]
mod model;
#[path = "plan/stage.rs"]
mod stage;
#[path = "plan/words.rs"]
mod words;
