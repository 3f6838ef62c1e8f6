//! Docker by bollard.
