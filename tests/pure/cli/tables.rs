use autogit::cli::{RenderOptions, render_explain, render_queue, render_runners, render_status};
use autogit::spec::{Pool, Resources, Warm};
use autogit::world::{Caller, JobId, Unclaimed};
use jiff::SignedDuration;

use crate::cli::plan::busy_day;
use crate::support::world::{Fixture, NOW};

#[test]
fn status_counts_pools_and_hosts() {
    insta::assert_snapshot!(render_status(
        &busy_day().view().as_seen().status_output(),
        &RenderOptions::bare()
    ));
}

#[test]
fn status_shows_the_fault_of_a_refused_file() {
    let mut view = Fixture::new().pool("linux", "docker", |_| {}).view();
    view.spec.pending_fault = Some("error: pool `linux`: `warm` is 5 but `max` is 2".to_owned());
    insta::assert_snapshot!(render_status(&view.as_seen().status_output(), &RenderOptions::bare()));
}

#[test]
fn status_names_who_uses_a_registration_and_is_on_no_host() {
    let (address, version) = (Some("10.0.0.7".to_owned()), Some("17.4.2".to_owned()));
    let fixture = Fixture::new()
        .pool("linux", "docker", |_| {})
        .stranger("linux", "r_ofanothere1", Some(Caller { address, version, ..Caller::default() }))
        .stranger("linux", "r_ofanothere2", None);
    let view = fixture.view();
    insta::assert_snapshot!(render_status(&view.as_seen().status_output(), &RenderOptions::bare()));
    let output = view.as_seen().explain(&view.subject("linux").unwrap(), None).unwrap();
    insta::assert_snapshot!(render_explain(&output, &[], &[], &RenderOptions::bare()));
}

#[test]
fn a_pool_names_every_reason_that_its_jobs_and_its_warm_runners_wait_for() {
    let costly = |pool: &mut Pool| {
        pool.resources = Some(Resources { cpus: Some(9.0), memory: None, services: None });
    };
    let mut fixture = Fixture::new()
        .pool("big", "big", costly)
        .pool("kept", "kept", |pool| {
            costly(pool);
            pool.warm = Warm::Count(1);
        })
        .job(1, "team/app", &["big"], 40)
        .job(2, "team/app", &["big"], 30);
    let until = NOW + SignedDuration::from_mins(1);
    fixture.memory.unclaimed.insert(JobId(2), Unclaimed { times: 1, until });
    let pools = fixture.view().as_seen().status_output().pools;
    assert_eq!(
        pools["big"].why,
        "host `local` has no room: 8 cpus are free; fitting runners were idle and GitLab did not \
         give it to them (1×); checked again in 1m"
    );
    assert_eq!(pools["kept"].why, "1 warm runner short: host `local` has no room: 8 cpus are free");
}

#[test]
fn of_an_unknown_queue_nobody_says_how_long_it_is() {
    let fixture =
        Fixture::new().pool("linux", "docker", |_| {}).lose_queue("GitLab failed with 502");
    let view = fixture.view();
    let status = render_status(&view.as_seen().status_output(), &RenderOptions::bare());
    let row = status.lines().find(|line| line.starts_with("linux")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("?"), "{row}");
    let output = view.as_seen().explain(&view.subject("linux").unwrap(), None).unwrap();
    let explained = render_explain(&output, &[], &[], &RenderOptions::bare());
    assert!(explained.contains("0 draining; the queue is unknown\n"), "{explained}");
}

#[test]
fn runners_are_listed_with_what_keeps_them() {
    insta::assert_snapshot!(render_runners(
        &busy_day().view().as_seen().runners_output(),
        &RenderOptions::bare()
    ));
    assert_eq!(
        render_runners(&Fixture::new().view().as_seen().runners_output(), &RenderOptions::bare()),
        "no runners\n"
    );
}

#[test]
fn the_queue_is_listed_oldest_first() {
    insta::assert_snapshot!(render_queue(
        &busy_day().view().as_seen().queue_output(),
        &RenderOptions::bare()
    ));
}

#[test]
fn a_long_queue_is_cut_and_says_so() {
    let fixture = (0..100).fold(Fixture::new(), |fixture, id| fixture.job(id, "a/b", &["x"], 10));
    let text = render_queue(&fixture.view().as_seen().queue_output(), &RenderOptions::bare());
    assert!(
        text.ends_with("and 60 more jobs   (--verbose lists them; `autogit plan` groups them)\n")
    );
}

#[test]
fn a_jobs_name_cannot_move_the_cursor() {
    let mut fixture = Fixture::new().job(1, "a/b\u{1b}[2J", &["x\u{7}"], 10);
    fixture.jobs[0].name = "build\u{1b}]0;owned\u{7}".into();
    let view = fixture.view();
    let options = RenderOptions::bare();
    let plan = autogit::cli::render_plan(&view.as_seen().plan_output(), &options);
    let output = view.as_seen().explain(&view.subject("1").unwrap(), None).unwrap();
    let explained = render_explain(&output, &[], &[], &options);
    for text in [render_queue(&view.as_seen().queue_output(), &options), plan, explained] {
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }
}
