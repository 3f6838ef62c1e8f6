//! `examples/deploy/` at work: AutoGit in the image, and behind the socket proxy's list.

mod filter;
mod image;
mod listed;
