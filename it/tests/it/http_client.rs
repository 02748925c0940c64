//! Our client over HTTP/1.1: against our server over TCP and in memory, and against servers that
//! are scripted byte by byte.

use farcall::{Client, Code, Compress, Format, Limits, Origin, Result, Sent, Value, json};
use farcall_it::services::{Args, ProbeClient, Reply, Running, Tree, probe};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn clients() -> (Running, [ProbeClient; 2]) {
    let running = Running::start(probe(Limits::default())).await;
    let url = running.url.replace("rpcx://", "http://");
    let tcp = ProbeClient::connect(&url).await.expect("a connection");
    let memory = Client::over_as("http", probe(Limits::default()).memory()).expect("http");
    (running, [tcp, ProbeClient::from_client(memory)])
}

#[tokio::test]
async fn every_method() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        assert_eq!(client.mul(Args { a: -6, b: 7 }).await?, Reply { c: -42 });
        assert_eq!(client.direct(Args { a: 3, b: 0 }).await?.c, 0);
        assert_eq!(client.add(i64::MAX - 1, 1).await?, i64::MAX);
        assert_eq!(client.sleep(1).await?, 1);
        assert_eq!(client.block(1).await?, 1);
        client.spin(0).await?;
        client.spin_spawned(0).await?;
        let leaf = |name: &str| Tree { name: name.into(), kids: Vec::new(), next: None };
        let kids = (0..200).map(|i| leaf(&format!("n{i}"))).collect();
        let tree = Tree { kids, next: Some(Box::new(leaf("<&>"))), ..leaf("中文") };
        assert_eq!(client.tree(tree.clone()).await?, tree);
        for size in [0, 1, 1024, 200_000] {
            let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            let call = client.bytes(body.clone().into());
            assert!(call.compress(Compress::Gzip).await? == body, "{size}");
            assert_eq!(client.zeros(size).await?.len() as u64, size);
        }
        let ((), meta) = client.meta_call().meta("tenant", "blue").with_meta().await?;
        assert_eq!(meta.get("tenant").as_deref(), Some("blue"));
        assert!(meta.get("host").is_some(), "what the server saw comes back");
        let left = client.left().deadline(Duration::from_secs(90)).await?;
        assert!(left.is_some_and(|left| left > 80_000), "{left:?}");
        assert_eq!(client.left().no_deadline().await?, None);
        let reply = client.client().call("Probe.Mul", json!({"A": 6, "B": 7})).await?;
        assert_eq!(reply, json!({"C": 42}));
    }
    Ok(())
}

#[tokio::test]
async fn failures_have_codes() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        for code in 1..=16 {
            let status = client.fail(code, "kein Döner\n".into()).await.expect_err("a failure");
            assert_eq!((status.code(), status.text()), (Code::from_number(code), "kein Döner\n"));
            assert_eq!((status.origin(), status.sent()), (Origin::Remote, Sent::Yes));
        }
        assert_eq!(client.plain().await.expect_err("a failure").text(), "a plain text");
        assert_eq!(client.panic(0).await.expect_err("a panic").code(), Code::Internal);
        for name in ["Probe.Nope", "Nobody.Home", "Home"] {
            let status = client.client().call(name, json!({})).await.expect_err(name);
            assert_eq!(status.code(), Code::Unimplemented, "{status}");
        }
        let status = client.add(1, 2).format(Format::MsgPack).await.expect_err("only JSON");
        assert!(status.text().contains("http does not carry bodies in msgpack"), "{status}");
        let status = client.add(1, 2).format(Format::Gob).await.expect_err("only JSON");
        assert!(status.text().contains("http does not carry bodies in gob"), "{status}");
        assert_eq!(client.add(1, 2).await?, 3);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_has_a_connection_of_its_own() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let url = running.url.replace("rpcx://", "http://");
    for (most, calls) in [(4, 64), (64, 64)] {
        let limits = Limits { connections_per_client: most, ..Limits::default() };
        let client = ProbeClient::builder(&url).limits(limits).build().await?;
        let calls: Vec<_> = (0..calls).map(|_| tokio::spawn(client.sleep(5))).collect();
        for call in calls {
            let together = call.await.expect("no panic")?;
            assert!(together <= most as u64, "{together}");
        }
    }
    let client = ProbeClient::builder(&url).connections(3).build().await?;
    let calls: Vec<_> = (0..500)
        .map(|i| {
            let client = client.clone();
            tokio::spawn(async move { client.mul(Args { a: i, b: 2 }).await })
        })
        .collect();
    for (i, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic")?.c, 2 * i as i64);
    }
    Ok(())
}

/// The connection of a call that gave up is closed, and none is lost to the others.
#[tokio::test]
async fn calls_that_give_up_leave_nothing_behind() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        for _ in 0..10 {
            let status = client.sleep(30_000).deadline(Duration::from_millis(5)).await;
            assert_eq!(status.expect_err("too late").code(), Code::DeadlineExceeded);
            let gave_up = tokio::time::timeout(Duration::from_millis(5), client.sleep(30_000));
            assert!(gave_up.await.is_err());
            assert_eq!(client.add(1, 2).await?, 3);
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_line_for_a_connection_ends_with_the_deadline() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let url = running.url.replace("rpcx://", "http://");
    let client = ProbeClient::builder(&url).connections(1).build().await?;
    let slow = tokio::spawn(client.sleep(2000));
    while !slow.is_finished() {
        let status = client.add(1, 2).deadline(Duration::from_millis(1)).await;
        let Err(status) = status else { continue };
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        if status.sent() == Sent::No && status.text().contains("Limits::connections_per_client") {
            break;
        }
    }
    // Who waits gets it, in the order they came; who leaves passes it on.
    let impatient = tokio::spawn(client.add(1, 1));
    let patient = tokio::spawn(client.add(2, 2));
    tokio::task::yield_now().await;
    impatient.abort();
    assert_eq!(patient.await.expect("no panic")?, 4);
    let _ = slow.await;
    // A finished call that is still held holds no connection.
    let mut held = std::pin::pin!(client.add(3, 3));
    assert_eq!(held.as_mut().await?, 6);
    assert_eq!(client.add(1, 2).await?, 3);
    client.client().close().await?;
    let status = client.add(1, 2).await.expect_err("it is closed");
    assert_eq!(status.code(), Code::Cancelled);
    Ok(())
}

#[tokio::test]
async fn one_way_calls_are_made_and_closing_waits_for_them() -> Result<()> {
    let (_running, clients) = clients().await;
    for client in clients {
        for _ in 0..200 {
            client.count(1).oneway().await?;
        }
        while client.count(0).await? < 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        client.client().close().await?;
    }
    Ok(())
}

/// A server that is told what to answer to each request, connection by connection.
struct Script {
    url: String,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Script {
    /// Each connection answers as many requests as there are texts, with these, and closes then.
    async fn start(answers: &'static [&'static str]) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let connections = Arc::new(AtomicUsize::new(0));
        let open = Arc::new(AtomicUsize::new(0));
        let (count, now) = (Arc::clone(&connections), Arc::clone(&open));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                now.fetch_add(1, Ordering::SeqCst);
                let now = Arc::clone(&now);
                tokio::spawn(async move {
                    for answer in answers {
                        if request(&mut socket).await.is_none() {
                            break;
                        }
                        let _ = socket.write_all(answer.as_bytes()).await;
                    }
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Script { url, connections, open }
    }

    /// Waits until so many connections are open.
    async fn wait_for(&self, open: usize) {
        for _ in 0..2000 {
            if self.open.load(Ordering::SeqCst) == open {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} connections are open", self.open.load(Ordering::SeqCst));
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads one request; its body.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
            let length = head.split("content-length:").nth(1).expect("a length");
            let length: usize = length.lines().next()?.trim().parse().expect("a number");
            if bytes.len() >= at + 4 + length {
                return Some(String::from_utf8_lossy(&bytes[at + 4..]).into_owned());
            }
        }
        let mut part = [0; 4096];
        match socket.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
}

const KEPT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42";

async fn ask(client: &Client) -> Result<Value> {
    client.call("A.B", json!({})).await
}

#[tokio::test]
async fn connections_are_kept_and_replaced() -> Result<()> {
    for (answers, per_connection) in [
        (&[KEPT; 4][..], 4),
        (&["HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n42"], 1),
        (&["HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n42"], 1),
        (&["HTTP/1.0 200 OK\r\n\r\n42"], 1),
        (&["HTTP/1.1 200 OK\r\n\r\n42"], 1),
    ] {
        let script = Script::start(answers).await;
        let client = Client::lazy(&script.url)?;
        for n in 0..8 {
            let reply = match ask(&client).await {
                // A close that comes together with the call cannot be told from a lost call.
                Err(status) if status.sent() == Sent::Maybe && per_connection > 1 => continue,
                reply => reply,
            };
            assert_eq!(reply?, json!(42), "{n} {answers:?}");
        }
        assert!(script.connections() >= 8 / per_connection, "{answers:?}");
    }
    Ok(())
}

/// A server that closes an idle connection, and a call that comes at that moment.
#[tokio::test]
async fn a_stale_connection_costs_no_call_that_may_be_repeated() -> Result<()> {
    static MUL: farcall::MethodInfo = farcall::MethodInfo {
        service: "A",
        name: "B",
        argument: "",
        idempotent: true,
        spawn: false,
    };
    // The second request of each connection is read, and not answered.
    let script = Script::start(&[KEPT, ""]).await;
    let client = Client::lazy(&script.url)?;
    for _ in 0..5 {
        let call = client.method::<i64, i64>(&MUL, 1);
        assert_eq!(call.await?, 42);
    }
    assert_eq!(script.connections(), 5);
    let status = ask(&client).await.expect_err("it may not be repeated");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::Maybe), "{status}");
    // On a connection of its own there is nothing to blame but the server.
    let script = Script::start(&[""]).await;
    let client = Client::lazy(&script.url)?;
    let status = client.method::<i64, i64>(&MUL, 1).await.expect_err("no answer");
    assert_eq!((status.code(), script.connections()), (Code::Unavailable, 1), "{status}");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_two_is_none() -> Result<()> {
    const SPLIT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42HTTP/1.1 200 OK\r\n\
        Content-Length: 2\r\n\r\n66";
    let script = Script::start(&[SPLIT, KEPT]).await;
    let client = Client::lazy(&script.url)?;
    for _ in 0..5 {
        assert_eq!(ask(&client).await?, json!(42), "what nobody asked for is never an answer");
    }
    assert_eq!(script.connections(), 5);
    const BOTH: &str =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n42";
    let script = Script::start(&[BOTH]).await;
    let status = ask(&Client::lazy(&script.url)?).await.expect_err("ambiguous");
    assert!(status.text().contains("Content-Length and Transfer-Encoding"), "{status}");
    Ok(())
}

#[tokio::test]
async fn idle_connections_are_closed_but_one() -> Result<()> {
    let script = Script::start(&[KEPT; 100]).await;
    let limits = Limits { pool_idle: Duration::from_millis(20), ..Limits::default() };
    let client = Client::builder(&script.url).limits(limits).build().await?;
    for round in 1..4 {
        let calls: Vec<_> = (0..8).map(|_| client.call("A.B", json!({})).start()).collect();
        for call in calls {
            assert_eq!(call.await?, json!(42));
        }
        assert!(script.connections() > 7 * round, "{}", script.connections());
        script.wait_for(1).await;
        assert_eq!(ask(&client).await?, json!(42), "the one that is left serves on");
        assert!(script.connections() <= 8 * round, "{}", script.connections());
    }
    drop(client);
    script.wait_for(0).await;
    Ok(())
}

#[tokio::test]
async fn a_connection_is_closed_with_the_call_that_gave_it_up() -> Result<()> {
    // The second request is never answered, and the connection stays open.
    let script = Script::start(&[KEPT, "HTTP/1.1 100 Continue\r\n\r\n", KEPT]).await;
    let client = Client::lazy(&script.url)?;
    for round in 1..4 {
        assert_eq!(ask(&client).await?, json!(42));
        let call = client.call("A.B", json!({})).deadline(Duration::from_millis(20));
        let status = call.await.expect_err("no answer");
        assert_eq!((status.code(), status.sent()), (Code::DeadlineExceeded, Sent::Maybe));
        assert_eq!(script.connections(), round);
        script.wait_for(0).await;
    }
    Ok(())
}
