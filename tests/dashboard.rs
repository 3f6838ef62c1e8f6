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

#[path = "dashboard/act.rs"]
mod act;
#[path = "dashboard/big.rs"]
mod big;
#[path = "dashboard/browser.rs"]
mod browser;
#[path = "dashboard/hostile.rs"]
mod hostile;
#[path = "dashboard/live.rs"]
mod live;
#[path = "dashboard/look.rs"]
mod look;
#[path = "dashboard/pictures.rs"]
mod pictures;
#[path = "dashboard/reach.rs"]
mod reach;
#[path = "dashboard/sandbox.rs"]
mod sandbox;
#[path = "dashboard/scenes.rs"]
mod scenes;
#[path = "support/skipped.rs"]
mod skipped;
#[path = "dashboard/stage.rs"]
mod stage;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "other tests need other parts of it")]
mod world;
