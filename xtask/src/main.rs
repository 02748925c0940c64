//! `cargo xtask COMMAND`: the chores of this repository. Each command is one module; all of them
//! use the standard library alone, so that a chore is ready as soon as the compiler is.

// A program for people: what it prints is what it does.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod accept;
mod bench;
mod callgrind;
mod codecs;
mod fuzz;
mod guide;
mod ledger;
mod peers;
mod proc;
mod table;
mod tidy;

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Whatever went wrong is printed and ends the command.
type Done<T = ()> = Result<T, Box<dyn Error>>;

const HELP: &str = "\
usage: cargo xtask COMMAND

  tidy [--fix]       checks what the compiler does not: layers, line lengths, dead files,
                     panics, unsafe code, leftovers (also run by cargo test);
                     --fix fills comments anew that are too wide
  peers              builds the other implementations (needs Go, Node and Python) and runs
                     the tests that talk to them; then fuzzes for a minute
  fuzz [--seconds N] [--jobs N] [TARGET…]
                     builds the targets in fuzz/ and runs each for N seconds (60 by default)
                     on inputs that are made to reach all code (needs a C++ compiler);
                     --minimise N adds to fuzz/seeds at most N inputs of what earlier runs
                     found for each, and runs nothing
  ledger [--check] [--quick]
                     counts instructions, allocations and system calls per call and writes
                     docs/ledger.md (needs valgrind, strace for system calls);
                     --check fails if a floor is missed, --quick leaves out the codecs
  bench [--rounds N] [--quick] [--only WORD] [--check]
                     measures CPU time and latency side by side with Go's rpcx and net/rpc,
                     with hyper and with bare sockets, and writes docs/bench.md (needs Go);
                     --only runs the tables whose headings have the word, --check fails if a
                     call costs more than is wanted
  codecs             compares the message formats and writes the table of
                     docs/guide/codecs.md (needs valgrind)
  accept ID… [--seconds N] [--seed N] [--debug]
                     decides criteria of reliability and security with the proof kit and
                     prints a line of JSON for each, `all` of them; --seconds makes them
                     shorter and their crowds smaller, --debug takes a debug build, which is
                     there after the tests; see docs/promises.md
  guide [--check]    writes the table of limits of docs/guide/limits.md from the
                     documentation of Limits; --check fails if it is not up to date
                     (also run by cargo test)
  help               this text";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (command, flags) = match args.split_first() {
        Some((command, flags)) => (command.as_str(), flags),
        None => ("help", &[][..]),
    };
    let result = match command {
        "accept" => accept::run(flags),
        "tidy" => tidy::run(flags),
        "peers" => peers::run(flags),
        "fuzz" => fuzz::run(flags),
        "ledger" => ledger::run(flags),
        "bench" => bench::run(flags),
        "codecs" => codecs::run(flags),
        "guide" => guide::run(flags),
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            Ok(())
        }
        _ => {
            eprintln!("xtask: there is no command {command:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {command}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The repository.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo puts what it builds from the workspace in `folder`.
fn target(folder: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from)
}

/// Refuses flags that a command does not know; says which are given.
fn known(flags: &[String], known: &[&str]) -> Done {
    match flags.iter().find(|flag| !known.contains(&flag.as_str())) {
        Some(flag) => Err(format!("there is no flag {flag:?}; see cargo xtask help").into()),
        None => Ok(()),
    }
}

/// The version of a crate in a `Cargo.lock`.
fn locked(lock: &str, name: &str) -> String {
    let name = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    version.map_or_else(|| "?".to_owned(), |version| version.trim_matches('"').to_owned())
}
