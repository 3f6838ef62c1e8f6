//! The HTTP API: what it shows, what it refuses, and that no client makes the loop wait.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[path = "api/act.rs"]
mod act;
#[path = "api/ages.rs"]
mod ages;
#[path = "api/describe.rs"]
mod describe;
#[path = "api/events.rs"]
mod events;
#[path = "source/folder.rs"]
#[allow(dead_code, reason = "other tests need other parts of it")]
mod folder;
#[path = "api/health.rs"]
mod health;
#[path = "api/live.rs"]
mod live;
#[path = "api/look.rs"]
mod look;
#[path = "api/metrics.rs"]
mod metrics;
#[path = "api/observability.rs"]
mod observability;
#[path = "api/preview.rs"]
mod preview;
#[path = "api/refuse.rs"]
mod refuse;
#[path = "support/skipped.rs"]
mod skipped;
#[path = "api/sockets.rs"]
mod sockets;
#[path = "api/stage.rs"]
mod stage;
#[path = "api/webhook.rs"]
mod webhook;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "other tests need other parts of it")]
mod world;
