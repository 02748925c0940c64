//! The page of metrics, read by Prometheus's own client library for Python.

use crate::go_peer::named;
use farcall::{Client, Limits, Metrics, Result, Value};
use farcall_it::services::{Args, ProbeClient, Running, probe};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_reads_our_page() -> Result<()> {
    let metrics = Metrics::new();
    let running = Running::start(probe(Limits::default()).plug(metrics.clone())).await;
    for protocol in ["rpcx", "http", "jsonrpc", "netrpc"] {
        let client = Client::connect(running.url.replace("rpcx", protocol)).await?;
        client.call("Evil\"\\.N\n", Value::Null).await.expect_err("there is no such method");
        let probe = ProbeClient::from_client(client);
        probe.mul(Args { a: 6, b: 7 }).await?;
        probe.sleep(2).await?;
        probe.fail(5, "no".into()).await.expect_err("a failure");
    }
    let bound = metrics.listen("http://127.0.0.1:0").await?;
    let address = bound.addresses()[0].replace("tcp://", "");
    let _page = Running::over(String::new(), bound);
    let read = Command::new(named("python-peer")).args(["metrics", "--addr", &address]).output();
    let read = read.await.expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success(), "{err}");
    for want in [
        r#"["counter", "farcall_server_calls_total", {"service": "Probe", "method": "Mul", "#,
        r#"["gauge", "farcall_server_calls_in_flight", {"service": "Probe", "#,
        r#"["histogram", "farcall_server_call_duration_seconds_bucket", {"service": "Probe", "#,
        r#""protocol": "netrpc", "le": "+Inf"}, 1]"#,
        r#"["counter", "farcall_server_connections_total", {"protocol": "rpcx"}, 1]"#,
        r#"{"service": "unknown", "method": "unknown", "protocol": "jsonrpc", "#,
    ] {
        assert!(out.contains(want), "{want} is not in\n{out}");
    }
    assert!(!out.contains("Evil"), "{out}");
    Ok(())
}
