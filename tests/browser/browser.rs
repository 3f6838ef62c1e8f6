//! A headless browser, as far as these tests need one.
//!
//! The `WebDriver` protocol is a dozen JSON requests over loopback. The crates that speak it bring
//! their own HTTP stack and know neither the browser's log nor its emulation of a dark screen, both
//! of which are needed here.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::skipped::note_skipped;

/// How long a condition may take to come true: a hundred times what it takes on an idle machine.
const LIMIT_MS: u64 = 30_000;

/// Keys as the protocol names them.
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const LEFT: &str = "\u{e012}";
pub(crate) const RIGHT: &str = "\u{e014}";
pub(crate) const HOME: &str = "\u{e011}";
pub(crate) const END: &str = "\u{e010}";

/// One window, and the driver that opened it; both end with it.
pub(crate) struct Browser {
    http: reqwest::Client,
    port: u16,
    session: String,
    _driver: Child,
}

impl Drop for Browser {
    /// Without this the browser would outlive its driver. Nothing can be awaited here.
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let session = &self.session;
        let request = format!(
            "DELETE /session/{session} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        );
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read(&mut [0; 64]);
    }
}

/// Starts the driver; nothing where there is none, and the test is to return then.
async fn driver() -> Option<(Child, u16)> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut driver = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let required = std::env::var_os("AUTOGIT_REQUIRE_BROWSER");
            assert!(required.as_deref() != Some(OsStr::new("1")), "`chromedriver` is required");
            note_skipped("chromedriver is not installed");
            return None;
        }
        spawned => spawned.unwrap(),
    };
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the driver says its port");
        if let Some(port) = line.rsplit_once(" on port ").filter(|_| line.contains("success")) {
            return Some((driver, port.1.trim_end_matches('.').parse().unwrap()));
        }
    }
}

impl Browser {
    /// Opens a window of a laptop's size; none where no browser is installed.
    pub(crate) async fn open() -> Option<Self> {
        // Fails where one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (driver, port) = driver().await?;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let arguments = [
            "--headless=new",
            // For root, and for containers with a small /dev/shm.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
        ];
        let always = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments, "perfLoggingPrefs": { "enableNetwork": true } },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "timeouts": { "script": LIMIT_MS + 10_000 },
        });
        let mut browser = Self { http, port, session: String::new(), _driver: driver };
        let asked = json!({ "capabilities": { "alwaysMatch": always } });
        let opened = browser.post_to("session", &asked).await;
        browser.session = opened["sessionId"].as_str().unwrap().to_owned();
        browser.size(1440, 1000).await;
        Some(browser)
    }

    async fn post_to(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let fine = answer.status().is_success();
        let value = answer.json::<Value>().await.unwrap()["value"].take();
        assert!(fine, "{path}: {value}");
        value
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        self.post_to(&format!("session/{}/{command}", self.session), &body).await
    }

    /// A command of Chromium's own protocol.
    pub(crate) async fn own(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    pub(crate) async fn visit(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// The size of the page itself, without the window around it.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.own("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// What the operator prefers, such as `prefers-color-scheme: dark`.
    pub(crate) async fn prefer(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.own("Emulation.setEmulatedMedia", features).await;
    }

    /// The value of a JavaScript expression.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.post("execute/sync", json!({ "script": script, "args": [] })).await
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        let expression = format!("document.querySelector({selector:?})?.innerText ?? null");
        self.value(&expression).await.as_str().unwrap_or_else(|| panic!("no {selector}")).to_owned()
    }

    /// Waits until an expression is true; the browser watches it frame by frame.
    #[track_caller]
    pub(crate) fn until<'a>(&'a self, expression: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        let script = format!(
            "const done = arguments[0]; const end = performance.now() + {LIMIT_MS};
             (function look() {{
                 let found = false;
                 try {{ found = {expression}; }} catch {{ }}
                 if (found) return done(true);
                 if (performance.now() > end) return done(document.body.innerText);
                 requestAnimationFrame(look);
             }})();"
        );
        async move {
            let found = self.post("execute/async", json!({ "script": script, "args": [] })).await;
            if found != true {
                let log = self.log("browser").await;
                panic!("{caller}: never became true: {expression}\n{found:#}\n{log:#?}");
            }
        }
    }

    /// Waits until the text of an element holds these words.
    #[track_caller]
    pub(crate) fn says(&self, selector: &str, words: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let has = format!("document.querySelector({selector:?}).innerText.includes({words:?})");
        async move {
            let _ = caller;
            self.until(&has).await;
        }
    }

    /// Presses keys one after another, as a keyboard does.
    pub(crate) async fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                let stroke = |kind: &str| json!({ "type": kind, "value": key.to_string() });
                [stroke("keyDown"), stroke("keyUp")]
            })
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("actions", json!({ "actions": [keyboard] })).await;
    }

    /// What the browser logged since it was asked last: `browser` or `performance`.
    pub(crate) async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("se/log", json!({ "type": kind })).await;
        entries.as_array().unwrap().clone()
    }

    /// That the page asked nobody but AutoGit, and that the browser found no fault with it.
    #[track_caller]
    pub(crate) fn is_clean<'a>(&'a self, origin: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let log = self.log("browser").await;
            assert!(log.is_empty(), "{caller}: {log:#?}");
            let mut asked = 0;
            for entry in self.log("performance").await {
                let entry: Value =
                    serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
                if entry["message"]["method"] == "Network.requestWillBeSent" {
                    let url = &entry["message"]["params"]["request"]["url"];
                    let url = url.as_str().unwrap();
                    asked += usize::from(url.starts_with(origin));
                    assert!(url.starts_with(origin) || url.starts_with("data:"), "{caller}: {url}");
                }
            }
            assert!(asked > 3, "{caller}: the log has {asked} requests");
        }
    }

    /// What `axe-core` has to say against the page.
    pub(crate) async fn audit(&self, axe: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; {axe};
             axe.run().then(({{ violations }}) => done(violations.map((one) =>
                 [one.id, one.help, one.nodes.map((node) => node.html + node.failureSummary)])));"
        );
        self.post("execute/async", json!({ "script": script, "args": [] })).await
    }

    /// Writes the whole page, or what is in view, as a picture.
    pub(crate) async fn picture(&self, file: &Path, whole: bool) {
        let parameters = json!({ "format": "png", "captureBeyondViewport": whole });
        let taken = self.own("Page.captureScreenshot", parameters).await;
        let png = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::write(file, png).unwrap();
    }
}
