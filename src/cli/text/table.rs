//! Columns of text, two spaces apart.

use unicode_width::UnicodeWidthStr;

use super::RenderOptions;

/// A table whose first row is its heading.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns of numbers, which stand to the right.
    right: Vec<usize>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&word| word.to_owned()).collect()], right: vec![] }
    }

    /// Without a heading.
    pub(crate) fn bare() -> Self {
        Self { rows: Vec::new(), right: vec![] }
    }

    /// These columns stand to the right.
    pub(crate) fn right(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, without white space at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| -> usize {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell: &String| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    /// The lines, the heading faint.
    pub(crate) fn headed(&self, options: &RenderOptions) -> Vec<String> {
        let mut lines = self.lines();
        if let Some(heading) = lines.first_mut() {
            *heading = options.paint.faint(heading);
        }
        lines
    }

    /// The same as one text.
    pub(crate) fn text(&self, options: &RenderOptions) -> String {
        self.headed(options).join("\n") + "\n"
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            if column > 0 {
                line.push_str("  ");
            }
            if self.right.contains(&column) {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_no_line_ends_in_white_space() {
        let mut table = Table::new(&["pool", "max", "why"]).right(&[1]);
        table.row(["linux", "9", ""].map(str::to_owned));
        table.row(["cuda", "10", "at max"].map(str::to_owned));
        assert_eq!(table.lines(), ["pool   max  why", "linux    9", "cuda    10  at max"]);
    }

    #[test]
    fn a_letter_takes_the_columns_that_a_terminal_gives_it() {
        let mut table = Table::new(&["job", "why"]);
        table.row(["ビルド", "x"].map(str::to_owned));
        table.row(["e\u{301}", "y"].map(str::to_owned));
        assert_eq!(table.lines(), ["job     why", "ビルド  x", "e\u{301}       y"]);
    }
}
