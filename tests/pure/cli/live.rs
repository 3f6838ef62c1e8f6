use autogit::cli::{Board, RenderOptions, SandboxStats, render_changes, render_live};

use crate::cli::plan::busy_day;
use crate::support::world::{Doing, Fixture};

const STATS: SandboxStats = SandboxStats { done: 12, failed: 0, running: 3, pending: 8 };

fn board(view: &autogit::view::View, recent: &[String], size: (usize, usize)) -> String {
    let board = Board { view, stats: STATS, recent };
    render_live(&board, size, &RenderOptions::bare())
}

fn recent() -> Vec<String> {
    let one = "+ start autogit-runner-linux-amd64-1  serve-demand: 5 waiting, 1 idle, 2 starting";
    (0..30).map(|second| format!("03:04:{second:02} {one}")).collect()
}

#[test]
fn the_board_shows_each_slot_as_a_letter() {
    insta::assert_snapshot!(board(&busy_day().view(), &recent(), (80, 24)));
}

#[test]
fn no_line_of_the_board_is_folded_and_none_is_lost_at_its_bottom() {
    let mut fixture = busy_day();
    for number in 0..20 {
        fixture =
            fixture.pool(&format!("pool-with-a-long-name-{number}"), "x", |pool| pool.max = 500);
    }
    let mut view = fixture.view();
    view.spec.pending_fault = Some("error: the spec `autogit.yaml` does not exist".to_owned());
    for size in [(80, 24), (40, 24), (40, 20), (200, 60), (20, 10)] {
        let text = board(&view, &recent(), size);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= size.0 && text.lines().count() < size.1, "{size:?}:\n{text}");
    }
    for size in [(80, 24), (40, 24)] {
        let text = board(&view, &recent(), size);
        for part in ["is refused", "that no pool takes", "03:04:29", "8 pending", "more pools"] {
            assert!(text.contains(part), "{size:?} lacks `{part}`:\n{text}");
        }
        let decisions = text.lines().filter(|line| line.contains("+ start")).count();
        assert!(decisions >= 4, "{size:?}:\n{text}");
    }
}

#[test]
fn without_a_terminal_there_is_one_line_per_change() {
    let fixture = || Fixture::new().pool("linux", "docker", |pool| pool.max = 3);
    let before = fixture().runner("linux", 0, "local", Doing::Starting(5)).view();
    let after = fixture()
        .runner("linux", 0, "local", Doing::Busy(41, 5))
        .job(42, "team/app", &["docker"], 5)
        .view();
    let lines = render_changes(Some(&before), &after, &RenderOptions::bare());
    insta::assert_snapshot!(lines.join("\n"));
    assert!(render_changes(Some(&after), &after, &RenderOptions::bare()).is_empty());
}
