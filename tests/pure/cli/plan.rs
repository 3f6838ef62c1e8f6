use autogit::cli::{Paint, RenderOptions, render_plan, render_plan_markdown};
use autogit::spec::Arch;

use crate::support::world::{Doing, Fixture};

/// The fixture of the design's sample: something of everything.
pub(crate) fn busy_day() -> Fixture {
    let fixture = Fixture::new()
        .host("rack", Arch::Amd64)
        .pool("linux", "docker", |pool| pool.max = 9)
        .pool("cuda", "cuda", |pool| pool.max = 1)
        .pool("docs", "docs", |_| {})
        .runner("linux", 0, "local", Doing::Busy(8700, 90))
        .runner("linux", 3, "local", Doing::Idle(20))
        .runner("linux", 4, "local", Doing::Starting(8))
        .runner("linux", 5, "local", Doing::Starting(9))
        .runner("cuda", 0, "local", Doing::Busy(8790, 1860))
        .runner("docs", 0, "local", Doing::Idle(640))
        .runner("docs", 1, "local", Doing::Exited(0, 12))
        .runner("linux", 6, "rack", Doing::Busy(8701, 100));
    let fixture =
        (8801..=8805).fold(fixture, |fixture, id| fixture.job(id, "team/app", &["docker"], 30));
    fixture
        .job(8641, "infra/os", &["macos"], 7380)
        .job(8812, "team/app", &["cuda"], 250)
        .job(8815, "team/app", &["cuda"], 240)
        .lose_host("rack", 41, "connect timed out")
}

#[test]
fn a_plan_says_what_happens_what_stays_and_what_waits() {
    insta::assert_snapshot!(render_plan(
        &busy_day().view().as_seen().plan_output(),
        &RenderOptions::bare()
    ));
}

#[test]
fn verbose_names_each_runner_that_stays() {
    let options = RenderOptions { verbose: true, ..RenderOptions::bare() };
    insta::assert_snapshot!(render_plan(&busy_day().view().as_seen().plan_output(), &options));
}

#[test]
fn a_plan_as_markdown_is_a_comment() {
    insta::assert_snapshot!(render_plan_markdown(&busy_day().view().as_seen().plan_output()));
}

#[test]
fn an_empty_plan_says_so() {
    let view = Fixture::new().pool("linux", "docker", |_| {}).view();
    insta::assert_snapshot!(render_plan(&view.as_seen().plan_output(), &RenderOptions::bare()));
}

#[test]
fn an_unknown_queue_is_not_an_empty_one() {
    let fixture = Fixture::new().pool("linux", "docker", |_| {});
    let fixture =
        fixture.runner("linux", 0, "local", Doing::Idle(900)).job(1, "a/b", &["docker"], 5);
    let view = fixture.lose_queue("GitLab failed with 502 on /api/graphql").view();
    insta::assert_snapshot!(render_plan(&view.as_seen().plan_output(), &RenderOptions::bare()));
}

#[test]
fn a_thousand_jobs_of_three_hundred_projects_stay_readable() {
    let fixture = Fixture::new().pool("linux", "docker", |pool| pool.max = 50);
    let fixture = (0..1000).fold(fixture, |fixture, id| {
        let project = format!("team-{:03}/app", id % 300);
        let tag = if id % 4 == 0 { "macos" } else { "docker" };
        fixture.job(10_000 + id, &project, &[tag], 2000 - i64::try_from(id).unwrap())
    });
    let text = render_plan(&fixture.view().as_seen().plan_output(), &RenderOptions::bare());
    assert!(text.lines().count() < 40, "{} lines", text.lines().count());
    insta::assert_snapshot!(text);
}

#[test]
fn many_drains_of_one_pool_are_one_entry() {
    let fixture = Fixture::new().pool("docs", "docs", |pool| pool.max = 9);
    let fixture = [0, 1, 2, 5].into_iter().fold(fixture, |fixture, slot| {
        fixture.runner("docs", slot, "local", Doing::Idle(700 - i64::from(slot)))
    });
    insta::assert_snapshot!(render_plan(
        &fixture.view().as_seen().plan_output(),
        &RenderOptions::bare()
    ));
}

#[test]
fn colour_is_never_the_only_sign() {
    let view = busy_day().view();
    let painted = RenderOptions { paint: Paint::on(), ..RenderOptions::bare() };
    let painted = render_plan(&view.as_seen().plan_output(), &painted);
    assert!(painted.contains("\u{1b}[32m"));
    let mut stripped = String::new();
    for (index, part) in painted.split('\u{1b}').enumerate() {
        let part = if index == 0 { part } else { part.split_once('m').unwrap().1 };
        stripped.push_str(part);
    }
    assert_eq!(stripped, render_plan(&view.as_seen().plan_output(), &RenderOptions::bare()));
}

#[test]
fn times_are_those_of_the_readers_zone() {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
    let options = RenderOptions { zone, ..RenderOptions::bare() };
    let text = render_plan(&Fixture::new().view().as_seen().plan_output(), &options);
    assert!(text.starts_with("autogit.yaml@3f9c1a · instance autogit · 12:04:05 +09"), "{text}");
}
