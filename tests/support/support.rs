//! What the tests of more than one binary use.

pub(crate) mod docker;
pub(crate) mod image;
pub(crate) mod now;
pub(crate) mod skipped;
pub(crate) mod world;
