//! Pictures of the page, for people who judge how it looks: `AUTOGIT_PICTURES=folder`.

use std::path::PathBuf;

use autogit::view::View;

use crate::browser::Browser;
use crate::scenes::{big, calm, day, hour, ill};
use crate::stage::Stage;
use crate::world::Scene;

fn folder() -> Option<PathBuf> {
    std::env::var_os("AUTOGIT_PICTURES").map(PathBuf::from)
}

async fn filled(view: View) -> Stage {
    let stage = Stage::empty().await;
    for view in hour() {
        stage.trend.add(&view);
    }
    stage.show(calm().view());
    stage.show(view);
    stage
}

#[tokio::test]
async fn the_page_can_be_had_as_pictures() {
    let Some(folder) = folder() else { return };
    let Some(browser) = Browser::open().await else { return };
    let pictures = [
        ("light", day().view(), 1440, "light"),
        ("dark", day().view(), 1440, "dark"),
        ("phone", day().view(), 360, "light"),
        ("ill", ill(), 1440, "light"),
        ("ill-dark", ill(), 1440, "dark"),
        ("calm", calm().view(), 1440, "light"),
        ("empty", Scene::new().view(), 1440, "light"),
        ("big", big().view(), 1440, "light"),
    ];
    for (name, view, width, scheme) in pictures {
        let stage = filled(view).await;
        browser.size(width, 1000).await;
        browser.prefer("prefers-color-scheme", scheme).await;
        browser.visit(&stage.url()).await;
        browser.until("document.querySelector('.figures dd').innerText !== '–'").await;
        browser.picture(&folder.join(format!("{name}.png")), true).await;
    }
}
