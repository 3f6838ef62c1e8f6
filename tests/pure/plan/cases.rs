//! Case files: `tests/pure/plan/cases/<fact>.yaml`, and beside each the plan that it gets.

use std::path::PathBuf;
use std::sync::Arc;

use autogit::cli::{RenderOptions, render_plan};
use autogit::plan::plan;
use autogit::view::{SpecInfo, View};
use autogit::world::World;

use crate::beside;
use crate::plan::case::read;
use crate::plan::harness::ago;
use crate::plan::settle::settle;

/// The plan as `autogit plan --verbose` prints it, without the heading that all cases share, and
/// how many looks it takes until there is nothing to do.
fn said_of(world: World) -> String {
    let looks = settle(&world);
    let text = render_plan(
        &view(world).as_seen().plan_output(),
        &RenderOptions { verbose: true, ..RenderOptions::bare() },
    );
    let (_, text) = text.split_once('\n').unwrap();
    let text = text.replace(" Nothing was changed.", "");
    format!("{text}Settled after {looks} looks.\n")
}

fn view(world: World) -> View {
    View {
        plan: Arc::new(plan(&world)),
        spec: SpecInfo {
            source: "autogit.yaml".to_owned(),
            hash: "3f9c1a".to_owned(),
            loaded_at: ago(600),
            commit: None,
            pending_fault: None,
            spec: Arc::clone(&world.spec),
        },
        world: Arc::new(world),
        requests: 2,
        gitlab_url: "https://gitlab.example.com".to_owned(),
        notices: Vec::new(),
    }
}

fn cases() -> Vec<PathBuf> {
    beside::cases("tests/pure/plan/cases")
}

#[test]
fn each_case_gets_the_plan_beside_it() {
    beside::compare(&cases(), "plan", |_, text| said_of(read(text)));
}

#[test]
fn each_case_is_short_enough_to_be_read() {
    for case in cases() {
        for file in [case.with_extension("plan"), case] {
            let lines = std::fs::read_to_string(&file).unwrap_or_default().lines().count();
            assert!(lines <= 40, "{}: {lines} lines", file.display());
        }
    }
}
