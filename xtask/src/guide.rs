//! `cargo xtask guide`: the parts of docs/guide that are made from the code. They stand between two
//! comments that name them.

use crate::{Done, known, root};
use farcall_core::Limits;
use std::fs;

const PAGE: &str = "docs/guide/limits.md";

pub(crate) fn run(flags: &[String]) -> Done {
    known(flags, &["--check"])?;
    let (page, made) = limits()?;
    match (page == made, flags.is_empty()) {
        (true, _) => println!("{PAGE} is up to date"),
        (false, true) => {
            fs::write(root().join(PAGE), made)?;
            println!("{PAGE}: written anew");
        }
        (false, false) => return Err(format!("{PAGE} is not up to date: cargo xtask guide").into()),
    }
    Ok(())
}

/// The page of limits as it is, and as it should be.
fn limits() -> Done<(String, String)> {
    let page = fs::read_to_string(root().join(PAGE))?;
    let made = between(&page, "limits", &table())?;
    Ok((page, made))
}

/// A text with another part between the comments of this name.
pub(crate) fn between(text: &str, name: &str, part: &str) -> Done<String> {
    let (open, close) = (format!("<!-- made: {name} -->\n"), format!("<!-- end: {name} -->\n"));
    let ends = text.find(&open).and_then(|at| {
        let start = at + open.len();
        let end = text[start..].find(&close)?;
        Some((start, start + end))
    });
    let Some((start, end)) = ends else {
        return Err(format!("the page has no {open:?} and {close:?}").into());
    };
    Ok(format!("{}\n{part}\n{}", &text[..start], &text[end..]))
}

/// All limits: who holds each, what it bounds, its default, what happens there.
fn table() -> String {
    let mut table = String::from(
        "| limit | of | bounds | default, and what happens there |\n|---|---|---|---|\n",
    );
    for limit in Limits::TABLE {
        let beyond = limit.beyond();
        let beyond = beyond.replacen("none", "None", usize::from(beyond.starts_with("none")));
        let (name, side, bounds) = (limit.name, limit.held_by.name(), limit.bounds());
        table += &format!("| `{name}` | {side} | {bounds} | {beyond} |\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_is_up_to_date() {
        let (page, made) = limits().expect("the guide can be read");
        assert!(page == made, "{PAGE} is not up to date: cargo xtask guide");
    }

    #[test]
    fn parts_are_replaced() {
        let page = "a\n<!-- made: x -->\nold\n<!-- end: x -->\nb\n";
        let want = "a\n<!-- made: x -->\n\nnew\n\n<!-- end: x -->\nb\n";
        assert_eq!(between(page, "x", "new\n").expect("marks"), want);
        assert!(between(page, "y", "").is_err());
    }

    #[test]
    fn limits_become_rows() {
        let (table, row) =
            (table(), "| `body_depth` | both | Levels of nesting in a body. | 100, as");
        assert!(table.contains(row), "{table}");
        assert_eq!(table.lines().count(), 2 + Limits::TABLE.len());
    }
}
