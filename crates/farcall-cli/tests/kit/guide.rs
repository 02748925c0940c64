//! The guide's snippets: what they are, and where their words come from.
//!
//! The first word behind a fence is the language, for whoever shows the page; the second one says
//! how the snippet is kept true:
//!
//! | fence | kept true by |
//! |---|---|
//! | `rust FILE`, `go FILE` | its lines stand in that file, which is compiled |
//! | `js FILE` | the same, and Chromium runs that file |
//! | `sh farcall` | being run, with `farcall` on the path and a server on port 8972 |
//! | `sh tools`, `python tools` | the same, where curl, nc and Python are there |
//! | `text output` | being what the snippet before it prints |

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The port that the guide calls; the tests put their own in its place.
const PORT: &str = "8972";

pub struct Snippet {
    /// The file and the line of the fence, for whoever must mend it.
    pub place: String,
    pub language: String,
    /// The second word.
    pub by: String,
    pub text: String,
    /// What it prints, where the guide says so.
    pub output: Option<String>,
}

/// The repository, from a crate's folder in it.
pub fn root(crate_folder: &str) -> PathBuf {
    let here = Path::new(crate_folder);
    let root = here.ancestors().find(|folder| folder.join("docs/guide").is_dir());
    root.expect("docs/guide is somewhere above").to_owned()
}

/// All snippets of all chapters. Outputs belong to what is before them.
pub fn snippets(root: &Path) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = Vec::new();
    let folder = fs::read_dir(root.join("docs/guide")).expect("docs/guide");
    let mut chapters: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    chapters.sort();
    for chapter in chapters {
        let name = chapter.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&chapter).expect("text");
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let Some(info) = line.strip_prefix("```") else {
                let other = ["```", "~~~"].iter().any(|fence| line.trim().starts_with(fence));
                assert!(!other, "docs/guide/{name}:{}: fences begin the line, with ```", at + 1);
                continue;
            };
            let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let text: String = body.flat_map(|line| [line, "\n"]).collect();
            let place = format!("docs/guide/{name}:{}", at + 1);
            let (language, by) = info.split_once(' ').unwrap_or((info, ""));
            if (language, by) == ("text", "output") {
                let before = found.last_mut().expect("a snippet before its output");
                assert!(before.output.is_none(), "{place}: a second output");
                before.output = Some(text);
                continue;
            }
            let (language, by) = (language.to_owned(), by.to_owned());
            found.push(Snippet { place, language, by, text, output: None });
        }
    }
    assert!(found.len() > 20, "the guide has shrunk: {} snippets", found.len());
    found
}

impl Snippet {
    /// Whether its lines stand in the file it names, one after the other, be they indented.
    pub fn stands_in(&self, root: &Path) -> Result<(), String> {
        let file = fs::read_to_string(root.join(&self.by))
            .map_err(|error| format!("{}: {}: {error}", self.place, self.by))?;
        let want: Vec<&str> = self.text.lines().collect();
        let lines: Vec<&str> = file.lines().collect();
        let indent = |line: &str| line.len() - line.trim_start().len();
        let found = lines.windows(want.len()).any(|lines| {
            let first = want.iter().position(|line| !line.is_empty()).unwrap_or(0);
            let deeper = indent(lines[first]).saturating_sub(indent(want[first]));
            want.iter().zip(lines).all(|(want, line)| {
                line.get(deeper..).unwrap_or_default() == *want
                    && line.get(..deeper).is_none_or(|start| start.trim().is_empty())
            })
        });
        match found {
            true => Ok(()),
            false => Err(format!("{}: its lines do not stand in {}", self.place, self.by)),
        }
    }

    /// Runs it against the server at this port and compares what it prints.
    pub fn run(&self, port: &str, path: Option<&Path>) {
        let place = &self.place;
        let text = self.text.replace(PORT, port);
        let (program, flags) = match self.language.as_str() {
            "sh" => ("sh", ["-euc", text.as_str()]),
            "python" => ("python3", ["-c", text.as_str()]),
            other => panic!("{place}: {other} cannot be run"),
        };
        let mut command = Command::new(program);
        command.args(flags).stdin(Stdio::null()).env_remove("FARCALL_LOG");
        if let Some(folder) = path {
            let others = std::env::var_os("PATH").unwrap_or_default();
            let folders = [folder.to_owned()].into_iter().chain(std::env::split_paths(&others));
            command.env("PATH", std::env::join_paths(folders).expect("a path"));
        }
        let output = command.output().unwrap_or_else(|error| panic!("{place}: {program}: {error}"));
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(port, PORT);
        let (out, err) = (said(&output.stdout), said(&output.stderr));
        assert!(output.status.success(), "{place}: {}\n{out}{err}", output.status);
        if let Some(want) = &self.output {
            assert_eq!(out.trim_end(), want.trim_end(), "{place}: {err}");
        }
    }
}
