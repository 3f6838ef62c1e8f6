//! Jobs whose image is for another architecture than their host.

use autogit::reconcile::Controller;
use autogit::sandbox::gitlab::Status;
use autogit::spec::Arch;
use autogit::world::{JobId, WrongImage};

use crate::simulated_engine::fixture::Fixture;
use crate::simulated_engine::log::Log;

const POOL: &str = "{linux: {tags: [docker], max: 3}}";
const ENOUGH: usize = 60;

/// Looks each second until the job ended, and tells what is remembered of its image then.
async fn ended(
    fixture: &Fixture,
    controller: &mut Controller,
    job: JobId,
) -> (Status, Option<WrongImage>) {
    for _ in 0..ENOUGH {
        let tick = controller.tick().await;
        let shown = fixture.gitlab.job(job).unwrap();
        if shown.finished_at.is_some() {
            let noted = tick.view.world.memory.wrong_images.get(&job);
            return (shown.status, noted.cloned());
        }
        fixture.pass(1).await;
    }
    panic!("job {job} does not end");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_its_host_does_not_execute_is_told_with_the_architectures() {
    let mut fixture = Fixture::new(POOL);
    let mut controller = fixture.controller().await;
    let log = Log::default();
    let _guard = log.catch();
    let job = fixture.job_with_image_for(Arch::S390x);
    let (status, noted) = ended(&fixture, &mut controller, job).await;
    assert_eq!(status, Status::Failed);
    let noted = noted.unwrap();
    assert_eq!((noted.image, noted.machine), (Arch::S390x, Arch::Amd64));
    let told = "its image is for s390x, which host `alpha` (amd64) does not run";
    assert_eq!(log.lines_with(told).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_for_the_hosts_own_architecture_runs() {
    let mut fixture = Fixture::new(POOL);
    let mut controller = fixture.controller().await;
    let job = fixture.job_with_image_for(Arch::Amd64);
    assert_eq!(ended(&fixture, &mut controller, job).await, (Status::Success, None));
}
