//! Go's standard library, `net/rpc` with gob: its client against our server, and ours against its.

use crate::go_peer::{GoServer, calls, calls_us, named};
use bytes::Bytes;
use farcall::{Client, Code, Complex, Format, Marshaled, Origin, Result, Timestamp, Value, json};
use farcall_cli::{
    kinds::Kinds,
    message581::BenchmarkMessage,
    own::{BigInt, Own},
    services::{Args, ArithClient, EchoClient, FailArgs, HelloServiceClient, Quotient, SleepArgs},
};
use farcall_it::services::Running;
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

fn go_server() -> GoServer {
    GoServer::of(&named("netrpc-peer"), &["-codec", "gob"], "netrpc")
}

/// Behind `CONNECT`, as `rpc.HandleHTTP` serves it.
fn go_http_server() -> GoServer {
    GoServer::of(&named("netrpc-peer"), &["-codec", "gob", "-http"], "netrpc+http")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_matrix() {
    calls_us("netrpc-peer", "-addr", &["-codec", "gob", "-timeout", "25s"], &[], 78).await;
}

/// Behind `CONNECT`, as `rpc.DialHTTP` asks, with the page at `/debug/rpc` beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_behind_connect() {
    let running = Running::start(farcall_cli::services::all(1).debug_rpc()).await;
    let address = running.url.trim_start_matches("rpcx://");
    let flags = ["-codec", "gob", "-timeout", "25s", "-http"];
    calls("netrpc-peer", address, "-addr", &flags, &[], 84).await;
}

#[tokio::test]
async fn calls_with_every_kind_of_value() -> Result<()> {
    every_kind_of(go_server()).await?;
    every_kind_of(go_http_server()).await
}

async fn every_kind_of(go: GoServer) -> Result<()> {
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
        assert_eq!(echo.own(Own::sample()).await?, Own::sample());
        let blank = echo.own(<Own as farcall::Take>::blank()).await?;
        assert_eq!(blank, <Own as farcall::Take>::blank());
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

/// What Go refuses costs its call alone: a type that marshals itself says no, and a part that no
/// `complex64` can be.
#[tokio::test]
async fn values_that_gos_types_refuse() -> Result<()> {
    let go = go_server();
    let echo = EchoClient::connect(&go.url).await?;
    let url = Some(Marshaled(farcall_cli::own::Url(":// no address".to_owned())));
    let status = echo.own(Own { url, ..Own::sample() }).await.expect_err("no URL");
    assert!(status.text().contains("missing protocol scheme"), "{status}");
    let c64 = Complex { re: f64::MAX, im: 0.0 };
    let status = echo.own(Own { c64, ..Own::sample() }).await.expect_err("too large");
    assert!(status.text().contains("out of range"), "{status}");
    // More than one digit of any machine.
    let magnitude: Vec<u8> = (1..=200).collect();
    let big = Some(Marshaled(BigInt { negative: true, magnitude }));
    let own = Own { big, ..Own::sample() };
    assert_eq!(echo.own(own.clone()).await?, own);
    Ok(())
}

/// Arguments built from JSON alone: Go refuses a number of the wrong kind, so these are right.
#[tokio::test]
async fn values_that_say_their_types() -> Result<()> {
    let go = go_server();
    let client = Client::connect(&go.url).await?;
    let argument = json!({
        "U8": {"$uint": 8},
        "U64": {"$uint": u64::MAX},
        "I64": (-7),
        "F64": {"$float": 1},
        "Blob": {"$bytes": "00ff"},
        "Map": {"$map": {"one": 1, "two": 2}},
        "ByID": {"$map": [[1, {"X": 7, "Y": "seven"}]]},
        "At": {"$time": "2023-11-14T22:13:20.5Z"},
        "Kids": [{"X": 1}, {"Y": "y"}],
    });
    let reply = client.call("Echo.Kinds", json::exact(Format::Gob, argument)?).await?;
    let text = reply.to_string();
    let at = Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 };
    for (key, want) in [
        ("U8", json!(8)),
        ("U64", json!(u64::MAX)),
        ("I64", json!(-7)),
        ("F64", json!(1.0)),
        ("Blob", Value::Bytes(vec![0, 255])),
        ("At", json!(at)),
    ] {
        assert_eq!(reply.get(key), Some(&want), "{key}: {text}");
    }
    for map in ["Map", "ByID"] {
        let back = reply.get(map).map(Value::to_string).unwrap_or_default();
        let want = if map == "Map" { "\"two\":2" } else { "\"1\":{\"X\":7,\"Y\":\"seven\"}" };
        assert!(back.contains(want), "{map}: {text}");
    }
    assert_eq!(reply.get("Kids").and_then(|kids| kids.at(1)?.get("Y")), Some(&json!("y")));
    // Without a word on its type a whole number is an int, which a uint of Go's does not take.
    let status = client.call("Echo.Kinds", json!({"U8": 8})).await.expect_err("an int");
    assert!(status.text().starts_with("gob: "), "{status}");
    Ok(())
}

#[tokio::test]
async fn failures_cost_their_call_alone() -> Result<()> {
    failures_of(go_server()).await?;
    failures_of(go_http_server()).await
}

async fn failures_of(go: GoServer) -> Result<()> {
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
    many_callers_of(go_server()).await?;
    many_callers_of(go_http_server()).await
}

async fn many_callers_of(go: GoServer) -> Result<()> {
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

/// A server that is told to stop answers what has begun, and Go's client sees its orderly end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_server_shuts_gos_clients_down() {
    for codec in ["gob", "json"] {
        let running = Running::start(farcall_cli::services::all(1)).await;
        let address = running.url.trim_start_matches("rpcx://");
        let mut client = Command::new(named("netrpc-peer"))
            .args(["drain", "-addr", address, "-codec", codec])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the client starts");
        let mut lines = BufReader::new(client.stdout.take().expect("piped")).lines();
        assert_eq!(lines.next_line().await.expect("a line").as_deref(), Some("called"));
        running.stop();
        let last = lines.next_line().await.expect("a line");
        let expected = "answered 50, then: Arith.Mul: connection is shut down";
        assert_eq!(last.as_deref(), Some(expected), "{codec}");
        assert!(client.wait().await.expect("it ends").success());
    }
}

/// Go's server dies with calls in flight: each is told so, and the next one finds its successor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gos_server_dies_and_another_takes_its_place() -> Result<()> {
    for (codec, scheme, option) in [("gob", "netrpc", ""), ("json", "jsonrpc", "?version=1")] {
        let go = GoServer::of(&named("netrpc-peer"), &["-codec", codec], scheme);
        let address = go.url.split("://").nth(1).expect("an address").to_owned();
        let client = Client::connect(&format!("{}{option}", go.url)).await?;
        let (arith, echo) =
            (ArithClient::from_client(client.clone()), EchoClient::from_client(client));
        let slow = (0..20).map(|_| {
            let echo = echo.clone();
            tokio::spawn(async move { echo.sleep(SleepArgs { ms: 60_000 }).await })
        });
        let slow: Vec<_> = slow.collect();
        // Behind them on the connection: they have been sent.
        tokio::task::yield_now().await;
        assert_eq!(arith.mul(Args { a: 6, b: 7 }).await?.c, 42);
        drop(go);
        for call in slow {
            let status = call.await.expect("no panic").expect_err("its server is gone");
            assert_eq!(status.code(), Code::Unavailable, "{status}");
        }
        let flags = ["-addr", &address, "-until-stdin-closes", "-codec", codec];
        let _go = GoServer::with(&named("netrpc-peer"), &flags, scheme);
        let mut again = arith.mul(Args { a: 6, b: 7 }).await;
        for _ in 0..200 {
            if again.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
            again = arith.mul(Args { a: 6, b: 7 }).await;
        }
        assert_eq!(again?.c, 42, "{codec}");
    }
    Ok(())
}
