//! Connections: pages of things, newest first, by cursor.

use serde_json::{Map, Value, json};

use super::resolve::Node;
use super::value::Error;

const PAGE_MAX: usize = 100;

/// A page of a connection.
pub(super) struct Connection {
    /// How many there are on all pages.
    pub(super) count: usize,
    /// The cursors and the things.
    pub(super) page: Vec<(u64, Node)>,
    pub(super) info: PageInfo,
}

/// What a page says about its neighbours.
#[derive(Clone, Default)]
pub(super) struct PageInfo {
    has_next: bool,
    has_previous: bool,
    start: Option<u64>,
    end: Option<u64>,
}

impl Connection {
    /// The page that `arguments` ask for. An item that came or went meanwhile shifts nothing,
    /// because cursors are ids.
    pub(super) fn new(
        mut items: Vec<(u64, Node)>,
        arguments: &Map<String, Value>,
    ) -> Result<Self, Error> {
        items.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        let count = items.len();
        let (after, before) = (cursor(arguments, "after")?, cursor(arguments, "before")?);
        let newer = items.iter().filter(|(id, _)| after.is_some_and(|after| *id >= after)).count();
        let older =
            items.iter().filter(|(id, _)| before.is_some_and(|before| *id <= before)).count();
        let mut info =
            PageInfo { has_previous: newer > 0, has_next: older > 0, ..PageInfo::default() };
        items.truncate(count.saturating_sub(older));
        items.drain(..newer.min(items.len()));
        let (first, last) = (limit(arguments, "first")?, limit(arguments, "last")?);
        let from_the_end = first.is_none() && last.is_some();
        let most = if from_the_end { last } else { first }.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let surplus = items.len().saturating_sub(most);
        if from_the_end {
            items.drain(..surplus);
            info.has_previous |= surplus > 0;
        } else {
            items.truncate(most);
            info.has_next |= surplus > 0;
        }
        info.start = items.first().map(|(id, _)| *id);
        info.end = items.last().map(|(id, _)| *id);
        Ok(Self { count, page: items, info })
    }
}

impl PageInfo {
    pub(super) fn leaf(&self, name: &str) -> Value {
        match name {
            "hasNextPage" => json!(self.has_next),
            "hasPreviousPage" => json!(self.has_previous),
            "startCursor" => self.start.map_or(Value::Null, shown),
            "endCursor" => self.end.map_or(Value::Null, shown),
            _ => Value::Null,
        }
    }
}

/// A cursor; clients must not read it.
pub(super) fn shown(id: u64) -> Value {
    json!(format!("c{id:x}"))
}

fn cursor(arguments: &Map<String, Value>, name: &str) -> Result<Option<u64>, Error> {
    let Some(text) = arguments.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = text.as_str().and_then(|text| text.strip_prefix('c'));
    let number = number.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.map(Some).ok_or_else(|| Error::new("Invalid cursor value"))
}

fn limit(arguments: &Map<String, Value>, name: &str) -> Result<Option<usize>, Error> {
    let Some(value) = arguments.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    let text = || format!("Argument '{name}' has an invalid value ({value}). Expected type 'Int'.");
    number.map(Some).ok_or_else(|| Error::new(text()))
}
