//! Where the spec comes from, with real files and the real watcher.

pub(crate) mod at_gitlab;
mod certificates;
mod env_file;
pub(crate) mod folder;
mod in_force;
mod load;
mod lock;
mod proxies;
mod watch;
