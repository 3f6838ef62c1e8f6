use autogit::cli::{RenderOptions, SandboxStats, render_changes, render_live};

use crate::plan::busy_day;
use crate::world::{Doing, Scene};

const STATS: SandboxStats = SandboxStats { done: 12, failed: 0, running: 3, pending: 8 };

#[test]
fn the_board_shows_each_slot_as_a_letter() {
    let view = busy_day().view();
    insta::assert_snapshot!(render_live(&view, &STATS, 80, &RenderOptions::bare()));
}

#[test]
fn the_board_of_a_large_pool_fits_a_narrow_terminal() {
    let view = Scene::new().pool("linux", "docker", |pool| pool.max = 500).view();
    let text = render_live(&view, &STATS, 60, &RenderOptions::bare());
    let rows = text.lines().filter(|line| line.starts_with("linux"));
    let widths: Vec<usize> = rows.map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width <= 60), "{widths:?}");
    assert!(text.contains('…'));
}

#[test]
fn without_a_terminal_there_is_one_line_per_change() {
    let scene = || Scene::new().pool("linux", "docker", |pool| pool.max = 3);
    let before = scene().runner("linux", 0, "local", Doing::Starting(5)).view();
    let after = scene()
        .runner("linux", 0, "local", Doing::Busy(41, 5))
        .job(42, "team/app", &["docker"], 5)
        .view();
    let lines = render_changes(Some(&before), &after, &RenderOptions::bare());
    insta::assert_snapshot!(lines.join("\n"));
    assert!(render_changes(Some(&after), &after, &RenderOptions::bare()).is_empty());
}
