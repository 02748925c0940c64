//! JSON-RPC 2.0 against libraries that others wrote: over TCP Go's powerman/rpc-codec and
//! sourcegraph/jsonrpc2, Node's jayson, Python's jsonrpcclient on a plain socket; over HTTP
//! powerman and jayson too, Go's gorilla/rpc and Python's jsonrpcserver. Their clients call us, and
//! we call their servers.

use crate::go_peer::{GoServer, calls_us, introduce, named};
use bytes::Bytes;
use farcall::{Client, Code, Origin, Result, json};
use farcall_cli::{
    kinds::Kinds,
    message581::BenchmarkMessage,
    services::{Args, ArithClient, EchoClient, FailArgs, HelloServiceClient, Quotient, SleepArgs},
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn powerman_calls_us() {
    calls_us("jsonrpc-peer", "-addr", &["-lib", "powerman"], &[], 14).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sourcegraph_calls_us() {
    calls_us("jsonrpc-peer", "-addr", &["-lib", "sourcegraph"], &[], 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jayson_calls_us() {
    calls_us("node-peer", "--addr", &["--lib", "jayson-tcp"], &[], 9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_calls_us() {
    calls_us("python-peer", "--addr", &["--lib", "socket"], &[], 8).await;
}

/// What is peculiar to a server.
struct Peculiar {
    /// Whether it refuses arguments of the wrong type, and calls them that.
    checks_types: bool,
    /// Whether integers beyond 2^53 survive it: JavaScript has floats alone.
    whole: bool,
    /// Whether it takes calls while others wait.
    at_once: bool,
}

async fn everything(url: &str, peculiar: Peculiar) -> Result<()> {
    let client = Client::connect(url).await?;
    let arith = ArithClient::from_client(client.clone());
    let hello = HelloServiceClient::from_client(client.clone());
    let echo = EchoClient::from_client(client.clone());
    for (a, b) in [(6, 7), (0, 0), (-3, 5), (1 << 20, 1 << 20)] {
        assert_eq!(arith.mul(Args { a, b }).await?.c, a * b);
    }
    assert_eq!(arith.multiply(Args { a: 6, b: -7 }).await?, -42);
    assert_eq!(arith.divide(Args { a: 17, b: -5 }).await?, Quotient { quo: -3, rem: 2 });
    for name in ["", "Gö <&> \u{2028}\"\\", "🦀", &"x".repeat(70_000)] {
        assert_eq!(hello.say_hello(name.into()).await?, format!("Hello World:{name}"));
    }
    if peculiar.whole {
        let a = (1 << 53) + 1;
        assert_eq!(arith.multiply(Args { a, b: 3 }).await?, 3 * a);
    }
    let message = BenchmarkMessage::sample();
    assert_eq!(echo.echo(message.clone()).await?, message);
    let kinds = Kinds { i64: 5, u64: 6, ..Kinds::sample() };
    let kinds = Kinds { map: [("a".to_owned(), 1)].into(), span: 7, ..kinds };
    let back = echo.kinds(kinds.clone()).await?;
    assert_eq!((back.text, back.blob, back.at), (kinds.text, kinds.blob, kinds.at));
    for size in [0, 1, 1000, 300_000] {
        let body: Bytes = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        assert!(echo.bytes(body.clone()).await? == body, "{size} bytes");
    }
    echo.sleep(SleepArgs { ms: 1 }).await?;
    assert_eq!(client.call("Arith.Mul", json!({"A": 6, "B": 7})).await?, json!({"C": 42}));

    // Failures cost their call alone.
    let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
    assert_eq!((status.text(), status.origin()), ("divide by zero", Origin::Remote));
    let fail = FailArgs { code: 5, message: "kein Döner".into() };
    assert_eq!(echo.fail(fail).await.expect_err("a failure").text(), "kein Döner");
    for name in ["Arith.Nothing", "Nobody.Home"] {
        let status = client.call(name, json!({})).await.expect_err(name);
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
    }
    if peculiar.checks_types {
        let status = client.call("Arith.Mul", json!({"A": "six"})).await.expect_err("no number");
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
    // Notifications are not answered, not even with an error.
    for a in 0..20 {
        arith.divide(Args { a, b: 0 }).oneway().await?;
        assert_eq!(arith.multiply(Args { a, b: 3 }).await?, 3 * a);
    }
    let slow = echo.sleep(SleepArgs { ms: 200 }).deadline(Duration::from_millis(40));
    assert_eq!(slow.await.expect_err("too late").code(), Code::DeadlineExceeded);

    let callers = if peculiar.at_once { 32 } else { 4 };
    let callers = (0..callers).map(|caller: i64| {
        let (arith, echo) = (arith.clone(), echo.clone());
        tokio::spawn(async move {
            for round in 0..20 {
                echo.sleep(SleepArgs { ms: (caller * 7 + round) % 11 }).await?;
                assert_eq!(arith.mul(Args { a: caller, b: round }).await?.c, caller * round);
            }
            Ok::<(), farcall::Status>(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no panic")?;
    }
    Ok(())
}

/// Go's `net/rpc` under another codec. It takes params by name for structs alone.
#[tokio::test]
async fn we_call_powerman() -> Result<()> {
    introduce("jsonrpc-peer");
    let server = GoServer::of(&named("jsonrpc-peer"), &["-lib", "powerman"], "jsonrpc");
    everything(&server.url, Peculiar { checks_types: true, whole: true, at_once: true }).await
}

#[tokio::test]
async fn we_call_sourcegraph() -> Result<()> {
    let server = GoServer::of(&named("jsonrpc-peer"), &["-lib", "sourcegraph"], "jsonrpc");
    everything(&server.url, Peculiar { checks_types: true, whole: true, at_once: true }).await
}

#[tokio::test]
async fn we_call_jayson() -> Result<()> {
    introduce("node-peer");
    let flags = ["--lib", "jayson-tcp", "--until-stdin-closes"];
    let server = GoServer::with(&named("node-peer"), &flags, "jsonrpc");
    everything(&server.url, Peculiar { checks_types: false, whole: false, at_once: true }).await
}

/// Go's powerman over HTTP, wherever it is asked.
#[tokio::test]
async fn we_call_powerman_over_http() -> Result<()> {
    let flags = ["-lib", "powerman-http"];
    let server = GoServer::of(&named("jsonrpc-peer"), &flags, "jsonrpc+http");
    let peculiar = Peculiar { checks_types: true, whole: true, at_once: true };
    everything(&format!("{}?path=/", server.url), peculiar).await
}

/// Gorilla calls wrong arguments an invalid request (-32600); its text tells.
#[tokio::test]
async fn we_call_gorilla() -> Result<()> {
    let server = GoServer::of(&named("jsonrpc-peer"), &["-lib", "gorilla"], "jsonrpc+http");
    everything(&server.url, Peculiar { checks_types: true, whole: true, at_once: true }).await
}

#[tokio::test]
async fn we_call_jayson_over_http() -> Result<()> {
    let flags = ["--lib", "jayson-http", "--until-stdin-closes"];
    let server = GoServer::with(&named("node-peer"), &flags, "jsonrpc+http");
    everything(&server.url, Peculiar { checks_types: false, whole: false, at_once: true }).await
}

/// Python's own server answers one connection at a time, by HTTP/1.0, and tells no length.
#[tokio::test]
async fn we_call_jsonrpcserver() -> Result<()> {
    introduce("python-peer");
    let flags = ["--until-stdin-closes"];
    let server = GoServer::with(&named("python-peer"), &flags, "jsonrpc+http");
    everything(&server.url, Peculiar { checks_types: false, whole: true, at_once: false }).await
}
