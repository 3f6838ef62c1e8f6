//! The runner config.
