//! A live view on a terminal of any size: what is wrong, the four lists one below the other, and what
//! keys do. The list that keys are about has the room that the others do not need.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table};
use unicode_width::UnicodeWidthStr;

use super::panes::{List, Pane, Seen};
use super::state::{Mode, TopState};
use crate::cli::status::summary;
use crate::cli::text::{RenderOptions, cut, sources};
use crate::view::words;

/// Rows that each list has before any gets more.
const ROWS_MIN: usize = 2;
/// Lines about what is wrong; more would hide what goes on.
const TROUBLES_MAX: usize = 4;
/// The narrowest column that says anything.
const COLUMN_MIN: usize = 6;
/// The beginning of a sentence that says what it is about.
const SENTENCE_MIN: usize = 16;
/// Columns between two columns.
const BETWEEN: u16 = 2;

const KEYS: &str = "Tab list  ↑↓ row  s order  / find  Enter explain  d drain  ? keys  q leave";

/// Draws the view.
pub fn draw_top(frame: &mut Frame<'_>, state: &mut TopState, options: &RenderOptions) {
    let looks = Looks { coloured: options.paint.is_on() };
    let width = usize::from(frame.area().width);
    let head = head(state, width, looks, options);
    let [above, middle, below] = Layout::vertical([
        Constraint::Length(u16::try_from(head.len()).unwrap_or(u16::MAX)),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head), above);
    let lists: Vec<(Pane, List)> = Pane::ALL
        .into_iter()
        .filter_map(|pane| state.list(pane).map(|list| (pane, list)))
        .collect();
    let wanted: Vec<usize> = lists.iter().map(|(_, list)| list.rows.len()).collect();
    // Each has its heading.
    let room = usize::from(middle.height).saturating_sub(lists.len());
    let heights = shares(&wanted, state.focus().index(), room);
    let constraints =
        heights.iter().map(|rows| Constraint::Length(u16::try_from(rows + 1).unwrap_or(u16::MAX)));
    let places = Layout::vertical(constraints).split(middle);
    for ((pane, list), place) in lists.iter().zip(places.iter()) {
        draw_list(frame, *place, state, (*pane, list), looks);
    }
    frame.render_widget(Paragraph::new(foot(state, width, looks)), below);
    if let Mode::Text { title, text, from } = &state.mode {
        draw_text(frame, title, text, *from);
    }
}

/// Colours, on terminals that have them; nothing is told by them alone.
#[derive(Debug, Clone, Copy)]
struct Looks {
    coloured: bool,
}

impl Looks {
    fn colour(self, colour: Color) -> Style {
        if self.coloured { Style::new().fg(colour) } else { Style::new() }
    }

    fn bad(self) -> Style {
        self.colour(Color::Red)
    }

    fn notable(self) -> Style {
        self.colour(Color::Yellow)
    }

    fn faint(self) -> Style {
        if self.coloured { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
    }
}

const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Whose view, how much goes on, and what is wrong.
fn head(
    state: &TopState,
    width: usize,
    looks: Looks,
    options: &RenderOptions,
) -> Vec<Line<'static>> {
    let lost =
        state.lost.iter().map(|why| Line::styled(cut(&words::plain(why), width), looks.bad()));
    let Some(Seen { status, .. }) = &state.seen else {
        return std::iter::once(Line::raw("reads …")).chain(lost).collect();
    };
    let spec = &status.spec;
    let at = words::parsed(&status.at);
    let whose = options.plain_heading_of(&spec.source, &spec.hash, &status.instance, at);
    let mut lines =
        vec![Line::styled(cut(&whose, width), STRONG), Line::raw(cut(&summary(status), width))];
    lines.extend(lost);
    let unknown = sources::unknown(&status.sources).into_iter();
    let fault = spec.pending_fault.as_deref().map(|fault| {
        let first = fault.lines().next().unwrap_or_default();
        format!("the file is refused, the last good one stays: {first}")
    });
    let bad: Vec<String> = unknown.chain(fault).chain(status.notices.iter().cloned()).collect();
    let notable = status.standstills.iter().chain(&status.unread).cloned();
    let troubles = bad.into_iter().map(|line| (line, looks.bad()));
    let troubles: Vec<_> = troubles.chain(notable.map(|line| (line, looks.notable()))).collect();
    let more = troubles.len().saturating_sub(TROUBLES_MAX);
    let shown = if more > 0 { TROUBLES_MAX - 1 } else { troubles.len() };
    let more = troubles.len() - shown;
    let troubles = troubles.into_iter().take(shown);
    lines.extend(
        troubles.map(|(line, style)| Line::styled(cut(&words::plain(&line), width), style)),
    );
    if more > 0 {
        let line = format!("and {more} like these: `autogit status` has all");
        lines.push(Line::styled(cut(&line, width), looks.bad()));
    }
    lines
}

/// What keys do now, or what came of the last one.
fn foot(state: &TopState, width: usize, looks: Looks) -> Line<'static> {
    let line = |text: &str, style| Line::styled(cut(text, width), style);
    match (&state.mode, &state.told) {
        (Mode::Filter, _) => {
            let filter = state.lists.get(state.focus().index()).map(|list| list.filter.as_str());
            line(
                &format!("find: {}_   Enter keeps it, Esc shows all", filter.unwrap_or_default()),
                STRONG,
            )
        }
        (Mode::Drain { name, means }, _) => line(&format!("drain {name}? [y/N]  {means}"), STRONG),
        (Mode::Text { .. }, _) => line("↑↓ moves · any other key goes back", looks.faint()),
        (Mode::Lists, Some(told)) => line(&words::plain(told), STRONG),
        (Mode::Lists, None) => line(KEYS, looks.faint()),
    }
}

/// Rows for each list: at least a few, then what the list with the focus wants, then the others, the
/// first ones first.
fn shares(wanted: &[usize], focus: usize, room: usize) -> Vec<usize> {
    let mut given = vec![0_usize; wanted.len()];
    let mut left = room;
    let mut give = |given: &mut Vec<usize>, index: usize, most: usize| {
        let (Some(share), Some(wanted)) = (given.get_mut(index), wanted.get(index)) else { return };
        let more = most.min(*wanted).saturating_sub(*share).min(left);
        *share += more;
        left -= more;
    };
    give(&mut given, focus, ROWS_MIN);
    (0..wanted.len()).for_each(|index| give(&mut given, index, ROWS_MIN));
    give(&mut given, focus, usize::MAX);
    (0..wanted.len()).for_each(|index| give(&mut given, index, usize::MAX));
    given
}

fn draw_list(
    frame: &mut Frame<'_>,
    place: Rect,
    state: &mut TopState,
    (pane, list): (Pane, &List),
    looks: Looks,
) {
    let has_focus = state.focus() == pane;
    let heading = heading(state, pane, list, usize::from(place.height));
    let widths = widths(list, &heading, usize::from(place.width));
    let cells = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            // What tells names apart is at their end.
            let cell = if column == 0 { cut_before(cell, *width) } else { cut(cell, *width) };
            let right = list.right.contains(&column);
            Cell::from(if right { Line::from(cell).right_aligned() } else { Line::from(cell) })
        });
        Row::new(cells.collect::<Vec<_>>())
    };
    let style = if has_focus { STRONG } else { looks.faint() };
    let table = Table::new(
        list.rows.iter().map(|row| cells(&row.cells)),
        widths.iter().map(|width| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX))),
    )
    .header(cells(&heading).style(style))
    .column_spacing(BETWEEN)
    .row_highlight_style(if has_focus { CHOSEN } else { Style::new() });
    if let Some(state) = state.lists.get_mut(pane.index()) {
        frame.render_stateful_widget(table, place, &mut state.table);
    }
}

/// The columns' names; the first one says how many rows there are, where not all are shown.
fn heading(state: &TopState, pane: Pane, list: &List, height: usize) -> Vec<String> {
    let mut heading: Vec<String> = list.heading.iter().map(|word| word.to_uppercase()).collect();
    let (rows, shown) = (list.rows.len(), height.saturating_sub(1));
    let place = state.lists.get(pane.index()).and_then(|list| list.table.selected());
    let count = if rows < list.all {
        Some(format!("{rows} of {}", list.all))
    } else if rows == 0 {
        Some("none".to_owned())
    } else {
        (rows > shown).then(|| format!("{} of {rows}", place.unwrap_or(0) + 1))
    };
    let words = [list.note.map(str::to_owned).or(count), state.arranged(pane)];
    let words: Vec<String> = words.into_iter().flatten().collect();
    if let Some(first) = heading.first_mut().filter(|_| !words.is_empty()) {
        *first = format!("{first} ({})", words.join(", "));
    }
    heading
}

/// What each column gets of `width`: what it needs; where that is too much, the last gives first, and
/// then the widest.
fn widths(list: &List, heading: &[String], width: usize) -> Vec<usize> {
    let of_column = |column: usize| {
        let cells = list.rows.iter().filter_map(|row| row.cells.get(column));
        cells.chain(heading.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..heading.len()).map(of_column).collect();
    let between = usize::from(BETWEEN) * widths.len().saturating_sub(1);
    let room = width.saturating_sub(between);
    // What is told last is a sentence, of which the beginning will do.
    let over = widths.iter().sum::<usize>().saturating_sub(room);
    if let Some(last) = widths.last_mut() {
        *last -= over.min(last.saturating_sub(SENTENCE_MIN));
    }
    while widths.iter().sum::<usize>() > room {
        let widest = widths.iter_mut().max_by_key(|width| **width);
        let Some(widest) = widest.filter(|width| **width > COLUMN_MIN) else { break };
        *widest -= 1;
    }
    widths
}

/// At most `width` columns of a name: its end.
fn cut_before(name: &str, width: usize) -> String {
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    backwards(&cut(&backwards(name), width))
}

/// A text over the lists.
fn draw_text(frame: &mut Frame<'_>, title: &str, text: &str, from: u16) {
    let place = frame.area().inner(Margin::new(2, 1));
    let block = Block::bordered().title(format!(" {title} "));
    frame.render_widget(Clear, place);
    let lines: Vec<Line<'_>> = text.lines().map(Line::raw).collect();
    let wrapped = ratatui::widgets::Wrap { trim: false };
    frame.render_widget(Paragraph::new(lines).block(block).wrap(wrapped).scroll((from, 0)), place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_some_rows_and_the_one_with_the_focus_the_rest() {
        assert_eq!(shares(&[2, 5, 40, 30], 2, 17), [2, 2, 11, 2]);
        assert_eq!(shares(&[2, 5, 4, 3], 2, 17), [2, 5, 4, 3]);
        assert_eq!(shares(&[2, 5, 40, 30], 3, 3), [1, 0, 0, 2]);
        assert_eq!(shares(&[1, 1, 0, 0], 3, 17), [1, 1, 0, 0]);
        assert_eq!(shares(&[9, 9, 9, 9], 1, 0), [0, 0, 0, 0]);
    }
}
