//! The guide's snippets for other languages and tools, against a server of ours: what Go, curl, nc
//! and Python do with it is what the guide says.

#[path = "../../../crates/farcall-cli/tests/kit/guide.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the hand tool")]
mod snippets;

use crate::go_peer::named;
use farcall_it::services::Running;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_print_what_the_guide_says() {
    let running = Running::start(farcall_cli::services::all(1).list_services()).await;
    let (_, port) = running.url.rsplit_once(':').expect("a port");
    let root = snippets::root(env!("CARGO_MANIFEST_DIR"));
    let port = port.to_owned();
    let run = tokio::task::spawn_blocking(move || {
        let all = snippets::snippets(&root);
        let run = all.iter().filter(|snippet| snippet.by == "tools");
        run.map(|snippet| snippet.run(&port, None)).count()
    });
    let count = run.await.expect("all of them");
    assert!(count >= 5, "the guide has shrunk: {count} snippets for tools");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_as_the_guide_says() {
    let running = Running::start(farcall_cli::services::all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    for peer in ["rpcx-peer", "netrpc-peer"] {
        let run = Command::new(named(peer)).args(["guide", address]).output();
        let output = run.await.expect("it runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n", "{peer}: {output:?}");
    }
}
