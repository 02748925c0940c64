//! `http-json client|hyper-server`: plain JSON over HTTP/1.1 keep-alive, `POST /Arith/Mul`. The
//! client is a raw closed loop, one connection and one request at a time for each caller; it knows
//! of HTTP what it needs to find the end of an answer, so that it costs as little as can be. The
//! server is what hyper's own guide shows, with serde_json for the bodies.

mod client;
mod hyper_server;

use load::{Fallible, Flags, exit, on_tokio};
use std::process::ExitCode;

const USAGE: &str = "usage: http-json client|hyper-server [-addr A] [-callers N] [-calls N] \
    [-workers N] [-pid P] [-plain]";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    exit(Flags::parse(args).and_then(|flags| run(&command, &flags)))
}

fn run(command: &str, flags: &Flags) -> Fallible<()> {
    match command {
        "client" => {
            let report = on_tokio(flags.workers, client::load(flags))?;
            println!("{report}");
            Ok(())
        }
        "hyper-server" => on_tokio(flags.workers, hyper_server::serve(&flags.addr)),
        _ => Err(USAGE.into()),
    }
}
