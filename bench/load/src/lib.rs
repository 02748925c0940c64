//! What every load program here shares: its flags, the closed loop, CPU clocks and the one line of
//! JSON at the end. Flags and line are those of `rpcx-peer bench-client`, so that one harness runs
//! them all.

mod closed;
mod cpu;
mod flags;
mod report;

pub use closed::{Caller, closed_loop};
pub use cpu::Meter;
pub use flags::{Flags, Payload};
pub use report::Report;

use std::{error::Error, future::Future, process::ExitCode};
use tokio::runtime::Builder;

/// Whatever went wrong ends the program.
pub type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Runs a program's main part on tokio as the flags want it: one worker is a current-thread
/// runtime, so that instruction counts hold no work stealing; otherwise tokio's own defaults.
pub fn on_tokio<T>(workers: Option<usize>, main: impl Future<Output = Fallible<T>>) -> Fallible<T> {
    let mut builder = match workers {
        Some(1) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()?.block_on(main)
}

/// Prints what went wrong, if anything did.
pub fn exit(result: Fallible<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
