//! What one text says otherwise than another, as others may read it.

use std::collections::BTreeMap;

use super::super::hidden::{Hidden, named};
use super::super::node::{Kind, Node};
use super::super::path::Path;
use super::super::reader;
use super::super::report::Report;
use super::Page;

/// What `after` says otherwise than `before`, by path; `None`: one of them is no YAML. What may be a
/// secret is not compared. Neither text has to be a good spec.
pub fn shown_changes(before: &str, after: &str) -> Option<Vec<String>> {
    let (before, after) = (Leaves::of(before)?.0, Leaves::of(after)?.0);
    let removed = before.keys().filter(|path| !after.contains_key(*path));
    let mut changes: Vec<String> = removed.map(|path| format!("{path} removed")).collect();
    for (path, value) in &after {
        match before.get(path) {
            None => changes.push(format!("{path} added: {value}")),
            Some(was) if was != value => changes.push(format!("{path} {was} → {value}")),
            Some(_) => {}
        }
    }
    changes.sort();
    Some(changes)
}

/// Values by their paths; a list of scalars is one.
struct Leaves(BTreeMap<String, String>);

impl Leaves {
    fn of(text: &str) -> Option<Self> {
        let tree = reader::read(&mut Report::new(text))?;
        let mut hidden = Hidden::default();
        hidden.note(&tree, &Path::default());
        let mut leaves = Self(BTreeMap::new());
        leaves.walk(&Page { hidden, text: String::new() }, &tree, &Path::default(), "");
        Some(leaves)
    }

    fn walk(&mut self, page: &Page, node: &Node, path: &Path, name: &str) {
        let below =
            |word: &str| if name.is_empty() { word.to_owned() } else { format!("{name}.{word}") };
        match (&node.kind, page.in_a_line(node, path)) {
            (_, Some(line)) => drop(self.0.insert(name.to_owned(), line)),
            (Kind::Map(entries), None) => {
                for entry in entries {
                    let path = path.join(&entry.key);
                    self.walk(page, &entry.value, &path, &below(named(&entry.key)));
                }
            }
            (Kind::List(items), None) => {
                for (index, item) in items.iter().enumerate() {
                    let index = index.to_string();
                    self.walk(page, item, &path.join(&index), &below(&index));
                }
            }
            (Kind::Scalar(_) | Kind::Unknown, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shown_changes;

    #[test]
    fn values_are_compared_by_their_path_and_secrets_not_at_all() {
        let before = "gitlab: {url: https://git.example, token: one}\n\
            pools:\n  a: {tags: [x], max: 2}\n  b: {tags: [y]}\n";
        let after = "gitlab: {url: https://git.example, token: another}\n\
            pools:\n  a: {tags: [x, z], max: 3, wram: 1}\n  c: {tags: [y]}\n";
        assert_eq!(
            shown_changes(before, after).unwrap(),
            [
                "pools.a.max 2 → 3",
                "pools.a.tags [x] → [x, z]",
                "pools.a.wram added: ***",
                "pools.b.tags removed",
                "pools.c.tags added: [y]",
            ]
        );
        assert_eq!(shown_changes(before, before).unwrap(), Vec::<String>::new());
        assert_eq!(shown_changes(before, "pools: ["), None);
    }
}
