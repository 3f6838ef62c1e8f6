//! The `autogit` binary.
fn main() {}
