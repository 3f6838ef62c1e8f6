//! The page for those without a mouse, without a large screen, without colours, without sight.

use serde_json::{Value, json};

use crate::browser::{Browser, END, ENTER, ESCAPE, HOME, LEFT, RIGHT, TAB};
use crate::fixtures::{big, day, ill, with_token};
use crate::harness::Harness;
use crate::support::skipped::note_skipped;

const FOCUS: &str = "document.activeElement.id || document.activeElement.dataset.runner || \
                     document.activeElement.innerText";

async fn opened() -> Option<(Browser, Harness)> {
    let browser = Browser::open().await?;
    let harness = Harness::empty().await;
    harness.show(with_token(day()).view());
    harness.show(ill());
    browser.visit(&harness.url()).await;
    browser.says("#running", "#8790").await;
    Some((browser, harness))
}

#[tokio::test]
async fn a_keyboard_reaches_everything_and_comes_back() {
    let Some((browser, _harness)) = opened().await else { return };
    browser.press(TAB).await;
    assert_eq!(browser.value(FOCUS).await, "Skip to the content");
    let visible = "document.activeElement.getBoundingClientRect().top >= 0";
    browser.until(visible).await;
    browser.press(ENTER).await;
    assert_eq!(browser.value(FOCUS).await, "main");
    let mut stops = Vec::new();
    for _ in 0..5 {
        browser.press(TAB).await;
        stops.push(browser.value(FOCUS).await);
    }
    let docs = "autogit-runner-docs-amd64-";
    let [cuda, linux] = ["autogit-runner-cuda-amd64-0", "autogit-runner-linux-amd64-0"];
    // The pool that jobs wait for comes first.
    assert_eq!(stops, ["fault", "As a table", "pools-order", cuda, linux]);
    // Within a pool the arrow keys go from cell to cell; Tab leaves it.
    browser.press(&format!("\u{e008}{TAB}")).await;
    browser.value(&format!("document.querySelector('[data-runner={docs}0]').focus()")).await;
    for (key, cell) in [(RIGHT, 1), (RIGHT, 1), (LEFT, 0), (END, 1), (HOME, 0), (RIGHT, 1)] {
        browser.press(key).await;
        assert_eq!(browser.value(FOCUS).await, format!("{docs}{cell}"));
    }
    browser.press(ENTER).await;
    browser.says("#runner", "autogit-runner-docs-amd64-1").await;
    browser.says("#runner", "cooling-down idle").await;
    assert_eq!(browser.value(FOCUS).await, "runner-close");
    browser.press(ESCAPE).await;
    browser.until("!document.querySelector('#runner').open").await;
    assert_eq!(browser.value(FOCUS).await, format!("{docs}1"));
    browser.press(TAB).await;
    assert_eq!(browser.value(FOCUS).await, "#8641 job-8641");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.value(outline).await, "solid");
}

#[tokio::test]
async fn a_narrow_screen_is_never_scrolled_sideways() {
    let Some((browser, harness)) = opened().await else { return };
    let long = "a-name-that-never-ends-".repeat(9);
    for view in [ill(), day().job(60, &long, &[&long], 9).view(), big().view()] {
        harness.show(view);
        browser.visit(&harness.url()).await;
        browser.until("document.querySelector('#queue li')").await;
        for width in [360, 768, 1440] {
            browser.size(width, 800).await;
            let wide = "document.documentElement.scrollWidth";
            assert_eq!(browser.value(wide).await, width);
        }
    }
}

/// Text whose colour is too near to that of its ground.
const FAINT: &str = "(() => {
    const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const channels = (colour, ground) => {
        paint.fillStyle = `rgb(${ground})`; paint.fillRect(0, 0, 1, 1);
        paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
        return [...paint.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const light = (rgb) => {
        const [r, g, b] = rgb.map((c) => (c / 255 <= .04045 ? c / 255 / 12.92 : ((c / 255 + .055) / 1.055) ** 2.4));
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const ground = (element) => element
        ? channels(getComputedStyle(element).backgroundColor, ground(element.parentElement))
        : [255, 255, 255];
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let seen = 0;
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility({ opacityProperty: true })) continue;
        if (element.closest('script, noscript, .hidden, .skip')) continue;
        const under = ground(element);
        const [one, other] = [light(channels(getComputedStyle(element).color, under)), light(under)];
        const contrast = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
        seen += 1;
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.className} ${walker.currentNode.data}`);
    }
    return { seen, faint };
})()";

#[tokio::test]
async fn all_text_stands_out_in_light_and_in_dark() {
    let Some((browser, _harness)) = opened().await else { return };
    let ground = "getComputedStyle(document.body).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer("prefers-color-scheme", scheme).await;
        grounds.push(browser.value(ground).await);
        // Cells fade from one colour to the other.
        browser.until("document.getAnimations().length === 0").await;
        let found = browser.value(FAINT).await;
        assert!(found["seen"].as_u64().unwrap() > 100, "{found:#}");
        assert_eq!(found["faint"], json!([]), "{scheme}");
    }
    assert_eq!(grounds, ["rgb(244, 245, 247)", "rgb(14, 17, 22)"]);
}

#[tokio::test]
async fn nothing_moves_for_those_who_do_not_want_it() {
    let Some((browser, harness)) = opened().await else { return };
    browser.prefer("prefers-reduced-motion", "reduce").await;
    browser
        .value("(window.moved = 0, Element.prototype.animate = () => { window.moved += 1 })")
        .await;
    harness.show(day().view());
    browser.says("#headline", "2 jobs wait").await;
    assert_eq!(browser.value("window.moved").await, 0);
    assert_eq!(browser.value("document.getAnimations().length").await, 0);
}

#[tokio::test]
async fn landmarks_headings_and_names_lead_through_the_page() {
    let Some((browser, _harness)) = opened().await else { return };
    let count = |selector: &str| format!("document.querySelectorAll('{selector}').length");
    for one in ["body > header", "body > main", "h1", "html[lang=en]"] {
        assert_eq!(browser.value(&count(one)).await, 1, "{one}");
    }
    let levels = "[...document.querySelectorAll('main h1, main h2, main h3')]
        .filter((heading) => heading.checkVisibility()).map((heading) => heading.tagName)";
    let levels = browser.value(levels).await;
    assert_eq!(levels[0], "H2", "{levels}");
    let nameless =
        "[...document.querySelectorAll('button, a, input, section, dialog, [role=meter], pre')]
        .filter((element) => {
            if (!element.checkVisibility()) return false;
            const by = element.getAttribute('aria-labelledby');
            const words = by ? document.getElementById(by).innerText : element.innerText;
            return !(words || element.ariaLabel || element.labels?.length);
        }).map((element) => element.outerHTML)";
    assert_eq!(browser.value(nameless).await, json!([]));
    let twice = "[...document.querySelectorAll('[id]')].map((element) => element.id)
        .filter((id, index, all) => all.indexOf(id) !== index)";
    assert_eq!(browser.value(twice).await, json!([]));
    let strangers = "[...document.querySelectorAll('ul > :not(li), ol > :not(li)')].length";
    assert_eq!(browser.value(strangers).await, 0);
}

#[tokio::test]
async fn a_checker_of_accessibility_finds_no_fault() {
    let Some(file) = std::env::var_os("AUTOGIT_AXE") else {
        note_skipped("`AUTOGIT_AXE` does not name an axe.min.js");
        return;
    };
    let axe = std::fs::read_to_string(file).unwrap();
    let Some((browser, _harness)) = opened().await else { return };
    for (scheme, width) in [("light", 1440), ("dark", 1440), ("light", 360)] {
        browser.prefer("prefers-color-scheme", scheme).await;
        browser.size(width, 900).await;
        let faults = browser.audit(&axe).await;
        assert_eq!(faults, Value::Array(Vec::new()), "{scheme}, {width} px: {faults:#}");
    }
    browser.value("document.querySelector('[data-runner]').click()").await;
    assert_eq!(browser.audit(&axe).await, json!([]));
    browser.value("document.querySelector('#runner-close').click()").await;
    browser.value("document.querySelector('#operate').click()").await;
    assert_eq!(browser.audit(&axe).await, json!([]));
}
