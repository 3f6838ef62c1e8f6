//! The GitLab adapter against small routers that answer as GitLab does.

mod fake;
mod limits;
mod lost;
mod odd;
mod projects;
mod queue;
mod records;
mod refusals;
mod registry;
mod scopes;
mod scratch;
mod tls;
mod unseen;
mod user;
mod writes;
