//! What an operator may do, once the token is entered.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogit::reconcile::Wake;
use autogit::source::{Pending, Written};

use crate::browser::{Browser, ENTER, ESCAPE};
use crate::fixtures::{calm, day};
use crate::harness::{Harness, TOKEN};

const SHOWN: &str = "[...document.querySelectorAll('.operate button')]
    .filter((button) => !button.hidden).map((button) => button.innerText)";

async fn sign_in(browser: &Browser, token: &str) {
    browser.value("document.querySelector('#operate').click()").await;
    browser.until("document.activeElement.id === 'token'").await;
    browser.press(token).await;
    browser.press(ENTER).await;
}

#[tokio::test]
async fn nothing_can_be_done_before_the_token_is_entered() {
    let Some(browser) = Browser::open().await else { return };
    let mut harness = Harness::of(day()).await;
    browser.visit(&harness.url()).await;
    browser.says("#running", "#8790").await;
    assert_eq!(browser.value(SHOWN).await, serde_json::json!(["Operate…"]));
    sign_in(&browser, "a guess").await;
    browser.says("#sign-in-fault", "this is not the right token").await;
    assert!(harness.wakes.try_recv().is_err());
    browser.press(ESCAPE).await;
    assert_eq!(browser.value("sessionStorage.length").await, 0);
}

#[tokio::test]
async fn with_the_token_an_operator_wakes_reloads_and_drains() {
    let Some(browser) = Browser::open().await else { return };
    let mut harness = Harness::of(day()).await;
    browser.visit(&harness.url()).await;
    browser.says("#running", "#8790").await;
    sign_in(&browser, TOKEN).await;
    browser.says("#toast", "AutoGit looks now").await;
    assert_eq!(harness.wakes.recv().await, Some(Wake::Reconcile));
    browser.until("!document.querySelector('#reconcile').hidden").await;
    let shown = serde_json::json!(["Reconcile now", "Reload spec", "Forget token"]);
    assert_eq!(browser.value(SHOWN).await, shown);
    browser.value("document.querySelector('#reload').click()").await;
    assert_eq!(harness.wakes.recv().await, Some(Wake::Reload));
    let cell = "document.querySelector('[data-runner=autogit-runner-docs-amd64-0]')";
    browser.value(&format!("{cell}.click()")).await;
    browser.says("#runner", "kept warm").await;
    browser.value("document.querySelector('#drain').click()").await;
    assert_eq!(harness.wakes.recv().await, Some(Wake::Reconcile));
    browser.says("#drain-said", "It finishes what it has and exits.").await;
    let asked: Vec<String> = harness.drains.asked().iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["autogit-runner-docs-amd64-0"]);
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn who_has_a_token_reads_what_a_refused_file_would_change() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(day()).await;
    let written = Written::new("pools: {a: {max: 2}}".to_owned(), BTreeMap::new(), BTreeMap::new());
    let changes = vec!["pools.a.max 2 → <b>3</b>".to_owned()];
    harness.in_force.send_modify(|in_force| {
        in_force.written = Some(Arc::new(written));
        in_force.pending = Arc::new(Pending { changes, after_restart: Vec::new() });
    });
    browser.visit(&harness.url()).await;
    browser.says("#running", "#8790").await;
    sign_in(&browser, TOKEN).await;
    browser.until("!document.querySelector('#spec-read').hidden").await;
    browser.value("document.querySelector('#spec-read').click()").await;
    browser.says("#spec-pending", "pools.a.max 2 → <b>3</b>").await;
    browser.says("#spec-lines", "max: 2").await;
    browser.until("document.querySelector('#spec-restart').hidden").await;
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn the_token_stays_in_the_tab_and_can_be_forgotten() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(day()).await;
    browser.visit(&harness.url()).await;
    sign_in(&browser, TOKEN).await;
    browser.until("!document.querySelector('#reconcile').hidden").await;
    browser.visit(&harness.url()).await;
    browser.until("!document.querySelector('#reconcile').hidden").await;
    assert_eq!(browser.value("localStorage.length").await, 0);
    assert_eq!(browser.value("document.cookie").await, "");
    let log = serde_json::to_string(&browser.log("performance").await).unwrap();
    assert!(!log.contains(&format!("?{TOKEN}")) && !log.contains(&format!("={TOKEN}")));
    assert_eq!(browser.value("location.href").await, harness.url());
    browser.value("document.querySelector('#forget').click()").await;
    browser.until("document.querySelector('#reconcile').hidden").await;
    assert_eq!(browser.value("sessionStorage.length").await, 0);
}

#[tokio::test]
async fn where_no_token_is_configured_the_page_says_what_to_set() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm()).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "Everything").await;
    sign_in(&browser, "anything").await;
    browser.says("#sign-in-fault", "set `api.token_file`").await;
}
