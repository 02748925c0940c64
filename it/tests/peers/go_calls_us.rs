//! Go's client runs its whole matrix against our server: every codec, compression, error, one-way
//! call, heartbeat and time-out.

use crate::go_peer::program;
use farcall_it::services::Running;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_matrix() {
    farcall_cli::services::expect_panics();
    let running = Running::start(farcall_cli::services::all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    let run = Command::new(program()).args(["client", "-addr", address, "-case", "all"]).output();
    let output = run.await.expect("the Go client runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> = text.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert!(failed.is_empty() && output.status.success(), "{}", failed.join("\n"));
    let passed = text.lines().filter(|line| line.starts_with("PASS")).count();
    println!("rpcx-go v1.9.4 called farcall: {passed} cases passed");
    assert!(passed >= 163, "the matrix has shrunk: {passed} cases");
}
