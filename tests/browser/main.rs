//! The dashboard in a real browser: headless Chromium, driven over the `WebDriver` protocol.
//!
//! Where no `chromedriver` is installed these tests say that they were skipped; with
//! `AUTOGIT_REQUIRE_BROWSER=1` they fail instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod act;
mod big;
mod browser;
mod fixtures;
mod harness;
mod hostile;
mod live;
mod look;
mod pictures;
mod reach;
mod sandbox;

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "other binaries use the rest")]
mod support;
