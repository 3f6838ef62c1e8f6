//! Up with the jobs and down to nothing.

use crate::operator::Operator;
use crate::stage::on_stage;

#[tokio::test]
async fn five_jobs_over_two_pools_succeed_and_leave_nothing_behind() {
    on_stage(async |stage| {
        stage.save("linux: {tags: [docker], max: 2}\ndocs: {tags: [docs], max: 2}");
        let numbers = ["seq 1 300", "echo done"];
        let jobs: Vec<_> = ["docker", "docs", "docker", "docker", "docs"]
            .map(|tag| stage.queue(&[tag], &numbers))
            .into();
        let _operator = Operator::start(&stage);
        let all: Vec<String> = (1..=300).map(|number| number.to_string()).collect();
        let all = all.join("\n");
        for job in jobs {
            let job = stage.until_succeeded(job).await;
            assert!(job.trace.contains(&format!("{all}\ndone\n")), "{}", job.trace);
        }
        stage.until_nothing_is_left().await;
        assert_eq!(stage.gitlab.records().len(), 2, "the records of declared pools stay");
    })
    .await;
}
