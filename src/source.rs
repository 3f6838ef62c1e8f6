//! Where the spec comes from: a file, read whole, checked whole, and watched.

mod env_file;
mod environment;
mod events;
mod file;
mod lock;
mod mount;
mod trail;
mod watch;

pub use env_file::{EnvFileError, LineFault, LineProblem, parse as parse_env_file};
pub use environment::{Environment, Variables};
pub use file::{FileError, FileProblem};
pub use lock::{InstanceLock, LockError, lock_folders};
pub use watch::{Pace, Seeing, Watch};
