//! What a person turned at GitLab, for as long as it stays so.

use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Switches {
    /// It lets nobody make a record.
    refuses_records: AtomicBool,
    /// AutoGit's token may not list runners any more.
    hides_runners: AtomicBool,
    /// It answers everything, almost too late.
    drips: AtomicBool,
}

impl Switches {
    pub(crate) fn refuse_records(&self, refuses: bool) {
        self.refuses_records.store(refuses, Ordering::Relaxed);
    }

    pub(crate) fn refuses_records(&self) -> bool {
        self.refuses_records.load(Ordering::Relaxed)
    }

    pub(crate) fn hide_runners(&self, hides: bool) {
        self.hides_runners.store(hides, Ordering::Relaxed);
    }

    pub(crate) fn drip(&self, drips: bool) {
        self.drips.store(drips, Ordering::Relaxed);
    }

    pub(crate) fn drips(&self) -> bool {
        self.drips.load(Ordering::Relaxed)
    }

    pub(crate) fn hides_runners(&self) -> bool {
        self.hides_runners.load(Ordering::Relaxed)
    }
}
