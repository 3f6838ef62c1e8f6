#![doc = include_str!("ARCHITECTURE.md")]

pub mod adapters;
pub mod api;
pub mod apply;
pub mod cli;
pub mod clock;
mod duration;
pub mod engine;
pub mod error_policy;
pub mod gitlab;
mod lock;
pub mod model;
pub mod observe;
pub mod operate;
pub mod plan;
pub mod reconcile;
pub mod sandbox;
pub mod source;
pub mod spec;
pub mod tokens;
pub mod view;
pub mod world;
