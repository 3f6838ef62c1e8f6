//! The GitLab adapter against small routers that answer as GitLab does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod fake;
mod limits;
mod lost;
mod odd;
mod projects;
mod queue;
mod records;
mod refusals;
mod registry;
mod scopes;
mod tls;
mod unseen;
mod writes;
