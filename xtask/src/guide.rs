//! `cargo xtask guide`: the parts of docs/guide that are made from the code. They stand between two
//! comments that name them.

use crate::{Done, known, root};
use std::fs;

const LIMITS: &str = "crates/farcall-core/src/limits.rs";
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
    let table = table(&fs::read_to_string(root().join(LIMITS))?)?;
    let made = between(&page, "limits", &table)?;
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

/// The fields of `Limits`, from their documentation: what each bounds, its default, what happens
/// there.
fn table(source: &str) -> Done<String> {
    let fields =
        source.split("pub struct Limits {").nth(1).and_then(|rest| rest.split("\n}").next());
    let fields = fields.ok_or("there is no struct Limits")?;
    let mut table =
        String::from("| limit | bounds | default, and what happens there |\n|---|---|---|\n");
    let mut said: Vec<&str> = Vec::new();
    for line in fields.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            said.push(text.trim());
        } else if let Some(field) = line.strip_prefix("pub ") {
            let name = field.split(':').next().unwrap_or(field);
            let text = std::mem::take(&mut said).join(" ");
            let Some((what, default)) = text.split_once("Default ") else {
                return Err(format!("`{name}` does not say its default").into());
            };
            let default =
                default.replacen("none", "None", usize::from(default.starts_with("none")));
            table += &format!("| `{name}` | {} | {default} |\n", what.trim());
        }
    }
    Ok(table)
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
    fn fields_become_rows() {
        let source = "pub struct Limits {\n    /// Bytes\n    /// of it. Default 1\n    \
                      /// MiB. More are refused.\n    pub it_bytes: usize,\n}\n";
        let table = table(source).expect("rows");
        assert!(table.ends_with("| `it_bytes` | Bytes of it. | 1 MiB. More are refused. |\n"));
    }
}
