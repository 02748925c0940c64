//! What the tests of the binary share: running it, and a server to run it against.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses some of it")]

pub mod guide;

use farcall::{Format, Value, format::decode_from};
use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

pub fn farcall(args: &[&str]) -> Output {
    let output = command(args).stdin(Stdio::null()).output();
    output.expect("the binary runs")
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farcall"));
    command.args(args).env_remove("NO_COLOR").env_remove("FARCALL_LOG");
    command.env_remove("FARCALL_LIMITS");
    command
}

pub fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

pub fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

pub fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

pub fn json(text: &str) -> Value {
    decode_from(Format::Json, text.trim().as_bytes()).expect(text)
}

/// `farcall serve` on a free port, until it is dropped.
pub struct Served {
    pub child: Child,
    out: BufReader<ChildStdout>,
    pub address: String,
}

impl Served {
    pub fn start(more: &[&str]) -> Served {
        let mut args = vec!["serve", "--listen", "tcp://127.0.0.1:0"];
        args.extend(more);
        Served::run(command(&args))
    }

    pub fn run(mut command: Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on tcp://").expect(&line).to_owned();
        Served { child, out, address }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    pub fn url(&self, path: &str) -> String {
        format!("rpcx://{}/{path}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
