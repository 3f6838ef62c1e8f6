//! Case files: `tests/pure/plan/cases/<fact>.yaml`, and beside each the plan that it gets.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autogit::cli::{RenderOptions, render_plan};
use autogit::plan::plan;
use autogit::view::{SpecInfo, View};
use autogit::world::World;

use crate::plan::case::read;
use crate::plan::model::settle;
use crate::plan::stage::ago;

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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/plan/cases");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    cases.sort();
    cases
}

/// Set `UPDATE_CASES` to write what is planned now; then read the difference.
#[test]
fn each_case_gets_the_plan_beside_it() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut differing = String::new();
    for case in cases() {
        let text = std::fs::read_to_string(&case).unwrap();
        let said = said_of(read(&text));
        let beside = case.with_extension("plan");
        if update {
            std::fs::write(&beside, said).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if said != expected {
            let file = case.file_name().unwrap().to_str().unwrap();
            writeln!(differing, "expected of {file}:\n{expected}\nbut:\n{said}\n").unwrap();
        }
    }
    assert!(differing.is_empty(), "{differing}");
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
