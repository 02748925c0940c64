//! Colours: only on a terminal, and only without `NO_COLOR`.

use std::io::{self, IsTerminal};

/// How to write to one of the standard streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colours: bool,
}

impl Style {
    /// For standard output.
    pub(crate) fn stdout() -> Style {
        Style::of(io::stdout().is_terminal())
    }

    /// For standard error.
    pub(crate) fn stderr() -> Style {
        Style::of(io::stderr().is_terminal())
    }

    /// Without colours.
    #[cfg(test)]
    pub(crate) fn none() -> Style {
        Style { colours: false }
    }

    fn of(terminal: bool) -> Style {
        // no-color.org: present and not empty, whatever it says.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        Style { colours: terminal && !unwanted && !dumb }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What went right.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What went wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What matters.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What can be skipped.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_where_nobody_looks() {
        assert_eq!(Style::of(false).good("text"), "text");
        assert_eq!(Style { colours: true }.good("text"), "\x1b[32mtext\x1b[0m");
    }
}
