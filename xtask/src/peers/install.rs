//! What peers need that is no Go program: packages of Node and Python, put into `target/peers`, and
//! programs of the system, installed by `apt-get` where that is possible and they are missing.

use crate::{
    Done,
    proc::{capture, show},
    root,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program of the system that tests run.
struct Tool {
    program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// Makes it say its version.
    flag: &'static str,
}

const TOOLS: [Tool; 3] = [
    Tool { program: "nc", package: "netcat-openbsd", flag: "-h" },
    Tool { program: "curl", package: "curl", flag: "--version" },
    Tool { program: "chromium", package: "chromium", flag: "--version" },
];
const NODE: Tool = Tool { program: "node", package: "nodejs", flag: "--version" };
const NPM: Tool = Tool { program: "npm", package: "npm", flag: "--version" };
// With what makes environments, which Debian has in a package of its own.
const PYTHON: Tool = Tool { program: "python3", package: "python3-venv", flag: "--version" };

/// The programs that shell one-liners and browsers' tests run.
pub(super) fn tools() -> Done {
    for tool in &TOOLS {
        println!("  {}", need(tool)?);
    }
    Ok(())
}

/// What a program says about itself, once it is there.
fn need(tool: &Tool) -> Done<String> {
    if let Some(version) = version(tool) {
        return Ok(version);
    }
    let Tool { program, package, .. } = tool;
    apt(package).map_err(|error| format!("`{program}` is missing: {error}"))?;
    version(tool).ok_or_else(|| format!("{package} is installed and has no `{program}`").into())
}

/// Installs a Debian package, which root alone may do.
fn apt(package: &str) -> Done {
    println!("installing {package}");
    let run = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        show(&mut command)
    };
    // The lists may be old or not be there at all; where they cannot be had, those may do.
    let updated = run(&["update", "-qq"]);
    match (run(&["install", "-y", "-qq", "--no-install-recommends", package]), updated) {
        (Ok(()), _) => Ok(()),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(before)) => Err(format!("{before}; {error}").into()),
    }
}

/// The first line that it prints, on either output.
fn version(tool: &Tool) -> Option<String> {
    let output = Command::new(tool.program).arg(tool.flag).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().next().unwrap_or_default().trim().to_owned();
    Some(if line.contains(tool.program) { line } else { format!("{} {line}", tool.program) })
}

/// Installs the packages of `peers/node` and makes `node-peer`.
pub(super) fn node(home: &Path) -> Done {
    need(&NODE)?;
    need(&NPM)?;
    let (from, to) = (root().join("peers/node"), home.join("node"));
    fs::create_dir_all(&to)?;
    for name in ["package.json", "package-lock.json", "peer.js"] {
        fs::copy(from.join(name), to.join(name))?;
    }
    let lock = fs::read_to_string(to.join("package-lock.json"))?;
    once(&to, &lock, || {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        show(npm.current_dir(&to))
    })?;
    let script = to.join("peer.js");
    program(home, "node-peer", &[Path::new("node"), &script])
}

/// Installs the packages of `peers/python` and makes `python-peer`.
pub(super) fn python(home: &Path) -> Done {
    need(&PYTHON)?;
    let venv = home.join("python");
    let requirements = root().join("peers/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let python = venv.join("bin/python");
    let works = || Command::new(&python).arg("--version").output().is_ok();
    if !works() {
        // A folder that was moved, or whose Python has gone, is no use.
        let _ = fs::remove_dir_all(&venv);
        let make = || show(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        if make().is_err() {
            // Debian's Python comes without it.
            apt(PYTHON.package)?;
            make()?;
        }
    }
    once(&venv, &wanted, || {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        show(pip.arg(&requirements))
    })?;
    program(home, "python-peer", &[&python, &root().canonicalize()?.join("peers/python/peer.py")])
}

/// Does something for a folder, unless it was done for the same reason before.
fn once(folder: &Path, reason: &str, act: impl FnOnce() -> Done) -> Done {
    let note = folder.join("installed.txt");
    if fs::read_to_string(&note).is_ok_and(|before| before == reason) {
        return Ok(());
    }
    act()?;
    Ok(fs::write(note, reason)?)
}

/// Puts a program that runs these words, and what it is given, beside the others; names its
/// versions.
fn program(home: &Path, name: &str, words: &[&Path]) -> Done {
    let path: PathBuf = home.join("bin").join(name);
    fs::create_dir_all(home.join("bin"))?;
    let words: Vec<_> = words.iter().map(|word| format!("'{}'", word.display())).collect();
    fs::write(&path, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" ")))?;
    show(Command::new("chmod").arg("+x").arg(&path))?;
    for line in capture(Command::new(&path).arg("versions"))?.lines() {
        println!("  {line}");
    }
    Ok(())
}
