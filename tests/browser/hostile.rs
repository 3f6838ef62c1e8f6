//! Other people's words stay words, and the page can do nothing that its policy does not name.

use std::sync::Arc;

use autogit::gitlab::Commit;

use crate::browser::Browser;
use crate::fixtures::calm;
use crate::harness::Harness;
use crate::support::world::Fixture;

/// What would run, load or hide something if it became HTML.
const HOSTILE: &str = "<img src=x onerror=\"window.bitten=1\"></bdi></script><script>window.bitten=2</script><style>*{display:none}</style>&lt;b&gt;\u{202e}gnp.exe";

fn hostile() -> Fixture {
    let mut fixture = calm().job(60, HOSTILE, &[HOSTILE, "javascript:window.bitten=3"], 9);
    let job = fixture.jobs.last_mut().unwrap();
    (job.name, job.ref_name) = (HOSTILE.into(), HOSTILE.into());
    fixture.lose_host("local", 41, HOSTILE)
}

#[tokio::test]
async fn hostile_names_paths_tags_and_errors_stay_text() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::empty().await;
    harness.show(calm().view());
    let mut view = hostile().view();
    view.spec.pending_fault = Some(HOSTILE.to_owned());
    let id = "2293ada6b400935a1378653304eaf6221e0fdb8f".to_owned();
    let author = HOSTILE.to_owned();
    view.spec.commit = Some(Commit { id, author, at: Some(view.world.now), protected: None });
    harness.show(view);
    browser.visit(&harness.url()).await;
    browser.until("document.querySelector('[data-job=\"60\"]')").await;
    for place in ["[data-job='60'] .name bdi", "[data-job='60'] .tags bdi", "#fault"] {
        let text = format!("document.querySelector(\"{place}\").textContent");
        assert_eq!(browser.value(&text).await, HOSTILE, "{place}");
    }
    browser.says("#spec", "2293ada6b400 by <img src=x").await;
    browser.says("#activity", "<img src=x").await;
    browser.says("#sources", "<img src=x").await;
    let made =
        browser.value("document.querySelectorAll('img, main script, main style').length").await;
    assert_eq!(made, 0);
    assert_eq!(browser.value("window.bitten ?? null").await, serde_json::Value::Null);
    let isolated = "getComputedStyle(document.querySelector('[data-job] bdi')).unicodeBidi";
    assert_eq!(browser.value(isolated).await, "isolate");
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn only_addresses_of_the_web_become_links() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::empty().await;
    let mut view = calm().job(60, "team/app", &["docker"], 9).view();
    view.gitlab_url = "javascript:window.bitten=1//".to_owned();
    let world = view.world.changed(|look| {
        for container in look
            .hosts
            .values_mut()
            .flat_map(|host| &mut host.state.last_mut().unwrap().jobs.containers)
        {
            container.job_url = Some("data:text/html,<script>window.bitten=2</script>".to_owned());
        }
    });
    view.world = Arc::new(world);
    harness.show(view);
    browser.visit(&harness.url()).await;
    browser.until("document.querySelector('[data-job=\"60\"]')").await;
    browser.says("#running", "#40").await;
    assert_eq!(browser.value("document.querySelectorAll('main a').length").await, 0);
}

#[tokio::test]
async fn the_policy_lets_nothing_become_html_or_come_from_elsewhere() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm()).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "Everything").await;
    let html = "(() => { try { document.body.innerHTML = '<b>'; return 'taken' } \
                catch (fault) { return fault.name } })()";
    assert_eq!(browser.value(html).await, "TypeError");
    let inline = "(() => { const style = document.createElement('style'); \
                  style.append('h1 { display: none }'); document.head.append(style); \
                  return getComputedStyle(document.querySelector('h1')).display })()";
    assert_eq!(browser.value(inline).await, "flex");
    let response = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = response.get(harness.url()).send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for part in
        ["default-src 'none'", "connect-src 'self'", "form-action 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(part), "{part} is not in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let page = response.text().await.unwrap();
    assert!(!page.contains("{{"), "a part is not in its place");
    let body = page.split_once("<body>").unwrap().1.split_once("<script").unwrap().0;
    assert!(!body.contains(" on") || !body.contains("=\"javascript"), "an inline handler");
    assert!(!body.contains("style="), "an inline style");
}
