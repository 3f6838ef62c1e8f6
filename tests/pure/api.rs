//! The HTTP API: what it shows, what it refuses, and that no client makes the loop wait.

mod act;
mod ages;
mod describe;
mod events;
mod from_gitlab;
pub(crate) mod harness;
mod health;
mod live;
mod look;
mod metrics;
mod observability;
mod preview;
mod refuse;
mod sockets;
mod webhook;
