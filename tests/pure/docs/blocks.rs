//! What a document is made of.

/// A block between fences.
pub(super) struct Block {
    mark: String,
    lines: Vec<String>,
}

/// A command and what is shown of its output.
pub(super) struct Shown {
    pub(super) line: String,
    pub(super) output: Vec<String>,
}

impl Block {
    /// The commands of a `console` block.
    pub(super) fn commands(&self) -> Vec<Shown> {
        let mut commands: Vec<Shown> = Vec::new();
        if self.mark == "console" {
            for line in &self.lines {
                match (line.strip_prefix("$ "), commands.last_mut()) {
                    (Some(line), _) => {
                        commands.push(Shown { line: line.to_owned(), output: Vec::new() });
                    }
                    (None, Some(command)) => command.output.push(line.trim_end().to_owned()),
                    (None, None) => panic!("`{line}` is the output of no command"),
                }
            }
        }
        for command in &mut commands {
            while command.output.last().is_some_and(String::is_empty) {
                command.output.pop();
            }
        }
        commands
    }

    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    /// The file that the first line names.
    fn named(&self) -> Option<&str> {
        let name = self.lines.first()?.strip_prefix("# ")?;
        (!name.contains(' ') && name.contains('.')).then_some(name)
    }

    /// The text of a spec, or of a part of one.
    pub(super) fn spec(&self) -> Option<String> {
        let another = self.named().is_some_and(|name| !name.ends_with("autogit.yaml"));
        (self.mark == "yaml" && !another).then(|| self.text())
    }

    /// A file with the name that commands know it by.
    pub(super) fn file(&self) -> Option<(String, String)> {
        let name = self.named().filter(|_| self.mark == "yaml")?;
        Some((name.to_owned(), self.text()))
    }
}

/// The blocks between fences.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    // One within a list is indented with it.
    let mut indent = 0;
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(mark), None) => {
                indent = line.len() - line.trim_start().len();
                open = Some(Block { mark: mark.to_owned(), lines: Vec::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.lines.push(line.get(indent..).unwrap_or_default().to_owned());
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// The text outside of blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// What stands between single backticks, a line break in it as a space.
pub(super) fn inline(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " ")).collect()
}

/// The targets of links, other sites' aside.
pub(super) fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The anchors of headings, as GitHub and GitLab make them.
pub(super) fn headings(text: &str) -> Vec<String> {
    let prose = prose(text);
    let titles = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |title: &str| {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    titles.map(anchor).collect()
}
