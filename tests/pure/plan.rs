//! The planner: cases by hand, and laws that hold in every world.

#![allow(clippy::wildcard_enum_match_arm, reason = "a law names only what it is about")]

mod case;
mod cases;
mod changes;
mod harness;
mod laws;
mod marks;
mod memory;
mod model;
mod properties;
mod schedules;
mod settle;
mod steps;
mod words;
mod worlds;
