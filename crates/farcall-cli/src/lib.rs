//! The hand tool of farcall, and the example services it serves.
//!
//! The binary `farcall` is one call of [`run`]. The example services are public so that integration
//! tests can serve them without starting a process.

mod args;
mod bench;
mod call;
mod curl;
mod demo;
mod doctor;
mod files;
pub mod kinds;
mod log;
mod ls;
pub mod message581;
mod output;
pub mod own;
mod secure;
mod serve;
pub mod services;
mod several;
mod shells;
mod style;
mod timed;
mod typed;

use args::{Command, Refusal};
use std::{ffi::OsString, process::ExitCode};
use tokio::runtime::Runtime;

/// Everything was done.
const DONE: u8 = 0;
/// A call failed, or an answer was wrong.
const FAILED: u8 = 1;
/// The command line makes no sense.
const USAGE: u8 = 2;
/// SIGINT, as shells count it: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// Runs the tool on a command line, the program's name included.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let code = match args::parse(line) {
        Ok(cli) => match cli.command {
            Command::Demo(args) => demo::run(args),
            Command::Serve(args) => serve::run(args),
            Command::Call(args) => call::run(args),
            Command::Bench(args) => bench::run(args),
            Command::Send(args) => files::send(args),
            Command::Fetch(args) => files::fetch(args),
            Command::Ls(args) => ls::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Completions(args) => shells::completions(args),
            Command::Man(args) => shells::man(args),
        },
        Err(Refusal::NotBuilt(name)) => usage(&format!("{name} is not built yet")),
        Err(Refusal::Clap(error)) => {
            // Help goes to standard output, mistakes to standard error; nobody is left to tell when
            // that fails.
            let _ = error.print();
            if error.use_stderr() { USAGE } else { DONE }
        }
    };
    ExitCode::from(code)
}

/// Says what is wrong with the command line.
fn usage(text: &str) -> u8 {
    output::error(text);
    USAGE
}

/// A runtime of so many threads, or of one per core.
fn runtime(workers: Option<usize>) -> Result<Runtime, u8> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    builder.enable_all().build().map_err(|error| {
        output::error(&format!("cannot start threads: {error}"));
        FAILED
    })
}

/// Waits for Ctrl-C; for ever where it cannot be had.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
