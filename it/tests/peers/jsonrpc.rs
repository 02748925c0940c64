//! JSON-RPC against Go's own `net/rpc/jsonrpc`, both ways. It speaks 1.0; the cases of 2.0 are
//! written to the socket by the same program.

use crate::go_peer::{GoServer, calls_us, named};
use farcall::{Client, Code, Origin, Result, json};
use farcall_cli::{
    kinds::Kinds,
    message581::BenchmarkMessage,
    services::{Args, ArithClient, EchoClient, FailArgs, HelloServiceClient, SleepArgs},
};
use std::time::Duration;

/// What Go refuses and farcall reads: integers in quotes, as other dialects of JSON write those
/// that do not fit a float.
pub(crate) const LENIENT: &str = "FAIL error/json/string-for-int: no error";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_us_in_every_case() {
    calls_us("netrpc-peer", "-addr", &["-codec", "json", "-timeout", "25s"], &[LENIENT], 89).await;
}

fn go() -> (GoServer, String) {
    let go = GoServer::of(&named("netrpc-peer"), &["-codec", "json"], "jsonrpc");
    let url = format!("{}?version=1", go.url);
    (go, url)
}

#[tokio::test]
async fn we_call_go() -> Result<()> {
    let (_go, url) = go();
    let client = Client::connect(&url).await?;
    let arith = ArithClient::from_client(client.clone());
    let hello = HelloServiceClient::from_client(client.clone());
    let echo = EchoClient::from_client(client.clone());
    assert_eq!(arith.mul(Args { a: 6, b: 7 }).await?.c, 42);
    assert_eq!(arith.multiply(Args { a: 6, b: -7 }).await?, -42);
    assert_eq!(arith.divide(Args { a: 17, b: 5 }).await?.rem, 2);
    assert_eq!(hello.say_hello("Gö <&> \u{2028}".into()).await?, "Hello World:Gö <&> \u{2028}");
    let message = BenchmarkMessage::sample();
    assert_eq!(echo.echo(message.clone()).await?, message);
    assert_eq!(echo.kinds(Kinds::sample()).await?, Kinds::sample());
    for size in [0, 1, 65_536, 2 << 20] {
        let body: bytes::Bytes = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        assert!(echo.bytes(body.clone()).await? == body, "{size} bytes");
    }
    let reply = client.call("Arith.Mul", json!({"A": 6, "B": 7})).await?;
    assert_eq!(reply, json!({"C": 42}));
    Ok(())
}

#[tokio::test]
async fn gos_failures() -> Result<()> {
    let (_go, url) = go();
    let client = Client::connect(&url).await?;
    let arith = ArithClient::from_client(client.clone());
    let echo = EchoClient::from_client(client.clone());
    let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
    assert_eq!((status.text(), status.origin()), ("divide by zero", Origin::Remote));
    let fail = FailArgs { code: 5, message: "kein Döner".into() };
    assert_eq!(echo.fail(fail).await.expect_err("a failure").text(), "kein Döner");
    for (name, text) in [
        ("Nobody.Home", "rpc: can't find service Nobody.Home"),
        ("Arith.Nothing", "rpc: can't find method Arith.Nothing"),
        ("Nothing", "rpc: service/method request ill-formed: Nothing"),
    ] {
        let status = client.call(name, json!({})).await.expect_err("unknown");
        assert_eq!((status.text(), status.code()), (text, Code::Unimplemented));
    }
    let status = client.call("Arith.Mul", json!({"A": "six"})).await.expect_err("not a number");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(arith.mul(Args { a: 2, b: 3 }).await?.c, 6);
    // Go answers one-way calls too: its answers go nowhere.
    for a in 0..50 {
        arith.divide(Args { a, b: 0 }).oneway().await?;
        assert_eq!(arith.mul(Args { a, b: 3 }).await?.c, 3 * a);
    }
    let slow = echo.sleep(SleepArgs { ms: 200 }).deadline(Duration::from_millis(40));
    assert_eq!(slow.await.expect_err("too late").code(), Code::DeadlineExceeded);
    for a in 0..50 {
        assert_eq!(arith.mul(Args { a, b: 3 }).await?.c, 3 * a);
        tokio::time::sleep(Duration::from_millis(6)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_on_one_connection_to_go() -> Result<()> {
    let (_go, url) = go();
    let client = Client::connect(&url).await?;
    let callers = (0..64i64).map(|caller| {
        let arith = ArithClient::from_client(client.clone());
        let echo = EchoClient::from_client(client.clone());
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
