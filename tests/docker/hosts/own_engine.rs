//! A Docker Engine of the test's own, to be stopped and started, or reached in ways of its own.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use bollard::{API_DEFAULT_VERSION, Docker};

use crate::hosts::require::{self, Folder, until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/hosts/own-engine.sh");

/// What the script and its engine need.
const PROGRAMS: [&str; 7] = ["dockerd", "bash", "unshare", "nsenter", "mount", "ip", "find"];

/// The network of this process's first or second engine; another's has other addresses.
fn pool(number: u32) -> String {
    let process = std::process::id();
    format!("10.{}.{}", 192 - 64 * number + process / 256 % 64, process % 256)
}

/// An address of the first engine: its first or its second.
pub(crate) fn address(second: bool) -> String {
    format!("{}.{}", pool(0), if second { 3 } else { 2 })
}

/// An engine; it and all it made are gone when this is dropped.
pub(crate) struct OwnEngine {
    pub(crate) folder: Folder,
    /// Where its containers reach this machine.
    pub(crate) gateway: String,
    holder: Child,
    orders: Option<ChildStdin>,
    given: usize,
}

impl OwnEngine {
    /// A running engine with these flags; nothing where the machine cannot run one.
    pub(crate) async fn start(folder: Folder, flags: &[&str]) -> Option<Self> {
        Self::start_in(&pool(0), folder, flags).await
    }

    /// One beside it.
    pub(crate) async fn start_second(folder: Folder, flags: &[&str]) -> Option<Self> {
        Self::start_in(&pool(1), folder, flags).await
    }

    async fn start_in(pool: &str, folder: Folder, flags: &[&str]) -> Option<Self> {
        if !require::has("DOCKERD", &PROGRAMS) {
            return None;
        }
        let mut holder = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", SCRIPT])
            .args([folder.path().to_str().unwrap(), pool])
            .args(flags)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = holder.stdin.take();
        let gateway = format!("{pool}.1");
        let mut engine = Self { folder, gateway, holder, orders, given: 0 };
        if let Err(problem) = engine.until_ready().await {
            require::lacks("DOCKERD", &problem);
            return None;
        }
        engine.order("start").await;
        engine.until_up().await;
        Some(engine)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// A client of the test's, by the engine's own socket.
    pub(crate) fn docker(&self) -> Docker {
        self.client().unwrap()
    }

    /// A socket that is not there yet is an error.
    fn client(&self) -> Result<Docker, bollard::errors::Error> {
        let socket = self.socket();
        Docker::connect_with_unix(socket.to_str().unwrap(), 60, API_DEFAULT_VERSION)
    }

    /// Copies images of the machine's engine.
    pub(crate) fn load(&self, images: &[&str]) {
        let mut save =
            Command::new("docker").arg("save").args(images).stdout(Stdio::piped()).spawn().unwrap();
        let loaded = Command::new("docker")
            .args(["--host", &format!("unix://{}", self.socket().display()), "load", "--quiet"])
            .stdin(save.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(save.wait().unwrap().success() && loaded.status.success(), "{loaded:?}");
    }

    /// Stops the engine as an operator does; what it ran ends or stays, as its flags say.
    pub(crate) async fn stop(&mut self) {
        self.order("stop").await;
    }

    /// Ends it and all it ran at once, as when the machine loses its power.
    pub(crate) async fn crash(&mut self) {
        self.order("crash").await;
    }

    /// Starts it again.
    pub(crate) async fn start_again(&mut self) {
        self.order("start").await;
        self.until_up().await;
    }

    /// Waits until it takes orders; an error where this machine does not let it.
    async fn until_ready(&mut self) -> Result<(), String> {
        let holder = std::cell::RefCell::new(&mut self.holder);
        let folder = &self.folder;
        until("the namespaces of the test's own engine", async || {
            if !folder.read("obeyed").is_empty() {
                return Some(Ok(()));
            }
            let ended = holder.borrow_mut().try_wait().unwrap();
            ended.map(|_| Err(format!("no engine beside another: {}", folder.read("log").trim())))
        })
        .await
    }

    async fn order(&mut self, order: &str) {
        writeln!(self.orders.as_ref().unwrap(), "{order}").unwrap();
        self.given += 1;
        until(&format!("the engine obeys `{order}`"), async || {
            (self.folder.read("obeyed").lines().count() > self.given).then_some(())
        })
        .await;
    }

    async fn until_up(&self) {
        let log = || self.folder.read("log");
        until("the test's own engine answers", async || {
            assert!(!log().contains("failed to start daemon"), "{}", log());
            self.client().ok()?.ping().await.ok()
        })
        .await;
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.holder.wait();
    }
}
