//! AutoGit keeps GitLab Runner containers in agreement with one declarative file.
//!
//! One tick of the program, in reading order:
//!
//! ```text
//! autogit.yaml ── source, spec ──┐
//! GitLab ── gitlab ── observe ───┼──► World ── plan ──► Plan ── apply ──► GitLab, Docker
//! Docker ── engine ── observe ───┘             pure      │
//!                                                        └──► view ──► api, cli
//! ```
//!
//! - [`spec`]: text to a typed, checked [`spec::Spec`]; pure
//! - [`world`]: what is asked for and what was observed, as plain data
//! - [`plan`]: the pure function from a [`world::World`] to a [`plan::Plan`]
//! - [`gitlab`], [`engine`]: the two ports through which every effect goes, and their adapters
//! - [`sandbox`]: a simulated GitLab and a simulated engine behind the same ports
//! - [`source`]: where the spec comes from: a watched file
//! - [`observe`]: ports to [`world::World`]
//! - [`apply`]: [`plan::Plan`] to port calls
//! - [`tokens`]: runner tokens, in memory and in the token cache
//! - [`clock`]: now and sleep, real and simulated
//! - [`reconcile`]: the loop: wake, reload, observe, plan, apply, publish
//! - [`view`]: what was last seen, planned and done, as the structs that are printed
//! - [`api`]: the view over HTTP, the webhook, the dashboard; acts by waking the loop only
//! - [`cli`]: one file per command
//!
//! Deliberately absent: a database, a retry queue, timers beyond the loop's own, any call that
//! kills a runner, and any second way to the outside beside the two ports.

pub mod api;
pub mod apply;
pub mod cli;
pub mod clock;
pub mod engine;
pub mod gitlab;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod sandbox;
pub mod source;
pub mod spec;
pub mod tokens;
pub mod view;
pub mod world;
