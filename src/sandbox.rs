//! The seeded world: a simulated GitLab and a simulated engine behind the same two ports.

pub mod gitlab;
