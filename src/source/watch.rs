//! Tells when the spec file, or one that it names, may have changed.
//!
//! A hint carries no truth: whoever gets one reads the file. Two things make hints. The system's
//! events on the folders along the path's symlinks, because editors and `ConfigMap`s replace the file
//! or a link to it; and a look at the file every few seconds, because no event comes from a network
//! file system, from behind a bind mount, or where the limit of watches is reached. A hint waits
//! until the file was quiet for a moment, so that a half-written one is rarely read.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::events::Events;
use super::origin::Origin;
use super::symlinks::Symlinks;
use crate::clock::Clock;

/// A file that never rests is reported after so many rounds of waiting: 2 s at the usual pace.
const SETTLE_ROUNDS_MAX: usize = 10;

/// A path whose symlinks change while it is being watched is followed anew this often at once; after that
/// the next look goes on.
const FOLLOW_ROUNDS_MAX: usize = 3;

/// How long the watch waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Quiet time before a change is reported.
    pub settle: Duration,
    /// Between two looks, where events come as well.
    pub look_beside_events: Duration,
    /// Between two looks, where no events come.
    pub look_alone: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(200),
            look_beside_events: Duration::from_secs(10),
            look_alone: Duration::from_secs(2),
        }
    }
}

/// How changes are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeing {
    /// By the system's events, and by looking now and then.
    Events,
    /// By looking alone.
    Looking {
        /// Why there are no events, for the operator.
        why: String,
    },
}

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    hints: mpsc::Receiver<()>,
    seeing: watch::Receiver<Seeing>,
    files: watch::Sender<BTreeSet<PathBuf>>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Watches what the origin's files lead to, which need not exist. Begin before the first load: a
    /// change between the two is hinted at then.
    ///
    /// Assumes: called within a tokio runtime.
    pub fn start(origin: &Origin, clock: Clock, pace: Pace) -> Self {
        let wake = Arc::new(Notify::new());
        let events = Events::new(Arc::clone(&wake));
        Self::start_with(origin, clock, pace, wake, events)
    }

    fn start_with(
        origin: &Origin,
        clock: Clock,
        pace: Pace,
        wake: Arc<Notify>,
        events: Result<Events, String>,
    ) -> Self {
        // One hint is as good as many.
        let (hint, hints) = mpsc::channel(1);
        let (say_seeing, seeing) = watch::channel(Seeing::Events);
        let (say_files, files) = watch::channel(origin.files());
        let events = events.map_err(|why| say_seeing.send_replace(Seeing::Looking { why })).ok();
        let mut lookout = Lookout {
            files,
            clock,
            pace,
            wake,
            events,
            symlinks: Symlinks::default(),
            last: Prints::new(),
            hint,
            say_seeing,
        };
        lookout.follow();
        lookout.last = lookout.prints();
        Self { hints, seeing, files: say_files, task: tokio::spawn(lookout.keep_looking()) }
    }

    /// From now on watches these files, and no others. That they are new is hinted at: one may have
    /// changed since it was read.
    pub fn follow(&self, files: BTreeSet<PathBuf>) {
        self.files.send_if_modified(|known| {
            let news = *known != files;
            *known = files;
            news
        });
    }

    /// Waits until the file may have changed. Loses nothing when it is cancelled.
    pub async fn changed(&mut self) {
        if self.hints.recv().await.is_none() {
            // The task ends with `self` only; without it there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    }

    /// How changes are noticed at the moment.
    pub fn seeing(&self) -> Seeing {
        self.seeing.borrow().clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the system says about each file.
type Prints = BTreeMap<PathBuf, Option<Print>>;

struct Lookout {
    files: watch::Receiver<BTreeSet<PathBuf>>,
    clock: Clock,
    pace: Pace,
    wake: Arc<Notify>,
    events: Option<Events>,
    symlinks: Symlinks,
    last: Prints,
    hint: mpsc::Sender<()>,
    say_seeing: watch::Sender<Seeing>,
}

impl Lookout {
    async fn keep_looking(mut self) {
        loop {
            let event = self.next_sign().await;
            self.follow();
            if !event && self.prints() == self.last {
                continue;
            }
            self.settle().await;
            // Before the hint: what changes after the reader has read is then an event again.
            self.follow();
            self.last = self.prints();
            if let Err(mpsc::error::TrySendError::Closed(())) = self.hint.try_send(()) {
                return;
            }
        }
    }

    /// Waits for an event (`true`) or until it is time to look.
    async fn next_sign(&mut self) -> bool {
        let pause = match self.events {
            Some(_) => self.pace.look_beside_events,
            None => self.pace.look_alone,
        };
        tokio::select! {
            biased;
            () = self.wake.notified() => true,
            Ok(()) = self.files.changed() => true,
            () = self.clock.sleep(pause) => false,
        }
    }

    async fn settle(&self) {
        for _ in 0..SETTLE_ROUNDS_MAX {
            let before = self.prints();
            self.clock.sleep(self.pace.settle).await;
            let quiet = self.wake.notified().now_or_never().is_none();
            if quiet && before == self.prints() {
                return;
            }
        }
    }

    fn prints(&self) -> Prints {
        let print = |path: &PathBuf| (path.clone(), Print::of(path));
        self.files.borrow().iter().map(print).collect()
    }

    fn symlinks(&self) -> Symlinks {
        let mut whole = Symlinks::default();
        for path in self.files.borrow().iter() {
            whole.extend(Symlinks::of(path));
        }
        whole
    }

    fn follow(&mut self) {
        for _ in 0..FOLLOW_ROUNDS_MAX {
            let symlinks = self.symlinks();
            let Some(events) = &mut self.events else { return };
            if symlinks == self.symlinks {
                return;
            }
            match events.follow(&symlinks) {
                Ok(true) => self.symlinks = symlinks,
                Ok(false) => self.symlinks = Symlinks::default(),
                Err(why) => {
                    self.events = None;
                    self.say_seeing.send_replace(Seeing::Looking { why });
                }
            }
        }
    }
}

/// What the system says about a file; another print means that it may have changed. The count of
/// names shows a mounted file that was replaced behind its mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    file: (u64, u64),
    size: u64,
    names: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Print {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            file: (found.dev(), found.ino()),
            size: found.size(),
            names: found.nlink(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_seen_without_events_and_the_reason_is_said() {
        let folder = std::env::temp_dir().join(format!("autogit-looking-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("autogit.yaml");
        let pace = Pace {
            settle: Duration::from_millis(5),
            look_beside_events: Duration::from_hours(1),
            look_alone: Duration::from_millis(5),
        };
        let events = Err("too many open files".to_owned());
        let wake = Arc::new(Notify::new());
        let mut watch =
            Watch::start_with(&Origin::File(file.clone()), Clock::system(), pace, wake, events);
        assert_eq!(watch.seeing(), Seeing::Looking { why: "too many open files".to_owned() });
        std::fs::write(&file, "one").unwrap();
        tokio::time::timeout(Duration::from_secs(30), watch.changed()).await.unwrap();
        std::fs::remove_file(&file).unwrap();
        tokio::time::timeout(Duration::from_secs(30), watch.changed()).await.unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
