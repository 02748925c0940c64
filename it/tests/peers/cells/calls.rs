//! Our client against the real rpcx server: codecs, bodies, errors, one-way calls, time-outs, many
//! callers and pushes; each over any carrier.
//!
//! No test here lets gzip bodies overlap: rpcx v1.9.4 hands a compressed body on after it gave its
//! buffer back to a pool, so that overlapping ones can be mixed up on the Go side.

use crate::go_peer::GoServer;
use bytes::Bytes;
use farcall::{Code, Compress, Format, Origin, Result, json};
use farcall_cli::{
    kinds::Kinds,
    message581::BenchmarkMessage,
    services::{
        Args, ArithClient, EchoClient, FailArgs, HelloServiceClient, PushArgs, Quotient, SleepArgs,
    },
};
use std::time::Duration;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(60);

const FORMATS: [Format; 3] = [Format::Json, Format::Protobuf, Format::MsgPack];
const FOLDS: [Compress; 2] = [Compress::None, Compress::Gzip];

/// Every codec and compression.
pub(super) async fn codecs(url: &str) -> Result<()> {
    let (arith, echo) = (ArithClient::connect(url).await?, EchoClient::connect(url).await?);
    for format in FORMATS {
        for compress in FOLDS {
            let what = format!("{format}, {compress}");
            let arith = arith.clone().format(format).compress(compress);
            let echo = echo.clone().format(format).compress(compress);
            for (a, b) in [(6, 7), (0, 0), (-1, i64::from(i32::MAX)), (1 << 31, 1 << 31)] {
                assert_eq!(arith.mul(Args { a, b }).await?.c, a.wrapping_mul(b), "{what}");
            }
            let divided = arith.divide(Args { a: 17, b: 5 }).await?;
            assert_eq!(divided, Quotient { quo: 3, rem: 2 }, "{what}");
            let sample = BenchmarkMessage::sample();
            assert_eq!(echo.echo(sample.clone()).await?, sample, "{what}");
            // Long enough to be compressed.
            let long = BenchmarkMessage { field1: "许多往事".repeat(500), ..sample };
            assert_eq!(echo.echo(long.clone()).await?, long, "{what}");
            let call = echo.echo_meta().meta("tenant", "blau").meta("ключ", "значение");
            let ((), meta) = call.with_meta().await?;
            assert_eq!(meta.get("tenant").as_deref(), Some("blau"), "{what}");
            assert_eq!(meta.get("ключ").as_deref(), Some("значение"), "{what}");
            echo.sleep(SleepArgs { ms: 1 }).await?;
        }
    }
    Ok(())
}

/// What protobuf does not carry.
pub(super) async fn bare(url: &str) -> Result<()> {
    let (arith, echo, hello) = (
        ArithClient::connect(url).await?,
        EchoClient::connect(url).await?,
        HelloServiceClient::connect(url).await?,
    );
    for format in [Format::Json, Format::MsgPack] {
        for compress in FOLDS {
            let echo = echo.clone().format(format).compress(compress);
            let kinds = Kinds::sample();
            assert_eq!(echo.kinds(kinds.clone()).await?, kinds, "{format}, {compress}");
            let arith = arith.clone().format(format).compress(compress);
            assert_eq!(arith.multiply(Args { a: 6, b: -7 }).await?, -42);
            let hello = hello.clone().format(format).compress(compress);
            assert_eq!(hello.say_hello("Gö <&>".into()).await?, "Hello World:Gö <&>");
        }
        let client = arith.client().clone().format(format);
        let reply = client.call("Arith.Mul", json!({"A": 6, "B": 7})).await?;
        assert_eq!(reply.get("C").and_then(|c| c.as_i64()), Some(42));
    }
    Ok(())
}

/// Bodies up to 4 MiB.
pub(super) async fn bodies(url: &str) -> Result<()> {
    let echo = EchoClient::connect(url).await?;
    for format in [Format::Raw, Format::MsgPack, Format::Json] {
        for compress in FOLDS {
            let echo = echo.clone().format(format).compress(compress);
            for size in [0, 1, 1024, 1025, 2 << 20, 4 << 20] {
                let body: Bytes = (0..size).map(|i| (i * 7 % 251) as u8).collect();
                let back = echo.bytes(body.clone()).await?;
                assert!(back == body, "{format}, {compress}, {size} bytes");
            }
        }
    }
    Ok(())
}

/// Errors of handlers, of names, and panics.
pub(super) async fn errors(url: &str) -> Result<()> {
    let (arith, echo) = (ArithClient::connect(url).await?, EchoClient::connect(url).await?);
    for format in FORMATS {
        let arith = arith.clone().format(format);
        let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
        assert_eq!((status.text(), status.origin()), ("divide by zero", Origin::Remote));
        let echo = echo.clone().format(format);
        let fail = FailArgs { code: 5, message: "kein Döner".into() };
        assert_eq!(echo.fail(fail).await.expect_err("a failure").text(), "kein Döner");
        let status = echo.panic().await.expect_err("a panic");
        assert_eq!(status.code(), Code::Internal, "{status}");
        let client = arith.client().clone().format(Format::Json);
        let status = client.call("Nobody.Home", json!({})).await.expect_err("unknown");
        assert_eq!(status.text(), "rpcx: can't find service Nobody");
        let status = client.call("Arith.Nothing", json!({})).await.expect_err("unknown");
        assert_eq!(status.text(), "rpcx: can't find method Nothing");
        assert_eq!(arith.mul(Args { a: 2, b: 3 }).await?.c, 6);
    }
    Ok(())
}

/// Calls that nobody answers.
pub(super) async fn oneway(url: &str) -> Result<()> {
    let arith = ArithClient::connect(url).await?;
    for format in FORMATS {
        let arith = arith.clone().format(format);
        for round in 0..20 {
            arith.mul(Args { a: 2, b: 3 }).oneway().await?;
            arith.divide(Args { a: 2, b: 0 }).oneway().await?;
            arith.client().call("Nobody.Home", json!({})).format(Format::Json).oneway().await?;
            assert_eq!(arith.mul(Args { a: round, b: 3 }).await?.c, 3 * round);
        }
    }
    Ok(())
}

/// Metadata of every length, there and back.
pub(super) async fn metadata(url: &str) -> Result<()> {
    let echo = EchoClient::connect(url).await?;
    let long = "许".repeat(4000);
    for format in FORMATS {
        let call = echo.clone().format(format).echo_meta();
        let ((), meta) = call.meta("empty", "").meta("ключ", &long).with_meta().await?;
        assert_eq!(meta.get("empty").as_deref(), Some(""));
        assert_eq!(meta.get("ключ").as_deref(), Some(long.as_str()));
        let ((), meta) = echo.clone().format(format).echo_meta().with_meta().await?;
        assert_eq!(meta.get("ключ"), None, "the call before had it");
    }
    Ok(())
}

/// Calls that are too late, by our clock and by the server's.
pub(super) async fn deadlines(url: &str) -> Result<()> {
    let (arith, echo) = (ArithClient::connect(url).await?, EchoClient::connect(url).await?);
    for format in FORMATS {
        let (arith, echo) = (arith.clone().format(format), echo.clone().format(format));
        let slow = echo.sleep(SleepArgs { ms: 300 }).deadline(Duration::from_millis(40));
        let status = slow.await.expect_err("too late");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        // The connection goes on, and the late answer goes nowhere.
        for a in 0..50 {
            assert_eq!(arith.mul(Args { a, b: 3 }).await?.c, 3 * a);
            tokio::time::sleep(Duration::from_millis(8)).await;
        }
    }
    // The deadline reaches Go's context: its handler says so, and not our timer.
    let short = echo.sleep(SleepArgs { ms: 60_000 }).no_deadline().meta("__ServerTimeout", "80");
    let status = timeout(SOON, short).await.expect("in time").expect_err("too late");
    assert_eq!((status.text(), status.origin()), ("context deadline exceeded", Origin::Remote));
    Ok(())
}

/// Many callers on one connection, then many connections.
pub(super) async fn crowds(url: &str) -> Result<()> {
    let client = farcall::Client::connect(url).await?;
    let (arith, echo) = (ArithClient::from_client(client.clone()), EchoClient::from_client(client));
    for format in FORMATS {
        let callers = (0..64i64).map(|caller| {
            let (arith, echo) = (arith.clone().format(format), echo.clone().format(format));
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
    }
    let clients = (0..50).map(|number| async move {
        let arith = ArithClient::connect(url).await?.format(FORMATS[number % FORMATS.len()]);
        for b in 0..20 {
            assert_eq!(arith.mul(Args { a: 7, b }).await?.c, 7 * b);
        }
        Ok::<(), farcall::Status>(())
    });
    for client in clients.collect::<Vec<_>>() {
        client.await?;
    }
    Ok(())
}

/// Messages of the server's; the server is dropped in between.
pub(super) async fn pushes(url: &str, go: GoServer) -> Result<()> {
    let echo = EchoClient::connect(url).await?;
    let mut pushes = echo.client().pushes()?;
    for format in FORMATS {
        echo.clone().format(format).push(PushArgs { n: 200 }).await?;
        for number in 0..200 {
            let push = pushes.next().await.expect("the client is open")?;
            assert_eq!((push.service(), push.method()), ("Echo", "Pushed"));
            assert_eq!(push.format(), Format::Raw);
            assert_eq!(push.meta().get("number").as_deref(), Some(&*number.to_string()));
            assert_eq!(push.bytes()?, format!("message {number}"));
        }
    }
    assert_eq!(pushes.dropped(), 0);
    drop(go);
    let lost = pushes.next().await.expect("the client is open");
    assert_eq!(lost.expect_err("no server").code(), Code::Unavailable);
    drop(echo);
    assert!(pushes.next().await.is_none());
    Ok(())
}
