//! A thousand runners and ten thousand jobs.

use crate::browser::Browser;
use crate::fixtures::{big, calm};
use crate::harness::Harness;

#[tokio::test]
async fn ten_thousand_jobs_and_a_thousand_runners_make_a_page_of_bounded_size() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(big()).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "9,800 jobs wait").await;
    browser.says("#queue-count", "10,000 jobs").await;
    browser.says("[data-pool=pool-9]", "and 20 more").await;
    browser.says("#running-more", "and 788 more").await;
    let elements = browser.value("document.querySelectorAll('*').length").await;
    assert!(elements.as_u64().unwrap() < 4_000, "{elements} elements");
    // Each list opens step by step and stays bounded.
    for _ in 0..4 {
        let more = "document.querySelectorAll('.more button').forEach((button) => button.click())";
        browser.value(more).await;
        browser.value("new Promise(requestAnimationFrame)").await;
    }
    browser.until("document.querySelectorAll('#running li').length === 132").await;
    let elements = browser.value("document.querySelectorAll('*').length").await;
    assert!(elements.as_u64().unwrap() < 25_000, "{elements} elements");
    harness.show(calm().view());
    browser.says("#headline", "Everything runs as asked").await;
    browser.until("document.querySelectorAll('*').length < 400").await;
    browser.is_clean(&harness.url()).await;
}
