//! Markdown tables with columns that line up in a terminal too.

/// A table; the first column is text, the others are numbers or verdicts and stand to the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins with the headings.
    pub(crate) fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|text| (*text).to_owned()).collect()] }
    }

    /// Adds a row, as wide as the headings.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.rows[0].len(), "a row as wide as the headings");
        self.rows.push(cells);
    }

    /// The table as text.
    pub(crate) fn to_markdown(&self) -> String {
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).max(3))
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (at, cell) in row.iter().enumerate() {
                let width = widths[at];
                text += &match at {
                    0 => format!("| {cell:<width$} "),
                    _ => format!("| {cell:>width$} "),
                };
            }
            text += "|\n";
            if number == 0 {
                for (at, width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(*width);
                    text += &if at == 0 { format!("|-{dashes}-") } else { format!("|-{dashes}:") };
                }
                text += "|\n";
            }
        }
        text
    }
}

/// A whole number with commas: 12,345.
pub(crate) fn commas(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len() - at;
        if at > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["who", "calls"]);
        table.row(vec!["a longer name".into(), "1".into()]);
        let want =
            "| who           | calls |\n|---------------|------:|\n| a longer name |     1 |\n";
        assert_eq!(table.to_markdown(), want);
    }

    #[test]
    fn commas_stand_between_thousands() {
        assert_eq!(commas(7.4), "7");
        assert_eq!(commas(123_456.0), "123,456");
        assert_eq!(commas(-123_456.0), "-123,456");
        assert_eq!(commas(1_234_567.0), "1,234,567");
    }
}
