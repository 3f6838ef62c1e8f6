//! Pictures of the page, for people who judge how it looks: `AUTOGIT_PICTURES=folder`.

use std::path::PathBuf;

use autogit::spec::Arch;
use autogit::view::View;
use jiff::SignedDuration;

use crate::browser::Browser;
use crate::fixtures::{big, calm, day, hour, ill, taken_at};
use crate::harness::Harness;
use crate::support::world::{Doing, Fixture, NOW};

fn folder() -> Option<PathBuf> {
    std::env::var_os("AUTOGIT_PICTURES").map(PathBuf::from)
}

async fn filled(view: View) -> Harness {
    let harness = Harness::empty().await;
    for view in before() {
        harness.show(view);
    }
    for view in hour() {
        harness.trend.add(&view);
    }
    harness.show(view);
    harness
}

/// What happened in the minutes before [`NOW`].
fn before() -> impl Iterator<Item = View> {
    let pools = || {
        let fixture = Fixture::new().host("rack", Arch::Amd64).pool("linux", "docker", |_| {});
        fixture.pool("docs", "docs", |_| {}).runner("linux", 0, "local", Doing::Busy(8781, 20))
    };
    let fixtures = [
        (530, pools()),
        (525, pools().job(8786, "team/app", &["docker"], 3).job(8790, "team/app", &["docker"], 2)),
        (410, pools().lose_host("rack", 2, "connect timed out")),
        (380, pools().runner("docs", 2, "rack", Doing::Idle(640))),
        (365, pools().runner("docs", 2, "rack", Doing::Exited(0, 2))),
        (120, pools().job(8797, "team/site", &["docs"], 1)),
        (60, pools()),
    ];
    fixtures.into_iter().map(|(seconds, fixture)| {
        taken_at(fixture.view(), NOW - SignedDuration::from_secs(seconds))
    })
}

#[tokio::test]
async fn the_page_can_be_had_as_pictures() {
    let Some(folder) = folder() else { return };
    let Some(browser) = Browser::open().await else { return };
    let nothing = "null";
    let runner = "document.querySelector('[data-runner=autogit-runner-docs-amd64-1]').click()";
    let sign_in = "document.querySelector('#operate').click()";
    let pictures = [
        ("light", day().view(), 1440, "light", nothing),
        ("dark", day().view(), 1440, "dark", nothing),
        ("tablet", day().view(), 800, "light", nothing),
        ("phone", day().view(), 360, "light", nothing),
        ("phone-ill", ill(), 360, "dark", nothing),
        ("ill", ill(), 1440, "light", nothing),
        ("ill-dark", ill(), 1440, "dark", nothing),
        ("calm", calm().view(), 1440, "light", nothing),
        ("empty", Fixture::new().view(), 1440, "light", nothing),
        ("big", big().view(), 1440, "light", nothing),
        ("runner", day().view(), 1440, "light", runner),
        ("sign-in", day().view(), 1440, "dark", sign_in),
    ];
    for (name, view, width, scheme, then) in pictures {
        let harness = filled(view).await;
        browser.size(width, 1000).await;
        browser.prefer("prefers-color-scheme", scheme).await;
        browser.visit(&harness.url()).await;
        browser.until("document.querySelector('.figures dd').innerText !== '–'").await;
        browser.value(then).await;
        browser.until("document.getAnimations().length === 0").await;
        let whole = then == nothing;
        browser.picture(&folder.join(format!("{name}.png")), whole).await;
    }
    let harness = filled(day().view()).await;
    browser.visit(&harness.url()).await;
    browser.says("#running", "#8790").await;
    harness.stop().await;
    browser.says("#health", "Not connected").await;
    browser.picture(&folder.join("away.png"), true).await;
}
