//! What a live view shows and what a key does to it: without a terminal, a clock or an effect.

#![expect(clippy::wildcard_enum_match_arm, reason = "a terminal has more keys than are used")]

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;

use super::panes::{List, Pane, Seen};
use crate::view::words;

/// Rows of a step by a page.
const PAGE: usize = 10;

/// A live view.
#[derive(Debug, Default)]
pub struct TopState {
    /// What was read last; none: nothing yet.
    pub(super) seen: Option<Seen>,
    /// Why the newest reading failed: what is shown is older.
    pub(super) lost: Option<String>,
    /// The list that keys are about, by its place.
    focus: usize,
    pub(super) lists: [ListState; 4],
    pub(super) mode: Mode,
    /// What came of the last key.
    pub(super) told: Option<String>,
}

/// How a list is shown.
#[derive(Debug, Default)]
pub(super) struct ListState {
    order: usize,
    reversed: bool,
    pub(super) filter: String,
    /// The name of the row that keys are about.
    chosen: Option<String>,
    /// Its place, and the first row on the screen.
    pub(super) table: TableState,
}

/// What keys mean now.
#[derive(Debug, Default)]
pub(super) enum Mode {
    /// They move, and ask for something.
    #[default]
    Lists,
    /// They write the filter.
    Filter,
    /// They agree to a drain, or do not.
    Drain {
        /// The runner or the pool.
        name: String,
        /// What that means for it.
        means: String,
    },
    /// They move through a text.
    Text {
        /// What it is about.
        title: String,
        /// The text.
        text: String,
        /// The first line on the screen.
        from: u16,
    },
}

/// What the operator wants that takes more than the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Leave.
    Quit,
    /// This runner, or all of this pool, shall finish what it has and exit.
    Drain(String),
    /// What `autogit explain` says of it.
    Explain(String),
}

/// What came from the AutoGit that runs.
#[derive(Debug)]
pub enum News {
    /// How everything stands.
    Seen(Box<Seen>),
    /// It could not be read, in words.
    Lost(String),
    /// What came of a wish, in words.
    Told(String),
    /// An explanation.
    Explained {
        /// Of what.
        title: String,
        /// In words.
        text: String,
    },
}

impl TopState {
    /// The list that keys are about.
    pub(super) fn focus(&self) -> Pane {
        Pane::ALL.into_iter().nth(self.focus).unwrap_or(Pane::Hosts)
    }

    /// What a list shows, and how.
    pub(super) fn list(&self, pane: Pane) -> Option<List> {
        let ListState { order, reversed, filter, .. } = self.lists.get(pane.index())?;
        Some(pane.list(self.seen.as_ref()?, *order, *reversed, filter))
    }

    /// `by age, reversed, with "linux"`; none where a list is as it is found.
    pub(super) fn arranged(&self, pane: Pane) -> Option<String> {
        let ListState { order, reversed, filter, .. } = self.lists.get(pane.index())?;
        let by = pane.orders().get(*order).filter(|_| *order > 0).map(|by| format!("by {by}"));
        let reversed = reversed.then(|| "reversed".to_owned());
        let filter = (!filter.is_empty()).then(|| format!("with `{filter}`"));
        let words: Vec<String> = [by, reversed, filter].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Takes up what came.
    pub fn take(&mut self, news: News) {
        match news {
            News::Seen(seen) => {
                (self.seen, self.lost) = (Some(*seen), None);
                for pane in Pane::ALL {
                    self.find_again(pane);
                }
            }
            News::Lost(why) => self.lost = Some(why),
            News::Told(words) => self.told = Some(words),
            News::Explained { title, text } => {
                self.told = None;
                self.mode = Mode::Text { title, text, from: 0 };
            }
        }
    }

    /// The chosen row keeps its place by its name; where it is gone, the one in its place is chosen.
    fn find_again(&mut self, pane: Pane) {
        let Some(list) = self.list(pane) else { return };
        let Some(state) = self.lists.get_mut(pane.index()) else { return };
        let found = list.rows.iter().position(|row| Some(&row.name) == state.chosen.as_ref());
        let place = found.or(state.table.selected()).unwrap_or(0);
        state.choose(&list, place);
    }

    /// What a key does.
    pub fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if with_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Some(Wish::Quit);
        }
        self.told = None;
        match std::mem::take(&mut self.mode) {
            Mode::Lists => self.press_lists(key.code),
            Mode::Filter => {
                self.press_filter(key.code);
                None
            }
            Mode::Drain { name, .. } => {
                let agrees = matches!(key.code, KeyCode::Char('y' | 'Y'));
                self.told = Some(if agrees {
                    format!("asks for {name} to be drained")
                } else {
                    format!("{name} stays")
                });
                agrees.then_some(Wish::Drain(name))
            }
            Mode::Text { title, text, from } => {
                let from = match key.code {
                    KeyCode::Down | KeyCode::Char('j') => from.saturating_add(1),
                    KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
                    KeyCode::PageDown | KeyCode::Char(' ') => from.saturating_add(10),
                    KeyCode::PageUp => from.saturating_sub(10),
                    _ => return None,
                };
                let last = text.lines().count().saturating_sub(1);
                let from = from.min(u16::try_from(last).unwrap_or(u16::MAX));
                self.mode = Mode::Text { title, text, from };
                None
            }
        }
    }

    fn press_lists(&mut self, key: KeyCode) -> Option<Wish> {
        match key {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Tab => self.focus = (self.focus + 1) % Pane::ALL.len(),
            KeyCode::BackTab => self.focus = (self.focus + Pane::ALL.len() - 1) % Pane::ALL.len(),
            KeyCode::Char(digit @ '1'..='4') => self.focus = digit as usize - '1' as usize,
            KeyCode::Down | KeyCode::Char('j') => self.step(|place| place.saturating_add(1)),
            KeyCode::Up | KeyCode::Char('k') => self.step(|place| place.saturating_sub(1)),
            KeyCode::PageDown => self.step(|place| place.saturating_add(PAGE)),
            KeyCode::PageUp => self.step(|place| place.saturating_sub(PAGE)),
            KeyCode::Home | KeyCode::Char('g') => self.step(|_| 0),
            KeyCode::End | KeyCode::Char('G') => self.step(|_| usize::MAX),
            KeyCode::Char('s') => self.arrange(|orders, state| {
                state.order = (state.order + 1) % orders;
                state.reversed = false;
            }),
            KeyCode::Char('r') => self.arrange(|_, state| state.reversed = !state.reversed),
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Esc => self.arrange(|_, state| state.filter.clear()),
            KeyCode::Char('d') => self.ask_to_drain(),
            KeyCode::Enter | KeyCode::Char('e') => return self.explain(),
            KeyCode::Char('?' | 'h') => self.mode = help(),
            _ => {}
        }
        None
    }

    /// The filter is in force as it is written.
    fn press_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => return,
            KeyCode::Esc => return self.arrange(|_, state| state.filter.clear()),
            KeyCode::Backspace => self.arrange(|_, state| {
                state.filter.pop();
            }),
            KeyCode::Char(letter) => self.arrange(|_, state| state.filter.push(letter)),
            _ => {}
        }
        self.mode = Mode::Filter;
    }

    fn step(&mut self, to: impl Fn(usize) -> usize) {
        let Some(list) = self.list(self.focus()) else { return };
        let Some(state) = self.lists.get_mut(self.focus) else { return };
        state.choose(&list, to(state.table.selected().unwrap_or(0)));
    }

    fn arrange(&mut self, change: impl Fn(usize, &mut ListState)) {
        let orders = self.focus().orders().len();
        let Some(state) = self.lists.get_mut(self.focus) else { return };
        change(orders, state);
        self.find_again(self.focus());
    }

    /// The name of the row that keys are about.
    fn chosen(&self) -> Option<&str> {
        self.lists.get(self.focus)?.chosen.as_deref()
    }

    fn ask_to_drain(&mut self) {
        let (Some(name), Some(seen)) = (self.chosen().map(str::to_owned), &self.seen) else {
            return;
        };
        let means = match self.focus() {
            Pane::Runners => {
                let runner = seen.runners.iter().find(|runner| runner.name == name);
                let job = runner.and_then(|runner| runner.job.as_ref());
                match job.map(|job| job.id) {
                    Some(Some(id)) => format!("it finishes job #{id} and exits"),
                    Some(None) => "it finishes the job it has and exits".to_owned(),
                    None => "it has no job and exits".to_owned(),
                }
            }
            Pane::Pools => {
                let of_pool = seen.runners.iter().filter(|runner| runner.pool == name);
                let (busy, idle): (Vec<_>, Vec<_>) = of_pool.partition(|one| one.job.is_some());
                let runners = words::count(busy.len() + idle.len(), "runner");
                format!("{runners}, {} of them with a job, which ends first", busy.len())
            }
            Pane::Hosts | Pane::Queue => {
                self.told = Some("`d` drains a runner or a pool: choose one (Tab)".to_owned());
                return;
            }
        };
        self.mode = Mode::Drain { name, means };
    }

    fn explain(&mut self) -> Option<Wish> {
        let name = self.chosen()?;
        let subject = match self.focus() {
            Pane::Pools => format!("pool {name}"),
            Pane::Runners => format!("runner {name}"),
            Pane::Queue => format!("job {name}"),
            Pane::Hosts => {
                let words = "`e` explains a pool, a runner or a job: choose one (Tab)";
                self.told = Some(words.to_owned());
                return None;
            }
        };
        self.told = Some(format!("asks for {subject}"));
        Some(Wish::Explain(subject))
    }
}

impl ListState {
    /// The row at `place`, or the last one where there are fewer.
    fn choose(&mut self, list: &List, place: usize) {
        let place = list.rows.len().checked_sub(1).map(|highest| place.min(highest));
        self.chosen = place.and_then(|place| list.rows.get(place)).map(|row| row.name.clone());
        self.table.select(place);
    }
}

fn help() -> Mode {
    let text = "\
        Tab 1 2 3 4   hosts, pools, runners, queue\n\
        ↑ ↓ k j       one row; PageUp PageDown ten; Home End g G the first, the last\n\
        s  r          order by something else; the other way round\n\
        /             show rows with a word alone; Esc shows all\n\
        Enter e       explain the pool, the runner or the job\n\
        d             drain the runner or the pool: asks first\n\
        q Ctrl-C      leave";
    Mode::Text { title: "keys".to_owned(), text: text.to_owned(), from: 0 }
}
