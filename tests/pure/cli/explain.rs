use autogit::cli::{RenderOptions, render_explain};
use autogit::gitlab::JobDetail;
use autogit::spec::{Arch, Gpu, GpuBudget, GpuSpec, Scope, Vendor};
use autogit::view::View;
use autogit::world::{JobId, RecordId, World, WrongImage};

use crate::cli::plan::busy_day;
use crate::support::world::{Doing, Fixture};

fn explained(view: &View, word: &str, detail: Option<&JobDetail>) -> String {
    let subject = view.subject(word).unwrap();
    let output = view.as_seen().explain(&subject, detail).unwrap();
    let unknown = view.unknown_sources();
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    render_explain(&output, &unknown, &view.notices, &RenderOptions::bare())
}

#[test]
fn a_job_at_its_pools_maximum_is_told_who_holds_it() {
    let fixture =
        busy_day().pool("heavy", "cuda", |pool| pool.scope = Scope::Group("infra".into()));
    insta::assert_snapshot!(explained(&fixture.view(), "8812", None));
}

#[test]
fn a_job_that_no_pool_takes_is_told_when_gitlab_drops_it() {
    insta::assert_snapshot!(explained(&busy_day().view(), "job-8641#8641", None));
}

#[test]
fn a_job_that_runs_is_told_its_runner() {
    insta::assert_snapshot!(explained(&busy_day().view(), "#8790", None));
}

#[test]
fn a_job_that_is_not_ours_is_told_what_gitlab_says() {
    let detail = JobDetail {
        id: JobId(7),
        name: "deploy".to_owned(),
        project_path: Some("team/app".to_owned()),
        status: "success".to_owned(),
        web_url: "https://gitlab.example.com/team/app/-/jobs/7".to_owned(),
        tags: vec!["docker".to_owned()],
        ref_name: "main".to_owned(),
        runner: Some(RecordId(3)),
        started_at: None,
    };
    insta::assert_snapshot!(explained(&busy_day().view(), "7", Some(&detail)));
    insta::assert_snapshot!(explained(&busy_day().view(), "9", None));
}

#[test]
fn a_job_whose_image_its_host_does_not_execute_is_told_so_whatever_gitlab_says() {
    let mut view = busy_day().view();
    let host = view.world.hosts.keys().next().unwrap().clone();
    let at = view.world.now;
    let wrong = WrongImage { host, image: Arch::Arm64, machine: Arch::Amd64, at };
    let mut look = autogit::world::Look::clone(&view.world);
    look.memory.wrong_images.insert(JobId(7), wrong);
    view.world = World::of(look).into();
    let detail = JobDetail {
        id: JobId(7),
        name: "deploy".to_owned(),
        project_path: Some("team/app".to_owned()),
        status: "failed".to_owned(),
        web_url: "https://gitlab.example.com/team/app/-/jobs/7".to_owned(),
        tags: vec!["docker".to_owned()],
        ref_name: "main".to_owned(),
        runner: Some(RecordId(3)),
        started_at: None,
    };
    let told = explained(&view, "7", Some(&detail));
    assert!(told.contains("its image is for arm64, which host"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn a_pool_is_told_why_it_has_its_size() {
    insta::assert_snapshot!(explained(&busy_day().view(), "linux", None));
    insta::assert_snapshot!(explained(&busy_day().view(), "cuda/amd64", None));
}

#[test]
fn a_runner_is_told_why_it_is_still_there() {
    let view = busy_day().view();
    insta::assert_snapshot!(explained(&view, "autogit-runner-cuda-amd64-0", None));
    insta::assert_snapshot!(explained(&view, "autogit-runner-docs-amd64-0", None));
    insta::assert_snapshot!(explained(&view, "autogit-runner-linux-amd64-6", None));
}

#[test]
fn a_word_that_is_nothing_gets_near_misses() {
    let view = busy_day().view();
    let error = view.subject("linx").unwrap_err();
    insta::assert_snapshot!(error, @r"
    no pool, runner or pending job is called `linx`
    hint: did you mean `linux`?
    ");
    let error = view.subject("zzzzzzzzz").unwrap_err();
    assert!(error.to_string().contains("hint: give a job's id"));
}

#[test]
fn a_pool_called_like_a_number_is_still_a_pool() {
    let fixture =
        Fixture::new().pool("42", "docker", |_| {}).runner("42", 0, "local", Doing::Idle(1));
    assert!(explained(&fixture.view(), "42", None).starts_with("pool 42"));
}

#[test]
fn a_draining_runner_is_told_when_it_was_asked_to_exit() {
    let fixture = Fixture::new().pool("linux", "docker", |_| {});
    let fixture = fixture.runner("linux", 0, "local", Doing::Draining(12));
    let text = explained(&fixture.view(), "autogit-runner-linux-amd64-0", None);
    assert!(text.contains("asked to exit 12s ago"), "{text}");
}

#[test]
fn a_job_whose_host_is_in_maintenance_is_told_when_that_ends() {
    let mut fixture = Fixture::new().pool("linux", "docker", |_| {});
    fixture.spec.hosts.values_mut().for_each(|host| host.maintenance = true);
    let text = explained(&fixture.job(7, "team/app", &["docker"], 30).view(), "7", None);
    assert!(text.contains("pending 30s, not started: host `local` is in maintenance"), "{text}");
    assert!(text.contains("set its `maintenance` to false when that is over"), "{text}");
}

#[test]
fn a_job_without_a_free_gpu_is_told_so() {
    let mut fixture = Fixture::new().pool("cuda", "cuda", |pool| {
        pool.gpu = Some(GpuSpec { vendor: Vendor::Nvidia, count: 1 });
    });
    let only = Gpu { vendor: Vendor::Nvidia, id: "0".to_owned(), devices: Vec::new() };
    let host = fixture.spec.hosts.values_mut().next().unwrap();
    host.budget.gpus = GpuBudget::These(vec![only]);
    let fixture = fixture.job(7, "team/app", &["cuda"], 30).job(8, "team/app", &["cuda"], 20);
    let text = explained(&fixture.view(), "8", None);
    insta::assert_snapshot!(text.lines().nth(1).unwrap());
}
