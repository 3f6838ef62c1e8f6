//! Where the spec comes from: a file of this machine or of a project at GitLab, with the variables and
//! the files that it names.
//!
//! A load reads all of it anew and takes it whole or not at all. [`SpecSource`] keeps the last good
//! spec in force while the file is wrong, half-written or gone, and remembers what is wrong with
//! it. [`Watch`] says when to look again; SIGHUP and `POST /reload` do the same. [`InstanceLock`]
//! sees to it that one instance has one AutoGit on this machine.
//!
//! A file is good or not by what it says; whether GitLab and the hosts it names can be reached is
//! not asked here. What a reload never does: take half of a file, or another instance's.

mod address;
mod certificates;
mod credentials;
mod env_file;
mod environment;
mod error;
mod events;
mod file;
mod in_force;
mod load;
mod lock;
mod mount;
mod origin;
mod presence;
mod proxies;
mod remote;
mod symlinks;
mod token_place;
mod watch;
mod written;

pub use address::{Address, AddressError};
pub use env_file::{EnvFileError, LineFault, LineProblem, parse as parse_env_file};
pub use environment::{Environment, Variables};
pub use error::{LoadError, NamedFileError, Warning};
pub use file::{FileError, FileProblem};
pub use in_force::{Condition, Pending, PendingFault, Refusal, Reloaded, SpecSource};
pub use load::{Loaded, load};
pub use lock::{InstanceLock, LockError, lock_folders};
pub(crate) use mount::is_mounted_alone;
pub use origin::{NoOrigin, Origin, Place, Text, read};
pub use presence::{Key, Presence, presences};
pub use remote::{Access, ConnectRepository, Remote, RemoteError};
pub use token_place::TokenPlace;
pub use watch::{Pace, Seeing, Watch};
pub use written::Written;
