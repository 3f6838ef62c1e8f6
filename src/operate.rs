//! What an operator's commands do, without words and arguments: whose view answers, which AutoGit
//! runs, and the ways to GitLab and the engines.

mod adapters;
mod alone;
mod chosen_view;
pub mod doctor;
mod down;
mod drain;
mod env_lines;
mod failure;
pub(crate) mod init;
mod logs;
mod own_look;
mod private_file;
mod process;
mod project;
mod rotate;
mod running;
pub(crate) mod selftest;

pub use adapters::{Adapters, Connected, GatewayAnswer};
pub use process::Process;

pub(crate) use alone::{Alone, lock, own_records, plan_sweep};
pub(crate) use chosen_view::{
    About, Asking, ChosenView, Question, RunningView, SpecPlace, WhoseView, is_planned_for,
    plan_page,
};
pub(crate) use down::{Records, down, down_former, remains};
pub(crate) use drain::{drain, drain_there};
pub(crate) use failure::Failure;
pub(crate) use logs::runner_log;
pub(crate) use own_look::OwnLook;
pub(crate) use private_file::replace_file;
pub(crate) use project::{Named, project, user_gitlab};
pub(crate) use rotate::{Rotated, rotate};
pub(crate) use running::{Health, Reply, Running, Whose, escaped, presence};
