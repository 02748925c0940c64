//! What calls do: every format, compression, option and outcome, over TCP and in memory.

use farcall::{Code, Compress, Format, Limits, Origin, Result, Sent, Value, json};
use farcall_it::services::{Args, ProbeClient, Reply, Running, Tree, probe};
use std::time::Duration;

/// The same calls over both transports.
async fn clients() -> (Running, [ProbeClient; 2]) {
    let running = Running::start(probe(Limits::default())).await;
    let tcp = ProbeClient::connect(&running.url).await.expect("a connection");
    let memory = ProbeClient::over(probe(Limits::default()).memory());
    (running, [tcp, memory])
}

#[tokio::test]
async fn every_format_and_compression() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        for format in [Format::Json, Format::MsgPack, Format::Protobuf] {
            for compress in [Compress::None, Compress::Gzip] {
                let client = client.clone().format(format).compress(compress);
                let reply = client.mul(Args { a: -6, b: 7 }).await?;
                assert_eq!(reply, Reply { c: -42 }, "{format} {compress}");
                assert_eq!(client.direct(Args { a: 3, b: 0 }).await?.c, 0);
                assert_eq!(client.add(i64::MAX - 1, 1).await?, i64::MAX);
                assert_eq!(client.sleep(0).await?, 1);
                assert_eq!(client.block(1).await?, 1);
                client.meta_call().await?;
                let kids = (0..200).map(|i| Tree { name: format!("n{i}"), ..leaf() }).collect();
                let tree = Tree { kids, next: Some(Box::new(leaf())), ..leaf() };
                assert_eq!(client.tree(tree.clone()).await?, tree);
            }
        }
    }
    Ok(())
}

fn leaf() -> Tree {
    Tree { name: "leaf <&> \u{2028}".into(), kids: Vec::new(), next: None }
}

#[tokio::test]
async fn bodies_of_every_size() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        // Unoptimised and beside other tests, the largest take their time.
        let client = client.deadline(Duration::from_secs(60));
        for format in [Format::Raw, Format::MsgPack, Format::Protobuf, Format::Json] {
            for compress in [Compress::None, Compress::Gzip] {
                let client = client.clone().format(format).compress(compress);
                for size in [0, 1, 255, 1024, 1025, 65_536, 2 << 20] {
                    let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
                    let back = client.bytes(body.clone().into()).await?;
                    assert!(back == body, "{format} {compress} {size}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn metadata_travels_both_ways() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        let client = client.meta("tenant", "blau").meta("leer", "");
        let call = client.meta_call();
        let ((), meta) = call.meta("ключ", "значение").with_meta().await?;
        assert_eq!(meta.get("tenant").as_deref(), Some("blau"));
        assert_eq!(meta.get("leer").as_deref(), Some(""));
        assert_eq!(meta.get("ключ").as_deref(), Some("значение"));
        assert_eq!(meta.get("absent"), None);
    }
    Ok(())
}

#[tokio::test]
async fn failures_say_what_and_who() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        let status = client.fail(5, "no such döner".into()).await.expect_err("a failure");
        assert_eq!((status.text(), status.origin()), ("no such döner", Origin::Remote));
        assert_eq!(status.sent(), Sent::Yes);
        let status = client.plain().await.expect_err("a failure");
        assert_eq!((status.text(), status.code()), ("a plain text", Code::Unknown));
        for millis in [0, 5] {
            let status = client.panic(millis).await.expect_err("a panic");
            assert_eq!(status.code(), Code::Internal);
            assert!(!status.text().contains("secret"), "{status}");
        }
        let raw = client.client();
        let status = raw.call("Nobody.Home", json!({})).await.expect_err("unknown");
        assert_eq!(status.text(), "rpcx: can't find service Nobody");
        assert_eq!(status.code(), Code::Unimplemented);
        let status = raw.call("Probe.Nothing", json!({})).await.expect_err("unknown");
        assert_eq!(status.text(), "rpcx: can't find method Nothing");
        // Still alive.
        assert_eq!(client.mul(Args { a: 2, b: 3 }).await?.c, 6);
    }
    Ok(())
}

#[tokio::test]
async fn bodies_that_do_not_fit_name_the_field() -> Result<()> {
    let client = ProbeClient::over(probe(Limits::default()).memory());
    let raw = client.client().clone().format(Format::Json);
    let call = raw.call("Probe.Mul", json!({"A": 1, "B": "two"}));
    let status = call.await.expect_err("not a number");
    assert!(status.text().contains("args.B: expected"), "{status}");
    let call = raw.call("Probe.Tree", json!({"kids": [{}, {"kids": [{"name": 3}]}]}));
    let status = call.await.expect_err("not text");
    assert!(status.text().contains("tree.kids[1].kids[0].name"), "{status}");
    let reply = raw.call_as::<_, Value>("Probe.Mul", json!({"A": 6, "B": 7, "C": [1]})).await?;
    assert_eq!(reply.get("C"), Some(&Value::Int(42)));
    // A reply of another type is an error of this call alone.
    let status = raw.call_as::<_, Tree>("Probe.Add", json!({"a": 1, "b": 2})).await;
    assert_eq!(status.expect_err("not a tree").sent(), Sent::Yes);
    assert_eq!(client.add(1, 2).await?, 3);
    Ok(())
}

#[tokio::test]
async fn one_way_calls_run_and_answer_nothing() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        for _ in 0..10 {
            client.count(1).oneway().await?;
            client.fail(3, "unseen".into()).oneway().await?;
        }
        let mut counted = 0;
        for _ in 0..100 {
            counted = client.count(10).await?;
            if counted >= 10 {
                break;
            }
        }
        assert!(counted >= 10, "{counted}");
    }
    Ok(())
}

#[tokio::test]
async fn deadlines_are_kept_and_sent_along() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        let left = client.left().await?.expect("the default of ten seconds");
        assert!((9_000..=10_000).contains(&left), "{left}");
        let left = client.left().deadline(Duration::from_millis(700)).await?.expect("a deadline");
        assert!((100..=700).contains(&left), "{left}");
        assert_eq!(client.left().no_deadline().await?, None);
        let call = client.sleep(5_000).deadline(Duration::from_millis(30));
        let status = call.await.expect_err("too late");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        // The connection goes on.
        assert_eq!(client.mul(Args { a: 2, b: 3 }).await?.c, 6);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_out_of_order_find_their_callers() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        let callers = (0..64u64).map(|caller| {
            let client = client.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    client.sleep((caller * 7 + round) % 11).await?;
                    let (a, b) = (caller as i64, round as i64);
                    assert_eq!(client.mul(Args { a, b }).await?.c, a * b);
                }
                Ok::<(), farcall::Status>(())
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no panic")?;
        }
    }
    Ok(())
}
