//! One seeded world behind the two ports: a simulated GitLab that is spoken to over HTTP, and a
//! simulated engine whose runners behave as gitlab-runner does. For `autogit sandbox` and for tests.

pub mod demo;
pub mod engine;
pub mod gitlab;
pub mod rng;
pub mod runner;
