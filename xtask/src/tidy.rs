//! `cargo xtask tidy`: what the house wants and the compiler does not check. Every finding is a
//! line with file, line and what to do; notes are worth a look, problems fail the build.

mod floors;
mod layers;
mod lexer;
mod source;
mod wrap;

use crate::{Done, known, root};
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

/// What the README must name: the two commands that show a newcomer that everything works.
const README_NAMES: [&str; 2] = ["farcall -- demo", "cargo test --workspace"];

/// Files that people wrote, by extension.
const TEXTS: [&str; 11] =
    ["rs", "md", "toml", "go", "mod", "proto", "sh", "yml", "yaml", "html", "js"];

/// Folders that are built, not written.
const BUILT: [&str; 3] = ["target", ".git", "node_modules"];

pub(crate) fn run(flags: &[String]) -> Done {
    known(flags, &["--fix"])?;
    if !flags.is_empty() {
        fix(root())?;
    }
    let findings = check(root())?;
    for note in &findings.notes {
        println!("note: {note}");
    }
    for problem in &findings.problems {
        println!("{problem}");
    }
    match findings.problems.len() {
        0 => {
            println!("tidy: {} files, nothing to say against them", findings.files);
            Ok(())
        }
        1 => Err("1 problem".into()),
        n => Err(format!("{n} problems").into()),
    }
}

/// Mends what can be mended without thinking: comments that are too wide.
fn fix(root: &Path) -> Done {
    let mut files = Files::new();
    gather(root, root, &mut files)?;
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        if let Some(text) = wrap::wrapped(text) {
            fs::write(root.join(path), text)?;
            println!("{path}: comments filled anew");
        }
    }
    Ok(())
}

/// What was found.
#[derive(Default)]
pub(crate) struct Findings {
    problems: Vec<Finding>,
    notes: Vec<Finding>,
    files: usize,
}

impl Findings {
    /// Something that must be changed.
    fn problem(&mut self, file: &str, line: usize, text: impl Into<String>) {
        self.problems.push(Finding { file: file.to_owned(), line, text: text.into() });
    }

    /// Something that is worth a look.
    fn note(&mut self, file: &str, line: usize, text: impl Into<String>) {
        self.notes.push(Finding { file: file.to_owned(), line, text: text.into() });
    }
}

struct Finding {
    file: String,
    /// From 1.
    line: usize,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// All files of a repository that hold text, by their path from its root, with `/`.
type Files = BTreeMap<String, String>;

fn check(root: &Path) -> Done<Findings> {
    let mut files = Files::new();
    gather(root, root, &mut files)?;
    let mut findings = Findings { files: files.len(), ..Findings::default() };
    for (path, text) in &files {
        whole(path, text, &mut findings);
    }
    layers::check(&files, &mut findings);
    source::check(&files, &mut findings);
    readme(&files, &mut findings);
    for path in floors::LOCKS {
        floors::check(path, &fs::read_to_string(root.join(path))?, &mut findings);
    }
    Ok(findings)
}

fn gather(root: &Path, folder: &Path, files: &mut Files) -> Done {
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !BUILT.contains(&name.as_str()) {
                gather(root, &path, files)?;
            }
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if TEXTS.contains(&extension.as_str()) && !name.ends_with(".pb.go") {
            let inside = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            files.insert(inside, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Checks that hold for every text, whatever its language.
fn whole(path: &str, text: &str, findings: &mut Findings) {
    // In pieces, or this file would find itself.
    let machine = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/")];
    for (at, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            findings.problem(path, at + 1, "trailing white space");
        }
        for start in machine {
            if absolute(line, start) {
                let text = format!("a path of one machine ({start}…)");
                findings.problem(path, at + 1, text);
            }
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.problem(path, text.lines().count(), "no newline at the end of the file");
    }
}

/// Whether an absolute path begins with `start` somewhere in the line, rather than going through
/// it.
fn absolute(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~})".contains(c))
    })
}

fn readme(files: &Files, findings: &mut Findings) {
    const README: &str = "README.md";
    let Some(readme) = files.get(README) else {
        findings.problem(README, 1, "there is no README");
        return;
    };
    for name in README_NAMES {
        if !readme.contains(name) {
            findings.problem(README, 1, format!("does not name `{name}`"));
        }
    }
    let documents = || {
        files.iter().filter(|(path, _)| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            path.ends_with(".md") && matches!(folder, "" | "docs" | "docs/guide" | "examples")
        })
    };
    for path in files.keys() {
        let Some(name) = path.strip_prefix("examples/").and_then(|name| name.strip_suffix(".rs"))
        else {
            continue;
        };
        let file = format!("{name}.rs");
        let run = format!("--example {name}");
        if !documents().any(|(_, text)| text.contains(&file) || text.contains(&run)) {
            let text = format!("no document names this example (`{file}` or `{run}`)");
            findings.problem(path, 1, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let findings = check(root()).expect("the repository can be read");
        let all: Vec<String> = findings.problems.iter().map(Finding::to_string).collect();
        assert!(all.is_empty(), "\n{}\n", all.join("\n"));
    }

    #[test]
    fn paths_of_one_machine() {
        let start = concat!("/ho", "me/");
        assert!(absolute(&format!("see {start}me"), start));
        assert!(absolute(&format!("\"{start}me\""), start));
        assert!(!absolute(&format!("https://example.org{start}me"), start));
    }

    #[test]
    fn texts_end_with_a_newline_and_lines_with_a_word() {
        let mut findings = Findings::default();
        whole("a.md", "one \ntwo", &mut findings);
        let all: Vec<String> = findings.problems.iter().map(Finding::to_string).collect();
        let want = ["a.md:1: trailing white space", "a.md:2: no newline at the end of the file"];
        assert_eq!(all, want);
    }
}
