//! sandbox

pub mod engine;
pub mod runner;
