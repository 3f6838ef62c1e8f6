//! What the commands print, from worlds made by hand, and what the binary answers.

pub(crate) mod binary;
mod completions;
mod daemon;
mod explain;
mod health;
mod init;
mod json;
mod live;
mod plan;
mod rotate;
mod sandbox;
mod selftest;
mod served;
mod supervisor;
mod tables;
mod terminal;
mod top;
