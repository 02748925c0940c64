//! The real rpcx-rs, as a peer in farcall's tests: a server and a client made of its crates.

mod client;
mod messages;
mod server;

use std::process::ExitCode;

const USAGE: &str = "usage:
  rpcxrs-peer server -addr 127.0.0.1:0 [-until-stdin-closes]
  rpcxrs-peer client -addr HOST:PORT [-case NAME]
  rpcxrs-peer versions";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).cloned()
    };
    match words.first().map(String::as_str) {
        Some("server") => {
            let address = flag("-addr").unwrap_or_else(|| "127.0.0.1:0".to_owned());
            server::run(&address, words.iter().any(|word| word == "-until-stdin-closes"))
        }
        Some("client") => match flag("-addr") {
            Some(address) => client::run(&address, flag("-case").as_deref().unwrap_or("all")),
            None => wrong(),
        },
        Some("versions") => {
            println!("rpcx_client, rpcx_server, rpcx_protocol, rpcx_derive {}", version());
            ExitCode::SUCCESS
        }
        _ => wrong(),
    }
}

/// What `Cargo.lock` pins, as `Cargo.toml` does.
fn version() -> &'static str {
    let (_, rest) = include_str!("../Cargo.lock").split_once("name = \"rpcx_client\"").expect("it");
    rest.split('"').nth(1).expect("a version")
}

fn wrong() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
