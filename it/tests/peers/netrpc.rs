//! Go's standard library, `net/rpc` with gob: its client against our server, and ours against its.

use crate::go_peer::{GoServer, named};
use bytes::Bytes;
use farcall::{Client, Code, Origin, Result, json};
use farcall_cli::{
    kinds::Kinds,
    message581::BenchmarkMessage,
    services::{Args, ArithClient, EchoClient, FailArgs, HelloServiceClient, Quotient, SleepArgs},
};
use farcall_it::services::Running;
use std::time::Duration;
use tokio::process::Command;

fn go_server() -> GoServer {
    GoServer::of(&named("netrpc-peer"), &["-codec", "gob"], "netrpc")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_matrix() {
    farcall_cli::services::expect_panics();
    let running = Running::start(farcall_cli::services::all(1).debug_rpc()).await;
    let address = running.url.trim_start_matches("rpcx://");
    // Plainly, and behind a CONNECT.
    for (more, least) in [(&[][..], 74), (&["-http"], 80)] {
        let flags = ["client", "-addr", address, "-codec", "gob"];
        let run = Command::new(named("netrpc-peer")).args(flags).args(more).output();
        let output = run.await.expect("the Go client runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let failed: Vec<_> = text.lines().filter(|line| line.starts_with("FAIL")).collect();
        assert!(failed.is_empty() && output.status.success(), "{}", failed.join("\n"));
        let passed = text.lines().filter(|line| line.starts_with("PASS")).count();
        println!("Go's net/rpc called farcall: {passed} cases passed {more:?}");
        assert!(passed >= least, "the matrix has shrunk: {passed} cases");
    }
}

#[tokio::test]
async fn calls_with_every_kind_of_value() -> Result<()> {
    let go = go_server();
    let client = Client::connect(&go.url).await?;
    let arith = ArithClient::from_client(client.clone());
    let echo = EchoClient::from_client(client.clone());
    // Twice: the second time both ends know all types.
    for _ in 0..2 {
        for (a, b) in [(6, 7), (0, 0), (-1, i64::from(i32::MAX)), (1 << 31, 1 << 31)] {
            assert_eq!(arith.mul(Args { a, b }).await?.c, a.wrapping_mul(b));
        }
        assert_eq!(arith.multiply(Args { a: 6, b: -7 }).await?, -42);
        assert_eq!(arith.divide(Args { a: 17, b: 5 }).await?, Quotient { quo: 3, rem: 2 });
        let sample = BenchmarkMessage::sample();
        assert_eq!(echo.echo(sample.clone()).await?, sample);
        let long = BenchmarkMessage { field1: "许多往事".repeat(500), ..sample };
        assert_eq!(echo.echo(long.clone()).await?, long);
        let kinds = Kinds::sample();
        assert_eq!(echo.kinds(kinds.clone()).await?, kinds);
        let hello = HelloServiceClient::from_client(client.clone());
        assert_eq!(hello.say_hello("Gö <&>".into()).await?, "Hello World:Gö <&>");
        echo.sleep(SleepArgs { ms: 1 }).await?;
        for size in [0, 1, 127, 128, 65_536, 2 << 20] {
            let body: Bytes = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            assert!(echo.bytes(body.clone()).await? == body, "{size} bytes");
        }
        let reply = client.call("Arith.Mul", json!({"A": 6, "B": 7})).await?;
        assert_eq!(reply, json!({"C": 42}));
        let reply = client.call("Arith.Multiply", json!({"B": 7})).await?;
        assert_eq!(reply, json!(0));
    }
    Ok(())
}

#[tokio::test]
async fn failures_cost_their_call_alone() -> Result<()> {
    let go = go_server();
    let client = Client::connect(&go.url).await?;
    let arith = ArithClient::from_client(client.clone());
    let echo = EchoClient::from_client(client.clone());
    let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
    assert_eq!((status.text(), status.origin()), ("divide by zero", Origin::Remote));
    let fail = FailArgs { code: 5, message: "kein Döner".into() };
    assert_eq!(echo.fail(fail).await.expect_err("a failure").text(), "kein Döner");
    for (name, text) in [
        ("Arith.Nothing", "rpc: can't find method Arith.Nothing"),
        ("Nobody.Home", "rpc: can't find service Nobody.Home"),
        ("Nobody", "rpc: service/method request ill-formed: Nobody"),
    ] {
        let status = client.call(name, json!({})).await.expect_err(name);
        assert_eq!((status.text(), status.code()), (text, Code::Unimplemented));
    }
    let status = client.call("Arith.Mul", json!({"A": "x"})).await.expect_err("a mismatch");
    assert!(status.text().starts_with("gob: "), "{status}");
    // A reply that does not fit is our affair: Go's client would shut the connection down.
    let wrong = client.call_as::<Args, String>("Arith.Mul", Args { a: 1, b: 1 });
    let status = wrong.await.expect_err("a mismatch");
    assert_eq!(status.origin(), Origin::Local);
    let slow = echo.sleep(SleepArgs { ms: 300 }).deadline(Duration::from_millis(40));
    assert_eq!(slow.await.expect_err("too late").code(), Code::DeadlineExceeded);
    assert_eq!(arith.mul(Args { a: 2, b: 3 }).await?.c, 6);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_on_one_connection() -> Result<()> {
    let go = go_server();
    let client = Client::connect(&go.url).await?;
    let (arith, echo) = (ArithClient::from_client(client.clone()), EchoClient::from_client(client));
    let callers = (0..64i64).map(|caller| {
        let (arith, echo) = (arith.clone(), echo.clone());
        tokio::spawn(async move {
            for round in 0..50 {
                echo.sleep(SleepArgs { ms: (caller * 7 + round) % 11 }).await?;
                let reply = arith.mul(Args { a: caller, b: round }).await?;
                assert_eq!(reply.c, caller * round);
            }
            Ok::<(), farcall::Status>(())
        })
    });
    let callers: Vec<_> = callers.collect();
    for caller in callers {
        caller.await.expect("no panic")?;
    }
    Ok(())
}
