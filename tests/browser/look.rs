//! What a page shows when it is opened.

use autogit::spec::{Proxy, ProxyUrl};
use autogit::world::{JobId, OtherRunner, RecordId};

use crate::browser::Browser;
use crate::fixtures::{FAULT, big, calm, day, hour, ill};
use crate::harness::Harness;
use crate::support::world::{Doing, Fixture};

#[tokio::test]
async fn the_first_line_says_that_everything_runs_as_asked() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm()).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "Everything runs as asked").await;
    browser.says("#troubles", "No job waits, 1 runner is busy and 1 idle.").await;
    assert_eq!(browser.value("document.title").await, "Everything runs as asked – AutoGit");
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn a_job_that_is_left_to_a_runner_of_others_is_no_trouble() {
    let Some(browser) = Browser::open().await else { return };
    let mut fixture = calm().job(41, "team/app", &["macos"], 4000);
    let runner = OtherRunner { id: RecordId(12), name: "mac mini".into(), of_instance: true };
    fixture.memory.other_runners.insert(JobId(41), runner);
    let harness = Harness::of(fixture).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "Everything runs as asked").await;
    browser.says("#troubles", "1 job is left to runners of others").await;
    browser.says("#queue", "runner 12 mac mini of GitLab may take it").await;
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn an_operator_sees_what_waits_and_why_and_what_runs_where() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(day()).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "2 jobs wait: pool cuda is at its max of 1").await;
    let waiting = browser.text("#queue").await;
    for words in ["2 jobs", "pool-at-max", "#8812 train", "team/app main", "4m", "#8818 unit tests"]
    {
        assert!(waiting.contains(words), "{words} is not in {waiting}");
    }
    let running = browser.text("#running").await;
    for words in ["#8790 fine-tune team/app", "cuda/amd64 slot 0", "on rack", "31m"] {
        assert!(running.contains(words), "{words} is not in {running}");
    }
    let link = browser.value("document.querySelector('[data-job=\"8812\"] a').href").await;
    assert_eq!(link, "https://gitlab.example.com/team/app/-/jobs/8812");
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn a_pool_shows_its_proxy_without_its_credentials() {
    let Some(browser) = Browser::open().await else { return };
    let proxy = |url| Some(Proxy { http: ProxyUrl::read(url), ..Proxy::default() });
    let mut fixture = day();
    fixture.spec.pools[1].proxy = proxy("http://me:proxy-pw@proxy.lan:3128");
    fixture.spec.pools[2].proxy = proxy("http://plain.lan:3128");
    let harness = Harness::of(fixture).await;
    browser.visit(&harness.url()).await;
    browser.says("[data-pool=docs] .pool-takes", "jobs' proxy http://***@proxy.lan:3128").await;
    browser.says("[data-pool=cuda] .pool-takes", "proxy http://plain.lan:3128").await;
    let others = browser.text("[data-pool=linux] .pool-takes").await;
    assert!(!others.contains("proxy"), "{others}");
    let page = browser.value("document.documentElement.outerHTML").await.to_string();
    assert!(!page.contains("proxy-pw"), "{page}");
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn a_waiting_job_opens_its_why() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(day()).await;
    browser.visit(&harness.url()).await;
    browser.until("document.querySelector('[data-job=\"8812\"] button')").await;
    browser.value("document.querySelector('[data-job=\"8812\"] button').click()").await;
    browser.says("#job", "Job 8812 train").await;
    browser.says("#job-facts", "pool-at-max").await;
    browser.says("#job-facts", "1 of 2 for cuda").await;
    browser.says("#job-pools", "lacks tag cuda").await;
    browser.value("document.querySelector('#job-close').click()").await;
    browser.until("document.activeElement.closest('[data-job=\"8812\"]')").await;
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn one_job_of_thousands_is_found_by_words_pool_reason_and_project() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(big()).await;
    browser.visit(&harness.url()).await;
    browser.says("#queue-count", "10,000 jobs").await;
    let set = async |id: &str, value: &str| {
        let place = format!("document.querySelector('#{id}')");
        browser.value(&format!("{place}.value = {value:?}")).await;
        browser.value(&format!("{place}.dispatchEvent(new Event('input'))")).await;
    };
    set("find", "#4711").await;
    browser.says("#queue-count", "1 of 10,000 jobs").await;
    browser.until("document.querySelector('[data-job=\"4711\"]')").await;
    browser.value("document.querySelector('#find-nothing').click()").await;
    set("of-pool", "pool-3").await;
    browser.says("#queue-count", "909 of 10,000 jobs").await;
    browser.until("document.querySelectorAll('#pools > li').length === 1").await;
    set("of-project", "group-0/project-0").await;
    browser.says("#queue-count", "3 of 10,000 jobs").await;
    set("of-reason", "no-pool-matches").await;
    browser.says("#queue-empty", "None of the jobs that wait is looked for.").await;
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn pools_come_by_trouble_and_on_demand_as_in_the_file() {
    let Some(browser) = Browser::open().await else { return };
    let mut fixture = Fixture::new();
    for pool in 0..30 {
        fixture =
            fixture.pool(&format!("pool-{pool}"), &format!("tag-{pool}"), |pool| pool.max = 1);
    }
    let fixture = fixture
        .runner("pool-20", 0, "local", Doing::Busy(7, 60))
        .job(8, "team/app", &["tag-20"], 60)
        .runner("pool-25", 0, "local", Doing::Idle(5));
    let harness = Harness::of(fixture).await;
    browser.visit(&harness.url()).await;
    let names = "[...document.querySelectorAll('#pools > li')].map((pool) => pool.dataset.pool)";
    browser.until(&format!("{names}[0] === 'pool-20'")).await;
    browser.until("document.querySelectorAll('#pools > li.brief').length === 28").await;
    let of_job = "document.querySelector('#queue h3').innerText";
    assert_eq!(browser.value(of_job).await, "1 job for pool-20");
    browser.value("document.querySelector('#pools-order').click()").await;
    browser.until(&format!("{names}[0] === 'pool-0' && {names}[20] === 'pool-20'")).await;
    browser.value("document.querySelector('#pools-fold').click()").await;
    browser.until("!document.querySelector('#pools > li.brief')").await;
    browser.says("[data-pool=pool-3] .pool-takes", "tag-3").await;
}

#[tokio::test]
async fn a_flood_of_faults_is_folded_and_opens() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::empty().await;
    let mut view = calm().view();
    view.spec.pending_fault = Some("error\n".repeat(300));
    harness.show(view);
    browser.visit(&harness.url()).await;
    browser.says("#fault-more", "more lines").await;
    assert_eq!(browser.text("#fault").await.lines().count(), 12);
    browser.value("document.querySelector('#fault-more').click()").await;
    browser.until("document.querySelector('#fault').innerText.length > 1700").await;
}

#[tokio::test]
async fn each_runner_is_a_cell_with_the_letter_and_the_shape_of_its_phase() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(day()).await;
    browser.visit(&harness.url()).await;
    browser.until("document.querySelectorAll('[data-runner]').length === 9").await;
    let letters =
        "[...document.querySelectorAll('[data-pool=linux] .cell')].map((cell) => cell.innerText)";
    let letters = browser.value(letters).await;
    assert_eq!(letters, serde_json::json!(["B", "B", "B", "S", "B", "D", "", "", "", ""]));
    let name = "document.querySelector('[data-runner=autogit-runner-cuda-amd64-0]').ariaLabel";
    assert_eq!(browser.value(name).await, "slot 0, busy, job 8790");
    let pool = browser.text("[data-pool=linux]").await;
    assert!(pool.contains("4 busy, 1 starting, 1 draining of at most 10"), "{pool}");
    assert!(pool.contains("3 waiting"), "{pool}");
}

#[tokio::test]
async fn what_was_done_last_and_what_comes_next_stands_at_the_top() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm()).await;
    harness.show(day().view());
    browser.visit(&harness.url()).await;
    browser.says("#last", "start 2 × linux on local").await;
    browser.says("#last", "by serve-demand").await;
    browser.says("#next", "drain autogit-runner-docs-amd64-1 in").await;
    browser.says("#next", "a look at least every 10s").await;
    let why = "serve-demand 3 waiting, 0 idle, 1 starting → 2 more; max 10";
    browser.says("#activity li", why).await;
}

#[tokio::test]
async fn what_is_wrong_comes_first_and_a_refused_spec_with_its_caret() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::empty().await;
    harness.show(ill());
    browser.visit(&harness.url()).await;
    let headline = "Host rack is unknown, a changed spec is refused and 3 jobs wait";
    browser.says("#headline", headline).await;
    browser.says("#troubles", "no pool has tag macos").await;
    assert_eq!(browser.text("#fault").await, FAULT);
    let style = "getComputedStyle(document.querySelector('#fault'))";
    assert_eq!(browser.value(&format!("{style}.whiteSpace")).await, "pre");
    assert!(browser.value(&format!("{style}.fontFamily")).await.to_string().contains("monospace"));
    browser.says("#sources li", "connect timed out").await;
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn an_age_goes_on_while_nothing_else_happens() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm().lose_queue("GitLab failed with 502")).await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "GitLab is unknown for 1m").await;
    browser.says("#headline", "s: GitLab failed with 502").await;
    let first = browser.text("#headline").await;
    browser.until(&format!("document.querySelector('#headline').innerText !== {first:?}")).await;
    browser.says("#headline", "s: GitLab failed with 502").await;
    browser.says(".figures dd", "?").await;
}

#[tokio::test]
async fn a_page_that_is_opened_before_the_first_look_says_so_and_goes_on() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::empty().await;
    browser.visit(&harness.url()).await;
    browser.says("#headline", "AutoGit takes its first look").await;
    harness.show(Fixture::new().view());
    browser.says("#headline", "Everything runs as asked").await;
    browser.says("#pools-empty", "The spec declares no pool.").await;
    browser.says("#queue-empty", "No job waits.").await;
    browser.says("#running-empty", "No job runs.").await;
    browser.is_clean(&harness.url()).await;
}

#[tokio::test]
async fn a_time_without_a_look_is_not_shown_as_one_without_jobs() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::of(calm()).await;
    browser.visit(&harness.url()).await;
    browser.says("#readout", "grey: AutoGit did not look").await;
    let gaps = "document.getElementById('runners-gaps').getAttribute('d')";
    browser.until(&format!("{gaps}.startsWith('M0 0V100H3')")).await;
}

#[tokio::test]
async fn the_last_hour_is_there_when_a_page_is_opened() {
    let Some(browser) = Browser::open().await else { return };
    let harness = Harness::empty().await;
    for view in hour() {
        harness.trend.add(&view);
    }
    harness.show(calm().view());
    browser.visit(&harness.url()).await;
    for lane in ["queue-area", "busy-area", "idle-area"] {
        let drawn = format!("document.getElementById('{lane}').getAttribute('d')?.length > 100");
        browser.until(&drawn).await;
    }
    browser.says("#hour-words", "In the last hour at most 7 jobs waited and 9 runners").await;
    assert_eq!(browser.text("#readout").await, "");
    browser.value("document.querySelector('#hour-table').open = true").await;
    browser.until("document.querySelectorAll('#hour-rows tr').length >= 12").await;
}
