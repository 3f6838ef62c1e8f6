//! What the log says: each cause in one line, once, and why a runner never made contact.

use std::io::Write;
use std::sync::{Arc, Mutex};

use autogit::sandbox::gitlab::Down;
use autogit::spec::Credential;
use jiff::SignedDuration;
use tracing_subscriber::fmt::MakeWriter;

use crate::simulated_engine::fixture::Fixture;

/// A log in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes this thread's log until the guard is dropped.
    pub(crate) fn catch(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn lines_with(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_gitlab_that_is_away_is_one_line_and_so_is_its_return() {
    let mut fixture = Fixture::new("{linux: {tags: [docker], max: 3}}");
    let mut controller = fixture.controller().await;
    let log = Log::default();
    let _caught = log.catch();
    controller.tick().await;
    fixture.gitlab.set_down(Down::Status(502));
    for _ in 0..3 {
        fixture.pass(10).await;
        controller.tick().await;
    }
    let lost = log.lines_with("cannot be read");
    assert_eq!(lost.len(), 1, "{lost:#?}");
    assert!(lost[0].contains("gitlab queue") && lost[0].contains("gitlab records"), "{lost:#?}");
    fixture.gitlab.set_down(Down::None);
    for _ in 0..2 {
        fixture.pass(60).await;
        controller.tick().await;
    }
    let found = log.lines_with("can be read again");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_never_made_contact_has_its_last_words_before_it_goes() {
    let mut fixture = Fixture::new("{linux: {tags: [docker], max: 3, warm: 1}}");
    fixture.change_spec(|spec| "http://elsewhere.sim".clone_into(&mut spec.gitlab.runner_url));
    let mut controller = fixture.controller().await;
    let log = Log::default();
    let _caught = log.catch();
    for _ in 0..30 {
        fixture.pass(10).await;
        controller.tick().await;
    }
    let told = log.lines_with("the runner makes no contact with GitLab");
    assert!(!told.is_empty() && told.iter().all(|line| line.contains("log=")), "{told:#?}");
}

/// Nobody but the operator can make another one.
#[tokio::test(start_paused = true)]
async fn an_operators_token_is_warned_of_once_when_three_quarters_of_its_life_are_over() {
    let mut fixture = Fixture::new("{linux: {tags: [docker], max: 1}}");
    let (id, token) = fixture.record_by_hand();
    let ends = fixture.clock.now() + SignedDuration::from_secs(4000);
    fixture.gitlab.expire_record_token(id, Some(ends));
    fixture.change_spec(|spec| spec.pools[0].runner_token = Some(Credential::Value(token)));
    let mut controller = fixture.controller().await;
    let log = Log::default();
    let _caught = log.catch();
    let warnings = || log.lines_with("the pool's `runner_token` ends soon");
    controller.tick().await;
    fixture.pass(2900).await;
    controller.tick().await;
    assert!(warnings().is_empty(), "{:#?}", warnings());
    for _ in 0..3 {
        fixture.pass(110).await;
        controller.tick().await;
    }
    assert_eq!(warnings().len(), 1, "{:#?}", warnings());
    let of_what = format!("pool=linux at={ends}");
    assert_eq!(log.lines_with(&of_what).len(), 1, "{of_what}");
}
