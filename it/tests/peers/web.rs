//! JSON-RPC 2.0 posted to `/jsonrpc` by clients that others wrote: Go's powerman, Node's jayson and
//! `fetch`, Python's `http.client` with jsonrpcclient, and `curl`.

use crate::go_peer::calls_us;
use farcall_it::services::Running;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn powerman_posts_to_us() {
    calls_us("jsonrpc-peer", "-addr", &["-lib", "powerman-http"], &[], 14).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jayson_posts_to_us() {
    calls_us("node-peer", "--addr", &["--lib", "jayson-http"], &[], 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_posts_to_us() {
    calls_us("node-peer", "--addr", &["--lib", "fetch"], &[], 8).await;
}

/// One connection for all calls, and ten requests in one write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_posts_to_us() {
    calls_us("python-peer", "--addr", &["--lib", "http.client"], &[], 9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_posts_to_us() {
    let running = Running::start(farcall_cli::services::all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    let one = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":6,"B":7},"id":1}"#;
    let note = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":6,"B":7}}"#;
    let old = r#"{"method":"Arith.Mul","params":[{"A":6,"B":7}],"id":1}"#;
    let url = format!("http://{address}/jsonrpc");
    let answer = r#"{"jsonrpc":"2.0","result":{"C":42},"id":1}"#;
    for (more, body, says) in [
        (&[][..], one, answer),
        (&["-H", "Content-Type: application/json"], one, answer),
        (&["-H", "Content-Type: application/json; charset=utf-8"], one, answer),
        (&["-H", "Content-Type:"], one, answer),
        (&["-H", "Transfer-Encoding: chunked"], one, answer),
        (&["-w", "%{http_code}"], note, "204"),
        (&[], old, r#"{"id":1,"result":{"C":42},"error":null}"#),
    ] {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--max-time", "30"]).args(more).args(["--data", body, &url]);
        let output = curl.output().await.expect("curl is installed");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), says, "{more:?} {body}");
    }
}
