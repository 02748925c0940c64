//! What interceptors and plugins of a client and a server may do.

use super::kit::{Hook, Relay, Worker, eventually, server};
use crate::hooks::kit::WorkClient;
use farcall::{
    Answer, Client, ClientPlugin, Code, Cx, Fail, Format, Incoming, Limits, Moments, Outgoing,
    Result, Sent, Server, Status, Value, Verdict, json,
};
use farcall_it::services::{Args, ProbeClient, Running, probe};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const PROTOCOLS: [&str; 5] = ["rpcx", "netrpc", "jsonrpc", "http", "jsonrpc1"];

fn url(running: &Running, protocol: &str) -> String {
    let at = running.url.replace("rpcx://", "");
    match protocol {
        "jsonrpc1" => format!("jsonrpc://{at}?version=1"),
        protocol => format!("{protocol}://{at}"),
    }
}

type Notes = Arc<Mutex<Vec<String>>>;

fn note(notes: &Notes, text: String) {
    notes.lock().expect("no panic").push(text);
}

#[tokio::test]
async fn they_see_argument_and_answer_on_both_sides() -> Result<()> {
    let notes = Notes::default();
    let (inner, there) = (notes.clone(), notes.clone());
    let server = probe(Limits::default())
        .intercept(move |call: Incoming| {
            let notes = there.clone();
            async move {
                let argument = call.argument::<Value>();
                note(&notes, format!("server {} {argument:?}", call.cx().method()));
                call.cx().set_meta("seen", "yes");
                let answer = call.run().await;
                note(
                    &notes,
                    format!("server {:?}", answer.decode::<Value>().map_err(|s| s.code())),
                );
                answer
            }
        })
        .intercept(move |call: Incoming| {
            let notes = inner.clone();
            async move {
                note(&notes, "inner".to_owned());
                call.run().await
            }
        });
    let running = Running::start(server).await;
    for protocol in PROTOCOLS {
        let here = notes.clone();
        let client = ProbeClient::builder(url(&running, protocol))
            .intercept(move |call: Outgoing| {
                let notes = here.clone();
                async move {
                    let argument = call.argument::<Value>();
                    note(&notes, format!("client {} {argument:?}", call.call().method()));
                    let answer = call.run().await;
                    note(&notes, format!("client {:?}", answer.decode::<Value>()));
                    answer
                }
            })
            .build()
            .await?;
        notes.lock().expect("no panic").clear();
        assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42, "{protocol}");
        let seen = notes.lock().expect("no panic").join("; ");
        let expected = json!({"A": 6, "B": 7});
        assert_eq!(
            seen.matches(&format!("Mul {:?}", Ok::<_, Status>(expected))).count(),
            2,
            "{seen}"
        );
        let result = format!("{:?}", Ok::<_, Status>(json!({"C": 42})));
        // Gob is not read where it was written.
        let read = if protocol == "netrpc" { 1 } else { 2 };
        assert_eq!(seen.matches(&result).count(), read, "{protocol}: {seen}");
        assert_eq!(seen.matches("inner").count(), 1, "{seen}");
        if matches!(protocol, "rpcx" | "http") {
            let (_, meta) = client.mul(Args { a: 6, b: 7 }).with_meta().await?;
            let seen = meta
                .pairs()
                .iter()
                .any(|(key, value)| key.to_ascii_lowercase().ends_with("seen") && value == "yes");
            assert!(seen, "{protocol}: {:?}", meta.pairs());
        }
    }
    Ok(())
}

#[tokio::test]
async fn they_add_metadata_refuse_and_answer() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let client = ProbeClient::builder(&running.url)
        .intercept(|mut call: Outgoing| async move {
            match call.call().method() {
                "Meta" => {
                    call.set_meta("tenant", "blue");
                    call.run().await
                }
                "Add" => call.answer(&7i64),
                "Sleep" => Status::resource_exhausted("too tired").into(),
                "Spin" => panic!("secret of the interceptor"),
                _ => call.run().await,
            }
        })
        .build()
        .await?;
    assert_eq!(client.add(1, 2).await?, 7);
    for format in [Format::Json, Format::MsgPack, Format::Protobuf] {
        assert_eq!(client.add(1, 2).format(format).await?, 7);
    }
    let status = client.sleep(1).await.expect_err("refused");
    assert_eq!((status.code(), status.sent()), (Code::ResourceExhausted, Sent::No), "{status}");
    let status = client.spin(1).await.expect_err("a panic");
    assert!(status.code() == Code::Internal && !status.text().contains("secret"), "{status}");
    let (_, meta) = client.client().call_as::<(), ()>("Probe.Meta", ()).with_meta().await?;
    assert!(meta.pairs().iter().any(|(_, value)| value.contains("blue")), "{:?}", meta.pairs());
    Ok(())
}

/// A plugin that decides later is waited for, within the deadline.
#[tokio::test]
async fn plugins_may_take_their_time() -> Result<()> {
    struct Later(Duration, bool);
    impl ClientPlugin for Later {
        fn moments(&self) -> Moments {
            Moments::CALL
        }
        fn on_call(&self, call: &mut Outgoing) -> Verdict {
            call.set_meta("token", "x");
            let Later(time, lets) = *self;
            Verdict::wait(async move {
                tokio::time::sleep(time).await;
                if lets { Ok(()) } else { Err(Status::permission_denied("not you")) }
            })
        }
    }
    let running = Running::start(probe(Limits::default())).await;
    for protocol in PROTOCOLS.iter().filter(|name| matches!(**name, "rpcx" | "http")) {
        let hook = Hook::default();
        let builder = || ProbeClient::builder(url(&running, protocol)).plug(hook.clone());
        let short = Duration::from_millis(20);
        let client = builder().plug(Later(short, true)).build().await?;
        assert_eq!(client.add(1, 2).await?, 3, "{protocol}");
        let client = builder().plug(Later(short, false)).build().await?;
        let status = client.add(1, 2).await.expect_err("refused");
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        let client = builder().plug(Later(Duration::from_secs(3600), true)).build().await?;
        let status = client.add(1, 2).deadline(short).await.expect_err("too late");
        assert_eq!((status.code(), status.sent()), (Code::DeadlineExceeded, Sent::No), "{status}");
        assert_eq!(hook.counts().ends, ["done", "failed", "failed"]);
    }
    Ok(())
}

/// What an interceptor does not wait for is given up.
#[tokio::test]
async fn an_interceptor_may_lose_its_patience() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    for protocol in PROTOCOLS {
        let client = ProbeClient::builder(url(&running, protocol))
            .intercept(|call: Outgoing| async move {
                match tokio::time::timeout(Duration::from_millis(50), call.run()).await {
                    Ok(answer) => answer,
                    Err(_) => Answer::from(Status::aborted("no patience")),
                }
            })
            .build()
            .await?;
        let status = client.sleep(60_000).await.expect_err("it takes long");
        assert_eq!(status.code(), Code::Aborted, "{protocol}: {status}");
        assert_eq!(client.sleep(0).await.map(|_| ()), Ok(()), "{protocol}");
    }
    Ok(())
}

/// Attempts have moments of their own; the call has one of each.
#[tokio::test]
async fn attempts_are_told_apart_from_calls() -> Result<()> {
    let worker = Worker::default();
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let hook = Hook::default();
    let limits = Limits {
        reconnect: (Duration::from_millis(5), Duration::from_millis(20)),
        ..Limits::default()
    };
    let client = WorkClient::builder(format!("rpcx://{nobody}"))
        .limits(limits)
        .fail(Fail::Try { retries: 3 })
        .plug(hook.clone())
        .intercept(hook.clone().outgoing())
        .lazy()?;
    let status = client.run("fine".into()).await.expect_err("nobody is there");
    assert_eq!((status.code(), status.attempts()), (Code::Unavailable, 4), "{status}");
    let counts = hook.counts();
    assert_eq!((counts.call, counts.around, counts.seen, counts.reply), (1, 1, 1, 1));
    assert_eq!((counts.retry, counts.connect, counts.close), (3, 0, 0));
    assert!(counts.miss >= 4, "{counts:?}");
    // A connection that is lost is told of once, and so is the next.
    let running = Running::start(server(&worker, false)).await;
    let at = running.url.replace("rpcx://", "");
    let (first, hook) = (Relay::to(at.clone()).await, Hook::default());
    let client =
        WorkClient::builder(format!("rpcx://{}", first.address)).plug(hook.clone()).build().await?;
    client.run("fine".into()).await?;
    assert_eq!((hook.counts().connect, hook.counts().close), (1, 0));
    first.cut();
    eventually("it is told", || hook.counts().close == 1).await;
    assert_eq!(hook.counts().ends, ["done"]);
    Ok(())
}

/// What an interceptor calls belongs to the call it stands around: its deadline, its trace.
#[tokio::test]
async fn calls_within_a_call_inherit() -> Result<()> {
    let inner = Server::new().intercept(|call: Incoming| async move {
        let trace = call.cx().meta().get("traceparent").unwrap_or_default();
        let left = call.cx().remaining().unwrap_or_default().as_millis();
        call.answer(&format!("{trace} {}", left < 5_000))
    });
    let inner = inner.func("Inner", "Run", async |_: String| Ok::<String, Status>(String::new()));
    let inner = Running::start(inner).await;
    let below = Client::connect(&inner.url).await?;
    let outer = Server::new().traced().intercept(move |call: Incoming| {
        let below = below.clone();
        async move {
            let cx: &Cx = call.cx();
            let child = below.call_as::<String, String>("Inner.Run", String::new());
            match child.within(cx).await {
                Ok(text) => call.answer(&text),
                Err(status) => status.into(),
            }
        }
    });
    let outer = outer.func("Outer", "Run", async |_: String| Ok::<String, Status>(String::new()));
    let outer = Running::start(outer).await;
    let client = Client::connect(&outer.url).await?;
    let call = client.call_as::<String, String>("Outer.Run", String::new());
    let call = call.meta("traceparent", TRACE).deadline(Duration::from_secs(4));
    let answer = call.await?;
    // The trace is the same, the step another.
    assert!(answer.starts_with(&TRACE[..35]) && answer.ends_with(" true"), "{answer}");
    assert!(!answer.starts_with(TRACE), "{answer}");
    Ok(())
}
