//! A way to an engine that stays while the engine is away, as the socket that systemd holds does; or
//! that is away by itself, or leads to another engine one day.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::hosts::own_engine::OwnEngine;

/// A socket that leads to an engine's.
pub(crate) struct Line {
    path: PathBuf,
    target: Arc<watch::Sender<Option<PathBuf>>>,
}

impl Line {
    /// To that engine, in its folder.
    pub(crate) fn to(engine: &OwnEngine) -> Self {
        let path = engine.folder.path().join("held.sock");
        let target = Arc::new(watch::Sender::new(Some(engine.socket())));
        let (listener, targets) = (UnixListener::bind(&path).unwrap(), Arc::clone(&target));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, targets.subscribe()));
            }
        });
        Self { path, target }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Whoever is connected, or connects, is cut off.
    pub(crate) fn cut(&self) {
        self.target.send_replace(None);
    }

    /// From now on it leads there.
    pub(crate) fn lead_to(&self, engine: &OwnEngine) {
        self.target.send_replace(Some(engine.socket()));
    }
}

/// Passes on what both say until one of them ends it, or the line leads elsewhere.
async fn pass(mut client: UnixStream, mut targets: watch::Receiver<Option<PathBuf>>) {
    let Some(target) = targets.borrow_and_update().clone() else { return };
    let Ok(mut engine) = UnixStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut engine) => {}
        // Fails only when the line is gone, and the test with it.
        Ok(()) = targets.changed() => {}
    }
}
