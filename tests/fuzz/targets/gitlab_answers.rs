//! Any answers to each method of the GitLab adapter.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

#[path = "../../pure/edges/seams/answers.rs"]
mod answers;
#[path = "../../pure/edges/seams/choices.rs"]
mod choices;
#[path = "../../pure/edges/seams/gitlab.rs"]
mod gitlab;
#[path = "../../pure/edges/seams/replies.rs"]
mod replies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| gitlab::check(data));
