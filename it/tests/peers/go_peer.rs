//! The real Go peers, as child processes.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The program, as `cargo xtask peers` built it.
pub(crate) fn program() -> PathBuf {
    named("rpcx-peer")
}

/// Another peer's program.
pub(crate) fn named(name: &str) -> PathBuf {
    let folder = std::env::var_os("FARCALL_PEERS_BIN").expect(
        "FARCALL_PEERS_BIN names the folder of peers: run these tests by `cargo xtask peers`",
    );
    let program = PathBuf::from(folder).join(name);
    assert!(program.exists(), "{} is missing: `cargo xtask peers` builds it", program.display());
    program
}

/// A Go server that runs until it is dropped.
pub(crate) struct GoServer {
    child: Child,
    /// `rpcx://127.0.0.1:PORT`
    pub(crate) url: String,
}

impl GoServer {
    /// Starts it on a free port.
    pub(crate) fn start() -> GoServer {
        GoServer::of(&program(), &[], "rpcx")
    }

    /// Starts another peer's, with more flags, to be called by this protocol.
    pub(crate) fn of(program: &Path, flags: &[&str], protocol: &str) -> GoServer {
        let mut child = Command::new(program)
            .args(["server", "-addr", "127.0.0.1:0", "-until-stdin-closes"])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Go server starts");
        let stdout = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("its first line");
        let address = line.trim().strip_prefix("listening on ").expect("its address").to_owned();
        GoServer { child, url: format!("{protocol}://{address}") }
    }
}

impl Drop for GoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
