//! net/rpc end to end: our client and our server, over TCP and in memory, on the port that also
//! speaks rpcx.

use farcall::{Client, Code, Compress, Format, Limits, Origin, Result, Sent, Value, json};
use farcall_it::services::{Args, ProbeClient, Reply, Running, Tree, probe};
use std::time::Duration;

async fn clients() -> (Running, [ProbeClient; 2]) {
    let running = Running::start(probe(Limits::default())).await;
    let url = running.url.replace("rpcx://", "netrpc://");
    let tcp = ProbeClient::connect(&url).await.expect("a connection");
    let memory = Client::over_as("netrpc", probe(Limits::default()).memory()).expect("netrpc");
    (running, [tcp, ProbeClient::from_client(memory)])
}

fn leaf(name: &str) -> Tree {
    Tree { name: name.into(), kids: Vec::new(), next: None }
}

#[tokio::test]
async fn every_method() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        // Twice: the second time all types are known.
        for _ in 0..2 {
            assert_eq!(client.mul(Args { a: -6, b: 7 }).await?, Reply { c: -42 });
            assert_eq!(client.direct(Args { a: 3, b: 0 }).await?.c, 0);
            assert_eq!(client.add(i64::MAX - 1, 1).await?, i64::MAX);
            assert_eq!(client.sleep(1).await?, 1);
            assert_eq!(client.block(1).await?, 1);
            client.spin(0).await?;
            client.spin_spawned(0).await?;
            client.meta_call().await?;
            let kids = (0..200).map(|i| leaf(&format!("n{i}"))).collect();
            let tree = Tree { kids, next: Some(Box::new(leaf("<&>"))), ..leaf("中文") };
            assert_eq!(client.tree(tree.clone()).await?, tree);
            for size in [0, 1, 127, 128, 65_536, 2 << 20] {
                let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
                assert!(client.bytes(body.clone().into()).await? == body, "{size}");
                assert_eq!(client.zeros(size).await?.len() as u64, size);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn many_at_once() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        let calls: Vec<_> = (0..500)
            .map(|i| {
                let client = client.clone();
                tokio::spawn(async move {
                    if i % 3 == 0 {
                        client.sleep(i % 7).await?;
                    }
                    client.mul(Args { a: i as i64, b: 2 }).await
                })
            })
            .collect();
        for (i, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.expect("no panic")?.c, 2 * i as i64);
        }
    }
    Ok(())
}

#[tokio::test]
async fn failures_are_texts() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        let status = client.fail(5, "no such döner".into()).await.expect_err("a failure");
        assert_eq!((status.text(), status.code()), ("no such döner", Code::Unknown));
        assert_eq!((status.origin(), status.sent()), (Origin::Remote, Sent::Yes));
        assert_eq!(client.plain().await.expect_err("a failure").text(), "a plain text");
        for millis in [0, 1] {
            let status = client.panic(millis).await.expect_err("a panic");
            assert!(!status.text().contains("secret"), "{status}");
        }
        let status = client.bytes(vec![0; 17 << 20].into()).await.expect_err("too long");
        assert!(status.text().contains("Limits::message_bytes"), "{status}");
        // None alone is nothing that gob can carry.
        let status = client.left().await.expect_err("no value");
        assert!(status.text().contains("gob cannot carry an absent value"), "{status}");
        // None of this cost the connection.
        assert_eq!(client.mul(Args { a: 2, b: 3 }).await?.c, 6);
    }
    Ok(())
}

#[tokio::test]
async fn names_that_lead_nowhere() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let client = Client::connect(running.url.replace("rpcx://", "netrpc://")).await?;
    for (name, text) in [
        ("Probe.Nope", "rpc: can't find method Probe.Nope"),
        ("a.b.Nope", "rpc: can't find service a.b.Nope"),
        ("Nope", "rpc: service/method request ill-formed: Nope"),
    ] {
        let status = client.call(name, json!({"A": 1})).await.expect_err(name);
        assert_eq!((status.text(), status.code()), (text, Code::Unimplemented));
    }
    Ok(())
}

#[tokio::test]
async fn values_without_types() -> Result<()> {
    let (running, _) = clients().await;
    let client = Client::connect(running.url.replace("rpcx://", "netrpc://")).await?;
    for _ in 0..2 {
        let reply = client.call("Probe.Mul", json!({"A": 6, "B": 7})).await?;
        assert_eq!(reply, json!({"C": 42}));
        let tree = json!({"Name": "a", "Kids": [{"Name": "b"}, {"Name": "c", "Kids": [{}]}]});
        let back = client.call("Probe.Tree", tree).await?;
        let kids = back.get("Kids").expect("kids");
        assert_eq!(kids.at(1).and_then(|kid| kid.get("Name")), Some(&Value::from("c")));
        assert_eq!(back.get("Next"), Some(&Value::Null));
    }
    for (value, why) in [
        (json!({"a": 6}), "upper-case"),
        (json!({"A": [1, "x"]}), "several types"),
        (json!(null), "it has no type"),
    ] {
        let status = client.call("Probe.Mul", value).await.expect_err(why);
        assert!(status.text().contains(why), "{status}");
        assert_eq!((status.origin(), status.sent()), (Origin::Local, Sent::No));
    }
    let status = client.call("Probe.Mul", json!({"A": "x"})).await.expect_err("a mismatch");
    assert!(status.text().ends_with("expected i64, found text"), "{status}");
    Ok(())
}

#[tokio::test]
async fn what_does_not_travel_is_refused_before_it_is_sent() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        for (client, why) in [
            (
                client.clone().format(Format::Json),
                "netrpc does not carry bodies in json, only in gob",
            ),
            (client.clone().compress(Compress::Gzip), "netrpc does not carry compressed bodies"),
            (client.clone().meta("a", "b"), "netrpc does not carry metadata (`a`)"),
        ] {
            let status = client.mul(Args { a: 1, b: 1 }).await.expect_err(why);
            assert!(status.text().contains(why), "{status}");
            assert_eq!((status.code(), status.sent()), (Code::InvalidArgument, Sent::No));
        }
        // The deadline is kept here alone.
        let late = client.clone().deadline(Duration::from_millis(20));
        let status = late.sleep(500).await.expect_err("too late");
        assert_eq!((status.code(), status.origin()), (Code::DeadlineExceeded, Origin::Local));
        // The answer comes, and is dropped: the next call gets its own.
        client.count(0).oneway().await?;
        assert_eq!(client.mul(Args { a: 5, b: 5 }).await?.c, 25);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(client.count(0).await?, 1);
    }
    let status = ProbeClient::from_client(Client::over(probe(Limits::default()).memory()))
        .format(Format::Gob)
        .mul(Args { a: 1, b: 1 })
        .await
        .expect_err("rpcx has no gob");
    assert!(status.text().contains("rpcx does not carry bodies in gob"), "{status}");
    assert!(Client::over_as("smtp", probe(Limits::default()).memory()).is_err());
    Ok(())
}
