//! What holds of every answer to the GitLab adapter: each method ends with a value or an error,
//! within a bounded number of requests, and no error tells the token.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::sync::Arc;

use autogit::clock::Clock;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::gitlab::{Claims, Gitlab, NewRecord};
use autogit::spec::{Arch, InstanceName, PoolName, QueueSource, Scope};
use autogit::world::{
    Access, GroupId, JobId, Mark, Place, RecordId, RecordSettings, SystemId, Variant,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::answers::Answers;
use super::choices::Choices;

const TOKEN: &str = "glpat-canary-3f9a61d07be2";
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// Asks everything that can be asked of the GitLab that `data` makes.
pub(crate) fn check(data: &[u8]) {
    let (head, rest) = data.split_at(data.len().min(2));
    let mut choices = Choices::new(head);
    let answers = Arc::new(Answers::new(rest));
    let clock = Clock::simulated(NOW, 1e-9);
    let settings = settings(&mut choices);
    let gitlab = HttpGitlab::new(settings, Arc::clone(&answers) as _, clock.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for _ in 0..2 {
            ask(&gitlab, &answers).await;
            clock.jump(SignedDuration::from_hours(2));
        }
    });
}

fn settings(choices: &mut Choices<'_>) -> GitlabSettings {
    let sources = [QueueSource::Auto, QueueSource::Projects, QueueSource::Instance];
    let limits = [BTreeSet::new(), BTreeSet::from([Scope::Group("team".to_owned())])];
    GitlabSettings {
        url: "http://gitlab.test".to_owned(),
        token: SecretString::from(TOKEN),
        registration_token: Some(SecretString::from(TOKEN)),
        instance: InstanceName::standard(),
        queue_source: choices.of(&sources),
        limits: limits[usize::from(choices.byte() % 2)].clone(),
        needs_protection: true,
        makes_records: true,
        instance_records: choices.byte().is_multiple_of(2),
    }
}

async fn ask(gitlab: &HttpGitlab, answers: &Answers) {
    let token = SecretString::from(TOKEN);
    let system = SystemId::from_observed("r_abcdefghijkl");
    let record = record();
    let ids = [RecordId(7), RecordId(8)];
    let claims = Claims {
        marks: record.settings.marks.clone(),
        named: BTreeMap::from([(RecordId(8), record.variant.clone())]),
        ..Claims::default()
    };
    ended(answers, gitlab.probe().await);
    ended(answers, gitlab.queue().await);
    ended(answers, gitlab.records(&claims).await);
    ended(answers, gitlab.managers(&ids).await);
    ended(answers, gitlab.create_record(&record).await);
    ended(answers, gitlab.update_record(RecordId(7), &record.settings).await);
    ended(answers, gitlab.verify(&token, &system).await);
    ended(answers, gitlab.job(JobId(41), None).await);
    ended(answers, gitlab.retry_lost_job(JobId(41).into()).await);
    ended(answers, gitlab.delete_manager(&token, &system).await);
    ended(answers, gitlab.delete_record(RecordId(7)).await);
}

fn ended<T, E: Display + Debug>(answers: &Answers, outcome: Result<T, E>) {
    answers.begin();
    if let Err(error) = outcome {
        let said = format!("{error} {error:?}");
        assert!(!said.contains(TOKEN), "the token is told: {said}");
        assert!(said.len() < 100_000, "an error of {} bytes: {said:.300}", said.len());
    }
}

fn record() -> NewRecord {
    NewRecord {
        variant: Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64),
        place: Place::Group { id: GroupId(7), path: "team".into() },
        settings: RecordSettings {
            tags: vec!["docker".to_owned()],
            run_untagged: false,
            access: Access::NotProtected,
            maximum_timeout: None,
            paused: false,
            marks: BTreeSet::from([Mark::from_observed("home")]),
        },
        in_use: Some(BTreeSet::new()),
        old: BTreeSet::new(),
    }
}
