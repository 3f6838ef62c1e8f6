//! A small disk that fills: the data of an engine lie on a file system of the test's own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use autogit::plan::JobHold;
use autogit::view::View;
use autogit::world::SystemId;
use bollard::Docker;
use bollard::query_parameters::ListVolumesOptions;

use crate::hosts::harness::Harness;
use crate::hosts::line::Line;
use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::{self, Folder, until};
use crate::support::image;
use crate::wait;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 400 * MIB;
/// What each slot's cache takes.
const CACHE: u64 = 40 * MIB;
/// A disk that is nearly full is looked at every minute.
const PATIENCE: Duration = Duration::from_mins(3);

const OWNER: &str = "com.gitlab.gitlab-runner.runner.system_id";
const DESTINATION: &str = "com.gitlab.gitlab-runner.destination";
const PROGRAMS: [&str; 5] = ["truncate", "mkfs.ext4", "mount", "umount", "df"];

/// A small file system; a loop device, or memory where there is none.
struct Disk(Folder);

impl Disk {
    fn new() -> Option<Self> {
        if !require::has("DOCKERD", &PROGRAMS) {
            return None;
        }
        let disk = Self(Folder::new());
        let (image, folder) = (disk.0.file("image"), disk.path().display().to_string());
        std::fs::create_dir(&folder).unwrap();
        let size = SIZE.to_string();
        let looped = run("truncate", &["--size", &size, &image]).status.success()
            && run("mkfs.ext4", &["-q", "-m", "0", &image]).status.success()
            && run("mount", &["-o", "loop", &image, &folder]).status.success();
        if !looped {
            let options = format!("size={size}");
            let mounted = run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", &folder]);
            assert!(mounted.status.success(), "{mounted:?}");
        }
        Some(disk)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn free(&self) -> u64 {
        let path = self.path().display().to_string();
        let told = run("df", &["--output=avail", "--block-size=1", &path]);
        let told = String::from_utf8(told.stdout).unwrap();
        told.lines().last().unwrap().trim().parse().unwrap()
    }

    /// Takes all but so much of what is free, by a file that nobody knows of.
    fn fill_to(&self, left: u64) -> PathBuf {
        let filler = self.path().join("filler");
        let zeros = vec![0; usize::try_from(self.free() - left).unwrap()];
        std::fs::write(&filler, zeros).unwrap();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy", &self.path().display().to_string()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(require::find(program).unwrap()).args(arguments).output().unwrap()
}

/// The slots that have a cache; their clones are empty here, and nothing is won by their removal.
async fn cached(docker: &Docker) -> BTreeSet<String> {
    let volumes = docker.list_volumes(None::<ListVolumesOptions>).await.unwrap();
    let volumes = volumes.volumes.unwrap_or_default().into_iter();
    let caches = volumes.filter(|volume| volume.labels[DESTINATION] == "/cache");
    caches.filter_map(|mut volume| volume.labels.remove(OWNER)).collect()
}

fn slots(ids: &[&SystemId]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Waits until nothing is on the engine but caches and the runners' network.
async fn until_all_exited(harness: &Harness, docker: &Docker) {
    until("all runners are gone", async || {
        harness.runners_on(docker).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_fills_loses_the_cache_not_used_for_longest_and_then_starts_nobody() {
    let (Some(images), Some(disk)) = (image::ensure(), Disk::new()) else { return };
    let flags = ["--data-root", disk.path().to_str().unwrap()].map(str::to_owned);
    let flags = flags.each_ref().map(String::as_str);
    let Some(engine) = OwnEngine::start(Folder::new(), &flags).await else { return };
    let (harness, docker) = (Harness::new(&engine, images).await, engine.docker());
    let (socket, line) = (engine.socket(), Line::to(&engine));
    let socket = socket.display();
    let ways = [format!("unix://{socket}"), line.endpoint()];
    // A host that is reached in another way is measured at once.
    let host = |way: usize, free: u64| {
        let free = free / 1024;
        let budget = format!("{{runners: 9, disk_free: {free}KiB}}");
        format!("local: {{docker: '{}', socket: '{socket}', budget: {budget}}}", ways[way])
    };
    let pool = "max: 9, cache: keep";
    let operator = harness.operator_of(&host(0, MIB), pool);

    // Two slots are made at the same time, and one of them is used again.
    let write = format!("dd if=/dev/zero of=/cache/big bs={CACHE} count=1 2>/dev/null");
    let both = [harness.queue_after(&write, &["docker"]), harness.queue_after(&write, &["docker"])];
    for job in both {
        harness.until_begun(job).await;
    }
    harness.open_gate();
    let mut ids = Vec::new();
    for job in both {
        ids.push(harness.until_succeeded(job).await.system_id.unwrap());
    }
    until_all_exited(&harness, &docker).await;
    let again = harness.queue();
    let used = harness.until_succeeded(again).await.system_id.unwrap();
    until_all_exited(&harness, &docker).await;
    assert_eq!(cached(&docker).await, slots(&[&ids[0], &ids[1]]));
    assert!(ids.contains(&used));

    // One cache gives more than what is wanting: a tenth beyond what has to stay free.
    let least = (disk.free() + CACHE / 2) * 10 / 11;
    harness.save(&host(1, least), pool);
    until("one cache is left", async || (cached(&docker).await == slots(&[&used])).then_some(()))
        .await;
    operator.until_looked_again().await;
    assert_eq!(cached(&docker).await, slots(&[&used]), "there is room again");

    let filler = disk.fill_to(least / 2);
    harness.save(&host(0, least), pool);
    until("the last cache is gone", async || cached(&docker).await.is_empty().then_some(())).await;
    let next = harness.queue();
    let full = |view: &View| {
        let held = view.plan.held_jobs.iter().find(|held| held.job == next)?;
        matches!(&*held.hold, JobHold::DiskFull { .. }).then_some(())
    };
    operator.until("a job waits for the disk", full).await;
    assert_eq!(harness.runners_on(&docker).await, [""; 0]);

    std::fs::remove_file(filler).unwrap();
    wait::until(PATIENCE, "the disk is measured again", async || {
        harness.gitlab.job(next).unwrap().started_at
    })
    .await;
    harness.until_succeeded(next).await;
}
