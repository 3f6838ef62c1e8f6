//! A view as it is rendered at a moment.
//!
//! What was seen, planned and decided stays as it was; ages and what is left of a wait are counted to
//! that moment, so that they hold when they are read, however old the view is. Only what is rendered
//! from here says such times: the command line, the API and the dashboard agree by that.

use std::ops::Deref;

use jiff::{SignedDuration, Timestamp};

use super::{View, words};

/// A view and the moment of its ages.
#[derive(Debug, Clone, Copy)]
pub struct AsOf<'v> {
    view: &'v View,
    now: Timestamp,
}

impl View {
    /// The view as it is told at `now`, by the clock that its look was taken by.
    ///
    /// A clock that was set back meanwhile makes nothing younger than it was when it was seen.
    pub fn as_of(&self, now: Timestamp) -> AsOf<'_> {
        AsOf { view: self, now: now.max(self.world.now) }
    }

    /// The view as it was told when it was new.
    pub fn as_seen(&self) -> AsOf<'_> {
        self.as_of(self.world.now)
    }
}

impl Deref for AsOf<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        self.view
    }
}

impl AsOf<'_> {
    /// The moment of the ages.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The same, in UTC.
    pub(super) fn moment(&self) -> String {
        words::instant(self.now)
    }

    /// How old the view is.
    pub(super) fn view_age(&self) -> SignedDuration {
        self.now.duration_since(self.view.world.now)
    }

    /// For how long something has been so: `2m13s`.
    pub(super) fn lasting(&self, since: Timestamp) -> String {
        words::since(self.now, since)
    }

    /// The same with tenths where they matter: `0.4s`.
    pub(super) fn age(&self, at: Timestamp) -> String {
        words::age(self.now.duration_since(at))
    }

    /// How long it is until then: `40s`, and `0s` for what is past.
    pub(super) fn left(&self, until: Timestamp) -> String {
        words::since(until, self.now)
    }
}
