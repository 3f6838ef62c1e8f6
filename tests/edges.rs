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
