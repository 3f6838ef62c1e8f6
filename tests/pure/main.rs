//! What needs neither an engine nor a browser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod api;
mod beside;
mod cli;
mod deploy;
mod docs;
mod doctor;
mod edges;
mod gitlab_adapter;
mod gitops;
mod keys;
mod plan;
mod published;
mod reference;
mod simulated_engine;
mod source;
mod spec;
mod spec_fields;
mod spec_pushed;
mod spec_secrets;
mod tidy;

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "other binaries use the rest")]
mod support;
