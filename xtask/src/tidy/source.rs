//! Checks of Rust sources: sizes, first lines, leftovers, panics, unsafe code, words of the world
//! in pure crates, and files that no module declares.

use super::{
    Files, Findings,
    layers::{pure, touches},
    lexer::{Source, has},
};
use std::collections::BTreeMap;

pub(super) const LINE_CHARS: usize = 100;
const FILE_LINES: usize = 800;
/// Above this, a file is worth a look.
const MOST_FILES_LINES: usize = 500;

/// Files that may hold unsafe code, each piece with its argument.
const UNSAFE: [&str; 5] = [
    "crates/farcall-core/src/text.rs",
    "crates/farcall-runtime/src/server/inherit.rs",
    "crates/farcall-wire/src/format/utf8.rs",
    "fuzz/src/memory.rs",
    "proof/src/memory.rs",
];

/// Its tests quote code, which is never compiled.
const QUOTED: &str = "crates/farcall-macros/";

/// Crates that may panic: what a macro panics with is an error of the compiler.
const MAY_PANIC: [&str; 1] = ["crates/farcall-macros/"];

/// Above a line that would panic, the reason why it does not.
const CANNOT_FAIL: &str = "Cannot fail:";

/// How many lines above the code an argument may stand.
const ABOVE_LINES: usize = 6;

/// What is never finished code.
const LEFTOVERS: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

pub(super) fn check(files: &Files, findings: &mut Findings) {
    let mut sources = BTreeMap::new();
    for (path, text) in files {
        if path.ends_with(".rs") {
            sources.insert(path.as_str(), Source::new(text));
        }
    }
    let reached = reachable(&sources);
    for (path, source) in &sources {
        let product = path.starts_with("crates/") && path.contains("/src/");
        let test = match reached.get(*path) {
            Some(test) => *test,
            None if product => {
                findings.problem(path, 1, "no module declares this file");
                continue;
            }
            None => true,
        };
        shape(path, source, findings);
        lines(path, source, Kind { product, test }, findings);
    }
}

/// What is expected of a file.
#[derive(Clone, Copy)]
struct Kind {
    product: bool,
    test: bool,
}

/// The file as a whole.
fn shape(path: &str, source: &Source<'_>, findings: &mut Findings) {
    match source.lines.len() {
        n if n > FILE_LINES => {
            findings.problem(path, n, format!("{n} lines, at most {FILE_LINES} are wanted"));
        }
        n if n > MOST_FILES_LINES => findings.note(path, n, format!("{n} lines")),
        _ => {}
    }
    let first = source.lines.first().copied().unwrap_or_default();
    if !first.starts_with("//!") {
        findings.problem(path, 1, "the first line says what the file is for: `//! …`");
    }
}

fn lines(path: &str, source: &Source<'_>, kind: Kind, findings: &mut Findings) {
    // In pieces, or this file would find itself.
    let unfinished = concat!("Place", "holder");
    for (at, (line, code)) in source.lines.iter().zip(&source.code).enumerate() {
        let mut problem = |text: String| findings.problem(path, at + 1, text);
        let chars = line.chars().count();
        if chars > LINE_CHARS {
            problem(format!("{chars} characters, at most {LINE_CHARS} are wanted"));
        }
        if line.contains(unfinished) {
            problem(format!("`{unfinished}`: this file is not finished"));
        }
        if let Some(word) = LEFTOVERS.into_iter().find(|word| has(code, word)) {
            problem(format!("`{word}` is left over"));
        }
        let argued = |word| {
            source.lines[at.saturating_sub(ABOVE_LINES)..=at].iter().any(|line| {
                line.split_once("//").is_some_and(|(_, comment)| comment.contains(word))
            })
        };
        if has(code, "unsafe") && !(kind.test && path.starts_with(QUOTED)) {
            if !UNSAFE.contains(&path) {
                problem("unsafe code; allowed files are named in xtask/src/tidy/source.rs".into());
            } else if !argued("SAFETY:") && !argued("# Safety") {
                problem("unsafe code without a `SAFETY:` comment".into());
            }
        }
        if kind.test || source.test[at] || !kind.product {
            continue;
        }
        let panics = has(code, ".unwrap()") || has(code, ".expect(");
        let exempt = MAY_PANIC.iter().any(|folder| path.starts_with(folder));
        if panics && !exempt && !argued(CANNOT_FAIL) {
            problem(format!("may panic; say why not in a comment `{CANNOT_FAIL} …`, or do not"));
        }
        if let Some((word, what)) = touches(code).filter(|_| pure(path)) {
            problem(format!("`{word}`: this crate knows no such thing as {what}"));
        }
    }
}

/// The files that modules declare, from the roots of their crates, and whether only tests have
/// them.
fn reachable<'a>(sources: &BTreeMap<&'a str, Source<'_>>) -> BTreeMap<&'a str, bool> {
    let mut reached = BTreeMap::new();
    let mut waiting: Vec<(&str, bool)> =
        sources.keys().filter(|p| is_root(p)).map(|p| (*p, false)).collect();
    while let Some((path, test)) = waiting.pop() {
        // A file that both tests and others declare is not a test.
        let known = reached.get(path).copied();
        if known == Some(false) || known == Some(test) {
            continue;
        }
        reached.insert(path, test);
        let folder = folder_of_modules(path);
        for (_, name, only_tests) in sources[path].modules() {
            for file in [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")] {
                if let Some((path, _)) = sources.get_key_value(file.as_str()) {
                    waiting.push((path, test || only_tests));
                }
            }
        }
    }
    reached
}

fn is_root(path: &str) -> bool {
    let Some((_, inside)) = path.split_once("/src/") else { return false };
    path.starts_with("crates/")
        && (matches!(inside, "lib.rs" | "main.rs")
            || inside
                .strip_prefix("bin/")
                .is_some_and(|rest| !rest.contains('/') || rest.ends_with("/main.rs")))
}

/// Where the files of a module's own modules are.
fn folder_of_modules(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    match stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        _ => format!("{folder}/{stem}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let mut findings = Findings::default();
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        check(&files.collect(), &mut findings);
        findings.problems.iter().map(ToString::to_string).collect()
    }

    /// A file of its own, in a crate that must be pure.
    fn wire(text: &str) -> Vec<String> {
        problems(&[("crates/farcall-wire/src/lib.rs", &format!("//! A wire.\n{text}"))])
    }

    #[test]
    fn files_without_a_module_are_found() {
        let found = problems(&[
            ("crates/a/src/lib.rs", "//! A.\nmod b;\n#[cfg(test)]\nmod tests;\n"),
            ("crates/a/src/b.rs", "//! B.\nmod c;\n"),
            ("crates/a/src/b/c.rs", "//! C.\nfn f() { g().unwrap() }\n"),
            ("crates/a/src/tests.rs", "//! Tests.\nfn f() { g().unwrap() }\n"),
            ("crates/a/src/d.rs", "//! D.\n"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/b/c.rs:2: may panic"));
        assert_eq!(found[1], "crates/a/src/d.rs:1: no module declares this file");
    }

    #[test]
    fn panics_need_a_reason() {
        assert_eq!(wire("fn f() { g().expect(\"x\"); }").len(), 1);
        assert!(wire("// Cannot fail: it was asked before.\nfn f() { g().unwrap(); }").is_empty());
        assert!(wire("fn f() { g().unwrap_or(1); } // .unwrap()").is_empty());
        assert!(wire("#[cfg(test)]\nmod tests {\n    fn f() { g().unwrap(); }\n}").is_empty());
    }

    #[test]
    fn pure_crates_do_not_touch_the_world() {
        assert!(wire("use tokio::net::TcpStream;")[0].contains("no such thing as a runtime"));
        assert!(wire("/// As tokio does it.\nfn f() {}").is_empty());
    }

    #[test]
    fn leftovers_and_shapes() {
        assert!(wire("fn f() { todo!() }")[0].contains("`todo!` is left over"));
        assert!(wire("unsafe fn f() {}")[0].contains("unsafe code"));
        assert!(wire(&"x\n".repeat(FILE_LINES))[0].contains("801 lines"));
        assert!(wire(&"x".repeat(101))[0].contains("101 characters"));
        assert!(problems(&[("it/src/lib.rs", "fn f() {}")])[0].contains("what the file is for"));
    }
}
