//! Which crate may know which: the dependencies in every `Cargo.toml`, and, for the crates that
//! must not touch the world, the words they must not use.

use super::{Files, Findings, lexer};

/// What a crate may depend on; tests are free.
struct Layer {
    folder: &'static str,
    ours: &'static [&'static str],
    /// Crates of others; `None` if it may use any.
    others: Option<&'static [&'static str]>,
    /// Whether it knows no runtime, no socket, no clock.
    pure: bool,
}

const LAYERS: [Layer; 9] = [
    Layer { folder: "crates/farcall-core", ours: &[], others: Some(&["bytes"]), pure: true },
    Layer {
        folder: "crates/farcall-wire",
        ours: &["farcall-core"],
        others: Some(&["bytes", "flate2"]),
        pure: true,
    },
    Layer {
        folder: "crates/farcall-runtime",
        ours: &["farcall-core", "farcall-wire"],
        others: None,
        pure: false,
    },
    Layer {
        folder: "crates/farcall-macros",
        ours: &[],
        others: Some(&["proc-macro2", "quote", "syn"]),
        pure: false,
    },
    Layer {
        folder: "crates/farcall",
        ours: &["farcall-core", "farcall-wire", "farcall-runtime", "farcall-macros"],
        others: None,
        pure: false,
    },
    Layer { folder: "crates/farcall-cli", ours: &["farcall"], others: None, pure: false },
    Layer { folder: "it", ours: &["farcall", "farcall-cli"], others: None, pure: false },
    Layer {
        folder: "proof",
        ours: &["farcall", "farcall-cli", "farcall-it"],
        others: None,
        pure: false,
    },
    Layer { folder: "xtask", ours: &["farcall-core"], others: Some(&[]), pure: false },
];

/// Words of the world, and what is wrong with them.
const WORLD: [(&str, &str); 9] = [
    ("tokio", "a runtime"),
    ("std::net", "sockets"),
    ("TcpStream", "sockets"),
    ("UdpSocket", "sockets"),
    ("std::fs", "files"),
    ("thread::", "threads"),
    ("std::process", "processes"),
    ("Instant::now", "a clock; time is an argument"),
    ("SystemTime::now", "a clock; time is an argument"),
];

pub(super) fn check(files: &Files, findings: &mut Findings) {
    for (path, text) in files {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else { continue };
        match LAYERS.iter().find(|layer| layer.folder == folder) {
            Some(layer) => dependencies(layer, path, text, findings),
            // Programs of other projects live there, with dependencies of their own.
            None if ["bench", "fuzz", "peers"].iter().any(|at| folder.starts_with(at)) => {}
            None => findings.problem(path, 1, "give this crate a line in xtask/src/tidy/layers.rs"),
        }
    }
}

/// Whether the file belongs to a crate that must not touch the world.
pub(super) fn pure(path: &str) -> bool {
    LAYERS.iter().any(|layer| {
        let inside = path.strip_prefix(layer.folder);
        layer.pure && inside.is_some_and(|rest| rest.starts_with("/src/"))
    })
}

/// Which part of the world a line of code touches.
pub(super) fn touches(code: &str) -> Option<(&'static str, &'static str)> {
    WORLD.into_iter().find(|(word, _)| lexer::has(code, word) || grouped(code, word))
}

/// Whether a line like `use std::{fs, net::TcpStream}` names `std::fs`.
fn grouped(code: &str, word: &str) -> bool {
    match (code.split_once("std::{"), word.strip_prefix("std::")) {
        (Some((_, group)), Some(word)) => lexer::has(group, word),
        _ => false,
    }
}

fn dependencies(layer: &Layer, path: &str, text: &str, findings: &mut Findings) {
    for (line, name) in named(text) {
        if layer.ours.contains(&name) {
            continue;
        }
        if name.starts_with("farcall") {
            let may = if layer.ours.is_empty() { "none".into() } else { layer.ours.join(", ") };
            let text = format!("may not depend on {name}; of our crates, it may on {may}");
            findings.problem(path, line, text);
        } else if layer.others.is_some_and(|others| !others.contains(&name)) {
            let text = format!("may not depend on {name}; see xtask/src/tidy/layers.rs");
            findings.problem(path, line, text);
        }
    }
}

/// The dependencies in a `Cargo.toml`, without those of tests: line and name.
fn named(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default();
            let tests = section.contains("dev-dependencies");
            inside = section.ends_with("dependencies") && !tests;
            // [dependencies.name]
            if let Some((_, name)) = section.split_once("dependencies.")
                && !tests
            {
                found.push((at + 1, name));
            }
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if inside && !name.is_empty() && !name.starts_with('#') {
            found.push((at + 1, name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check(&Files::from([(path.to_owned(), text.to_owned())]), &mut findings);
        findings.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn wires_know_only_the_words() {
        let text = "[package]\n[dependencies]\nbytes.workspace = true\ntokio = \"1\"\n\
                    [dependencies.farcall-runtime]\n[dev-dependencies]\nrand = \"1\"\n";
        let found = problems("crates/farcall-wire/Cargo.toml", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/farcall-wire/Cargo.toml:4: may not depend on tokio"));
        assert!(found[1].contains(":5: may not depend on farcall-runtime"));
    }

    #[test]
    fn new_crates_are_asked_for_their_layer() {
        assert_eq!(problems("crates/new/Cargo.toml", "").len(), 1);
        assert!(problems("bench/new/Cargo.toml", "").is_empty());
    }

    #[test]
    fn the_world_is_seen_in_groups_too() {
        assert!(touches("use std::{fmt, fs};").is_some());
        assert!(touches("let t = Instant::now();").is_some());
        assert!(touches("use std::time::Instant;").is_none());
    }
}
