//! The file as others may read it: its keys and the values that are no secrets, written anew, so
//! that no comment and nothing between the values comes along.

mod changes;

pub use changes::shown_changes;

use super::hidden::{Hidden, named};
use super::node::{Kind, Node};
use super::path::Path;
use super::reader;
use super::report::Report;

/// What stands for a value that is not shown.
const MASK: &str = "***";

/// `text` without what may be a secret; `None`: it is no YAML.
pub fn shown(text: &str) -> Option<String> {
    let tree = reader::read(&mut Report::new(text))?;
    let mut hidden = Hidden::default();
    hidden.note(&tree, &Path::default());
    let mut page = Page { hidden, text: String::new() };
    page.below(&tree, &Path::default(), 0);
    Some(page.text)
}

struct Page {
    hidden: Hidden,
    text: String,
}

impl Page {
    /// Writes the lines of what `node` holds.
    fn below(&mut self, node: &Node, path: &Path, depth: usize) {
        let indent = "  ".repeat(depth);
        match &node.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    let start = format!("{indent}{}:", named(&entry.key));
                    self.entry(&start, &entry.value, &path.join(&entry.key), depth);
                }
            }
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let start = format!("{indent}-");
                    self.entry(&start, item, &path.join(&index.to_string()), depth);
                }
            }
            Kind::Scalar(_) | Kind::Unknown => {
                let value = self.value(node, path);
                self.text.extend([&*indent, &value, "\n"]);
            }
        }
    }

    /// Writes `start` and the value, in its line or below it.
    fn entry(&mut self, start: &str, value: &Node, path: &Path, depth: usize) {
        self.text.push_str(start);
        let line = self.in_a_line(value, path);
        if let Some(line) = line.as_deref().filter(|line| !line.is_empty()) {
            self.text.extend([" ", line]);
        }
        self.text.push('\n');
        if line.is_none() {
            self.below(value, path, depth + 1);
        }
    }

    /// A value that takes one line.
    fn in_a_line(&self, value: &Node, path: &Path) -> Option<String> {
        match &value.kind {
            Kind::Map(entries) if entries.is_empty() => Some("{}".to_owned()),
            Kind::List(items) if items.iter().all(|item| item.scalar().is_some()) => {
                let items = items.iter().enumerate();
                let items = items.map(|(at, item)| self.value(item, &path.join(&at.to_string())));
                Some(format!("[{}]", items.collect::<Vec<_>>().join(", ")))
            }
            Kind::Map(_) | Kind::List(_) => None,
            Kind::Scalar(_) | Kind::Unknown => Some(self.value(value, path)),
        }
    }

    fn value(&self, node: &Node, path: &Path) -> String {
        let Some(scalar) = node.scalar() else { return MASK.to_owned() };
        if !scalar.is_null() && !self.hidden.shows(path, node, scalar) {
            return MASK.to_owned();
        }
        let simple = scalar.plain && !scalar.text.contains(char::is_control);
        if simple {
            scalar.text.clone()
        } else {
            serde_json::Value::from(&*scalar.text).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn no_secret_and_no_comment_is_shown() {
        let text = "# glpat-in-a-comment\ngitlab:\n  url: https://git.example # hunter2\n  \
                    token: hunter2\n  toekn: hunter3\napi: {token: |\n    hunter4\n  }\n";
        let text = text
            .replace("api: {token: |\n    hunter4\n  }\n", "api:\n  token: |\n    hunter4\n")
            + "pools:\n  linux:\n    tags: [a, 'b c']\n    max: ${MAX:-4}\n    runner_token: glrt-x\n    \
               job: {environment: {KEY: hunter5}, image: 'me:pw@registry/x'}\n    warm:\n";
        assert_eq!(
            shown(&text).unwrap(),
            "gitlab:\n  url: https://git.example\n  token: ***\n  toekn: ***\napi:\n  token: ***\n\
             pools:\n  linux:\n    tags: [a, \"b c\"]\n    max: ${MAX:-4}\n    runner_token: ***\n    \
             job:\n      environment:\n        KEY: ***\n      image: ***\n    warm:\n"
        );
    }

    #[test]
    fn what_is_no_yaml_is_not_shown() {
        assert_eq!(shown("a: ["), None);
    }
}
