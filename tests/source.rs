//! Where the spec comes from, with real files and the real watcher.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[path = "source/certificates.rs"]
mod certificates;
#[path = "source/env_file.rs"]
mod env_file;
#[path = "source/folder.rs"]
mod folder;
#[path = "source/in_force.rs"]
mod in_force;
#[path = "source/load.rs"]
mod load;
#[path = "source/lock.rs"]
mod lock;
#[path = "source/proxies.rs"]
mod proxies;
#[path = "source/watch.rs"]
mod watch;
