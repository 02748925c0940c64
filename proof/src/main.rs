//! `farcall-proof accept ID…` decides criteria and prints a line of JSON for each; `serve` is the
//! server that they start, `tool` the hand tool. See `cargo xtask accept`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use farcall_proof::{criteria, service};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let done = match command {
        "serve" => service::serve(rest).map(|()| true),
        "accept" => criteria::accept(rest),
        "tool" => return farcall_cli::run(env::args_os().skip(1)),
        _ => Err("usage: farcall-proof accept ID… [--seconds N] [--seed N]".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("farcall-proof {command}: {error}");
            ExitCode::from(2)
        }
    }
}
