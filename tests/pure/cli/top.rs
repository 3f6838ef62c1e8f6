use autogit::cli::{News, RenderOptions, Seen, TopState, Wish, draw_top};
use autogit::spec::Resources;
use autogit::view::View;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::cli::plan::busy_day;
use crate::support::world::{Doing, Fixture};

fn seen(view: &View) -> News {
    let told = view.as_seen();
    let (status, runners, queue) =
        (told.status_output(), told.runners_output(), told.queue_output());
    News::Seen(Box::new(Seen { status, runners, queue }))
}

fn watching(fixture: Fixture) -> TopState {
    let mut state = TopState::default();
    state.take(seen(&fixture.view()));
    state
}

fn drawn(state: &mut TopState, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw_top(frame, state, &RenderOptions::bare())).unwrap();
    let text = terminal.backend().to_string();
    // The backend quotes each line.
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

fn press(state: &mut TopState, keys: &str) -> Option<Wish> {
    let keys = keys.chars().map(|letter| match letter {
        '\t' => KeyCode::Tab,
        '\n' => KeyCode::Enter,
        '\u{1b}' => KeyCode::Esc,
        '\u{8}' => KeyCode::Backspace,
        '↓' => KeyCode::Down,
        '↑' => KeyCode::Up,
        letter => KeyCode::Char(letter),
    });
    keys.map(|code| state.press(KeyEvent::from(code))).last().unwrap()
}

/// The rows of a list as they are drawn, below its heading.
fn rows(state: &mut TopState, heading: &str) -> Vec<String> {
    let text = drawn(state, (200, 50));
    let from = text.lines().skip_while(|line| !line.starts_with(heading)).skip(1);
    let rows = from.take_while(|line| !line.is_empty() && !line.starts_with(char::is_uppercase));
    rows.map(|row| row.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn a_narrow_terminal_has_some_of_each_list() {
    insta::assert_snapshot!(drawn(&mut watching(busy_day()), (80, 24)));
}

#[test]
fn a_wide_terminal_has_all_of_them() {
    insta::assert_snapshot!(drawn(&mut watching(busy_day()), (160, 40)));
}

#[test]
fn no_terminal_is_too_small() {
    let mut state = watching(busy_day());
    for size in [(1, 1), (3, 5), (20, 3), (40, 12), (500, 2)] {
        for keys in ["\t", "/", "\u{1b}", "?", "\u{1b}", "3", "d", "n"] {
            press(&mut state, keys);
            drawn(&mut state, size);
        }
    }
}

#[test]
fn before_anything_was_read_keys_do_nothing_but_leave() {
    let mut state = TopState::default();
    for keys in ["\t", "↓", "d", "s", "\n", "/x\n"] {
        assert_eq!(press(&mut state, keys), None);
    }
    assert!(drawn(&mut state, (80, 24)).starts_with("reads"));
    assert_eq!(press(&mut state, "q"), Some(Wish::Quit));
}

#[test]
fn ctrl_c_leaves_whatever_keys_mean_then() {
    for keys in ["1", "/a", "3d", "?"] {
        let mut state = watching(busy_day());
        press(&mut state, keys);
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.press(ctrl_c), Some(Wish::Quit), "{keys}");
    }
}

#[test]
fn a_runner_is_drained_only_by_who_agrees() {
    let mut state = watching(busy_day());
    assert_eq!(press(&mut state, "3/linux-amd64-0\nd"), None);
    let asked = drawn(&mut state, (120, 24));
    let question = "drain autogit-runner-linux-amd64-0? [y/N]  it finishes job #8700 and exits";
    assert!(asked.contains(question), "{asked}");
    assert_eq!(press(&mut state, "n"), None);
    assert!(drawn(&mut state, (120, 24)).contains("autogit-runner-linux-amd64-0 stays"));
    assert_eq!(press(&mut state, "d\n"), None, "only `y` agrees");
    let drain = Wish::Drain("autogit-runner-linux-amd64-0".to_owned());
    assert_eq!(press(&mut state, "dy"), Some(drain));
}

#[test]
fn a_pool_is_drained_as_a_whole() {
    let mut state = watching(busy_day());
    press(&mut state, "2d");
    let asked = drawn(&mut state, (120, 24));
    assert!(
        asked.contains("drain linux? [y/N]  5 runners, 2 of them with a job, which ends first"),
        "{asked}"
    );
    assert_eq!(press(&mut state, "y"), Some(Wish::Drain("linux".to_owned())));
    assert_eq!(press(&mut state, "4d"), None, "a job is no runner");
    assert!(drawn(&mut state, (120, 24)).contains("choose one"));
}

#[test]
fn enter_explains_what_is_chosen_and_the_text_is_read_over_the_lists() {
    let mut state = watching(busy_day());
    assert_eq!(press(&mut state, "2↓\n"), Some(Wish::Explain("pool cuda".to_owned())));
    assert_eq!(press(&mut state, "4\n"), Some(Wish::Explain("job 8641".to_owned())));
    let text = (1..=40).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
    state.take(News::Explained { title: "job 8641".to_owned(), text });
    assert!(drawn(&mut state, (80, 24)).contains("line 20"));
    press(&mut state, "↓↓↓");
    let text = drawn(&mut state, (80, 24));
    assert!(text.contains("line 4") && !text.contains("line 3 "), "{text}");
    assert_eq!(press(&mut state, "q"), None, "it goes back to the lists first");
    assert!(drawn(&mut state, (80, 24)).contains("QUEUE") || press(&mut state, "q").is_some());
}

#[test]
fn the_chosen_row_stays_chosen_where_others_come_and_go() {
    let fixture = |others: u64| {
        let fixture = Fixture::new().pool("linux", "docker", |pool| pool.max = 0);
        (1..=others).fold(fixture, |fixture, id| {
            fixture.job(id, "a/b", &["docker"], 900 - i64::try_from(id).unwrap())
        })
    };
    let mut state = watching(fixture(5));
    press(&mut state, "4↓↓");
    assert_eq!(press(&mut state, "e"), Some(Wish::Explain("job 3".to_owned())));
    state.take(seen(&fixture(9).view()));
    assert_eq!(press(&mut state, "e"), Some(Wish::Explain("job 3".to_owned())));
    state.take(seen(&fixture(1).view()));
    assert_eq!(press(&mut state, "e"), Some(Wish::Explain("job 1".to_owned())), "the nearest");
    state.take(seen(&fixture(0).view()));
    assert_eq!(press(&mut state, "e"), None);
}

#[test]
fn a_list_is_ordered_and_filtered_by_itself() {
    let mut state = watching(busy_day());
    assert_eq!(rows(&mut state, "POOL"), ["linux", "cuda", "docs"]);
    press(&mut state, "2s");
    assert_eq!(rows(&mut state, "POOL (by name"), ["cuda", "docs", "linux"]);
    press(&mut state, "s");
    assert_eq!(rows(&mut state, "POOL (by pending"), ["linux", "cuda", "docs"]);
    press(&mut state, "r");
    assert_eq!(rows(&mut state, "POOL (by pending, reversed"), ["docs", "cuda", "linux"]);
    press(&mut state, "/CUDX\u{8}A\n");
    assert_eq!(rows(&mut state, "POOL (1 of 3, by pending, reversed, with `CUDA`"), ["cuda"]);
    assert_eq!(rows(&mut state, "RUNNER").len(), 8, "of the others all are there");
    press(&mut state, "\u{1b}");
    assert_eq!(rows(&mut state, "POOL (by pending"), ["docs", "cuda", "linux"]);
}

#[test]
fn runners_are_ordered_by_how_long_they_do_what_they_do() {
    let fixture = Fixture::new()
        .pool("linux", "docker", |pool| pool.max = 9)
        .runner("linux", 0, "local", Doing::Idle(20))
        .runner("linux", 1, "local", Doing::Busy(41, 900))
        .runner("linux", 2, "local", Doing::Idle(300));
    let mut state = watching(fixture);
    press(&mut state, "3sss");
    let last = |name: &String| name.chars().last().unwrap();
    let order: String = rows(&mut state, "RUNNER (by age").iter().map(last).collect();
    assert_eq!(order, "120");
}

#[test]
fn what_is_wrong_stands_above_and_what_cannot_be_read_is_said_to_be_older() {
    let mut view = busy_day().view();
    view.spec.pending_fault = Some("error: pool `linux`: `warm` is 5 but `max` is 2".to_owned());
    view.notices = (0..5).map(|number| format!("notice {number}\nhint: do it")).collect();
    let mut state = TopState::default();
    state.take(seen(&view));
    state.take(News::Lost("error: it does not answer any more; what follows is older".to_owned()));
    let text = drawn(&mut state, (100, 30));
    for part in ["what follows is older", "rack UNKNOWN 41s: connect timed out", "is refused"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    assert!(text.contains("and 4 like these: `autogit status` has all"), "{text}");
    state.take(seen(&view));
    assert!(!drawn(&mut state, (100, 30)).contains("is older"));
}

#[test]
fn an_unknown_queue_is_not_an_empty_one() {
    let text = drawn(&mut watching(Fixture::new().lose_queue("GitLab failed with 502")), (90, 24));
    assert!(text.contains("JOB (unknown)") && text.contains("RUNNER (none)"), "{text}");
}

#[test]
fn other_peoples_words_cannot_move_the_cursor() {
    let costly = |pool: &mut autogit::spec::Pool| {
        pool.resources = Some(Resources { cpus: Some(99.0), memory: None, services: None });
    };
    let fixture = Fixture::new().pool("linux", "docker", costly);
    let mut fixture = fixture.job(1, "a/b\u{1b}[2J", &["docker"], 10);
    fixture.jobs[0].name = "build\u{1b}]0;owned\u{7}".into();
    let text = drawn(&mut watching(fixture), (160, 24));
    assert!(text.contains("build\u{fffd}]0;owned") && !text.contains('\u{1b}'), "{text}");
}
