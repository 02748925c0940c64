//! The real peers, as child processes.

use farcall_it::services::Running;
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

/// Says which peer a test meets.
pub(crate) fn introduce(name: &str) {
    let said = Command::new(named(name)).arg("versions").output().expect("the peer runs");
    let text = String::from_utf8_lossy(&said.stdout).trim().replace('\n', ", ");
    println!("{name}: {text}");
}

/// Runs the cases of a peer's client against our example services; `flags` come after `client
/// FLAG ADDRESS`, where `to` is the flag. All must pass but those `excepted`, whole lines of the
/// report, and there must be `at_least` so many.
pub(crate) async fn calls_us(
    name: &str,
    to: &str,
    flags: &[&str],
    excepted: &[&str],
    at_least: usize,
) {
    farcall_cli::services::expect_panics();
    let running = Running::start(farcall_cli::services::all(1)).await;
    calls(name, running.url.trim_start_matches("rpcx://"), to, flags, excepted, at_least).await;
}

/// The same against any server, at `HOST:PORT`.
pub(crate) async fn calls(
    name: &str,
    address: &str,
    to: &str,
    flags: &[&str],
    excepted: &[&str],
    at_least: usize,
) {
    introduce(name);
    let mut client = tokio::process::Command::new(named(name));
    client.args(["client", to, address]).args(flags);
    let output = client.output().await.expect("the client runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> =
        text.lines().filter(|line| line.starts_with("FAIL") && !excepted.contains(line)).collect();
    assert!(failed.is_empty(), "{name} {flags:?}\n{}", failed.join("\n"));
    let passed = text.lines().filter(|line| line.starts_with("PASS")).count();
    println!("{name} {}: {passed} cases passed", flags.join(" "));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(passed >= at_least, "{name} {flags:?}: {passed} of {at_least} cases passed\n{said}");
}

/// A server of a peer's that runs until it is dropped.
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
        let common = ["-addr", "127.0.0.1:0", "-until-stdin-closes"];
        GoServer::with(program, &[&common[..], flags].concat(), protocol)
    }

    /// Starts another peer's with these flags alone; it must take a free port.
    pub(crate) fn with(program: &Path, flags: &[&str], protocol: &str) -> GoServer {
        let mut child = Command::new(program)
            .arg("server")
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdout = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("its first line");
        let address = line.trim().strip_prefix("listening on ").expect("its address").to_owned();
        GoServer { child, url: format!("{protocol}://{address}") }
    }
}

impl GoServer {
    /// Tells it to end, which it does when it has answered what runs.
    pub(crate) fn stop(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end; whether that was a good one.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for GoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
