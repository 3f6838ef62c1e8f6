//! An open page keeps up.

use autogit::spec::Credential;

use crate::browser::Browser;
use crate::fixtures::{With, calm, day};
use crate::harness::Harness;
use crate::support::world::{Doing, Fixture};

fn linux(doing: Doing) -> Fixture {
    Fixture::new().pool("linux", "docker", |_| {}).runner("linux", 0, "local", doing)
}

#[tokio::test]
async fn a_look_changes_the_open_page() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(linux(Doing::Starting(5))).await;
    browser.visit(&harness.url()).await;
    browser.until("document.querySelector('[data-runner]').innerText === 'S'").await;
    browser.value("document.querySelector('[data-runner]').kept = 'the same'").await;
    harness.show(linux(Doing::Busy(41, 3)).job(42, "team/app", &["cuda"], 7).view());
    browser.until("document.querySelector('[data-runner]').innerText === 'B'").await;
    browser.says("#headline", "1 job waits: no pool has tag cuda").await;
    browser.says("#running", "#41").await;
    harness.show(Fixture::new().pool("linux", "docker", |_| {}).view());
    browser.until("!document.querySelector('[data-runner]')").await;
    browser.says("#headline", "Everything runs as asked").await;
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn a_runner_keeps_its_cell_and_the_cell_its_focus() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(linux(Doing::Idle(5))).await;
    browser.visit(&harness.url()).await;
    browser.until("document.querySelector('[data-runner]').innerText === 'I'").await;
    browser.value("document.querySelector('[data-runner]').focus()").await;
    harness.show(linux(Doing::Busy(41, 3)).view());
    browser.until("document.activeElement.matches('[data-phase=busy]')").await;
}

#[tokio::test]
async fn a_restart_behind_the_open_page_is_said_and_then_caught_up_with() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm()).await;
    harness.show(day().view());
    let url = harness.url();
    browser.visit(&url).await;
    browser.says("#activity", "start 2 × linux").await;
    browser.says("#running", "#8790").await;
    browser.value("window.kept = 'the same page'").await;
    let address = harness.stop().await;
    browser.says("#health", "Not connected to AutoGit since").await;
    browser.says("#link", "Not connected for").await;
    // What was last seen stays.
    browser.says("#running", "#8790").await;
    let harness = Harness::restarted(address, 60).await;
    browser.says("#headline", "2 jobs wait").await;
    harness.show(linux(Doing::Busy(41, 3)).view());
    browser.says("#headline", "Everything runs as asked").await;
    browser.says("#running", "#41").await;
    harness.show(linux(Doing::Busy(41, 9)).job(43, "team/app", &["docker"], 1).view());
    browser.says("#activity li", "start autogit-runner-linux-amd64-1 on local").await;
    browser.says("#activity", "AutoGit restarted").await;
    browser.says("#activity", "start 2 × linux").await;
    assert_eq!(browser.value("window.kept").await, "the same page");
}

#[tokio::test]
async fn where_reading_takes_a_token_the_page_asks_for_it_and_then_follows() {
    let Some(browser) = Browser::open().await else { return };
    let reading = |fixture: Fixture| {
        fixture
            .with(|spec| spec.api.read_token = Some(Credential::Value("readers".to_owned().into())))
    };
    let harness = Harness::of(reading(linux(Doing::Idle(5)))).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "AutoGit shows nothing without a token").await;
    assert_eq!(browser.text("#pools").await, "");
    for (token, then) in [("guessed", "this is not the right token"), ("readers", "")] {
        browser.value("document.querySelector('#sign-in').open || document.querySelector('#operate').click()").await;
        browser.value(&format!("document.querySelector('#token').value = {token:?}")).await;
        browser.value("document.querySelector('#sign-in-form').requestSubmit()").await;
        browser.says("#sign-in-fault", then).await;
    }
    browser.until("!document.querySelector('#sign-in').open").await;
    browser.says("#headline", "Everything runs as asked").await;
    assert_eq!(browser.value("document.querySelector('#reconcile').hidden").await, true);
    // News come by the stream, which shows the token, too.
    harness.show(reading(linux(Doing::Busy(41, 3)).job(42, "team/app", &["docker"], 1)).view());
    browser.says("#activity li", "start autogit-runner-linux-amd64-1 on local").await;
}

#[tokio::test]
async fn a_screen_reader_hears_of_a_turn_and_not_of_each_number() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm()).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "Everything runs as asked").await;
    assert_eq!(browser.value("document.querySelector('#announce').textContent").await, "");
    harness.show(calm().job(50, "team/app", &["cuda"], 7).view());
    browser.until("document.querySelector('#announce').textContent === '1 job waits'").await;
    harness.show(calm().job(50, "team/app", &["cuda"], 9).job(51, "a/b", &["cuda"], 1).view());
    browser.says("#headline", "2 jobs wait").await;
    let announced = browser.value("document.querySelector('#announce').textContent").await;
    assert_eq!(announced, "1 job waits");
    let regions = "[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')]";
    let regions = browser.value(&format!("{regions}.map((region) => region.id)")).await;
    assert_eq!(regions, serde_json::json!(["announce", "toast", "drain-said", "sign-in-fault"]));
}
