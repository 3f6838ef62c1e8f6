//! What comes from outside: whatever it is, nothing panics, nothing grows without bound, and no
//! secret is told. The longer runs over the same seams are in `tests/fuzz`.

mod growth;
mod properties;
mod seams;
mod texts;
