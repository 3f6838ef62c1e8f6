//! What comes from outside: whatever it is, nothing panics, nothing grows without bound, and no
//! secret is told. The longer runs over the same seams are in `tests/fuzz`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[path = "edges/growth.rs"]
mod growth;
#[path = "edges/properties.rs"]
mod properties;
#[path = "edges/texts.rs"]
mod texts;

#[path = "edges/seams/answers.rs"]
mod answers;
#[path = "edges/seams/choices.rs"]
mod choices;
#[path = "edges/seams/gitlab.rs"]
mod gitlab;
#[path = "edges/seams/interpolation.rs"]
mod interpolation;
#[path = "edges/seams/replies.rs"]
mod replies;
#[path = "edges/seams/spec.rs"]
mod spec;
#[path = "edges/seams/webhook.rs"]
mod webhook;

#[path = "api/stage.rs"]
#[allow(dead_code, reason = "other tests need other parts of it")]
mod stage;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "other tests need other parts of it")]
mod world;
