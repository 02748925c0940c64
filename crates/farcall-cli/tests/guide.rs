//! The guide is true: every snippet is compiled or run. What needs curl, nc or Python is run with
//! the real peers (`it/tests/peers/guide.rs`).

mod kit;

use kit::{
    Served,
    guide::{root, snippets},
};
use std::path::Path;

#[test]
fn every_snippet_is_kept_true_by_something() {
    let root = root(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for snippet in snippets(&root) {
        let compiled = |folders: &[&str]| {
            let known = folders.iter().any(|folder| snippet.by.starts_with(folder));
            match known {
                true => snippet.stands_in(&root),
                false => Err(format!("{}: `{}` is not compiled", snippet.place, snippet.by)),
            }
        };
        let kept = match (snippet.language.as_str(), snippet.by.as_str()) {
            // All of these are built by `cargo test --workspace` and `cargo xtask peers`.
            ("rust", _) => compiled(&["examples/", "crates/", "it/"]),
            ("go", _) => compiled(&["peers/"]),
            ("js", _) => compiled(&["it/tests/peers/"]),
            ("sh", "farcall" | "tools") | ("python", "tools") => Ok(()),
            _ => Err(format!("{}: nothing keeps this snippet true", snippet.place)),
        };
        wrong.extend(kept.err());
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[cfg(unix)]
#[test]
fn shell_snippets_run() {
    let served = Served::start(&[]);
    let (_, port) = served.address.rsplit_once(':').expect("a port");
    let folder = Path::new(env!("CARGO_BIN_EXE_farcall")).parent();
    let root = root(env!("CARGO_MANIFEST_DIR"));
    let all = snippets(&root);
    let run = all.iter().filter(|s| (s.language.as_str(), s.by.as_str()) == ("sh", "farcall"));
    let count = run.map(|snippet| snippet.run(port, folder)).count();
    assert!(count >= 5, "the guide has shrunk: {count} snippets for the shell");
}
