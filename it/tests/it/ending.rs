//! How servers and connections end: what was received is answered, and what is not run is said to
//! be not run.

use farcall::{Client, Code, Limits, Origin, Result, Sent, Server, Status};
use farcall_it::services::{ProbeClient, Running, probe};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(60);

const PROTOCOLS: [&str; 4] = ["rpcx", "netrpc", "jsonrpc", "http"];

/// How often each call was run.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<HashMap<u64, u64>>>);

impl Ledger {
    fn server(&self, limits: Limits) -> Server {
        let ran = self.clone();
        Server::new().limits(limits).func("Ledger", "Run", move |id: u64| {
            let ran = ran.clone();
            async move {
                *ran.0.lock().expect("no panic").entry(id).or_default() += 1;
                if id.is_multiple_of(3) {
                    tokio::time::sleep(Duration::from_millis(id % 7)).await;
                }
                Ok::<u64, Status>(id)
            }
        })
    }

    fn runs(&self, id: u64) -> u64 {
        self.0.lock().expect("no panic").get(&id).copied().unwrap_or_default()
    }
}

/// A listener of this process' that several servers serve, one after the other: what a parent does
/// for its children.
struct Door {
    listener: std::net::TcpListener,
}

impl Door {
    fn open() -> Door {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        Door { listener }
    }

    fn url(&self, protocol: &str) -> String {
        format!("{protocol}://{}", self.listener.local_addr().expect("it is bound"))
    }

    /// Serves it, as something inherited: what nobody has accepted stays for the next.
    async fn serve(&self, server: Server) -> Serving {
        use std::os::fd::AsRawFd;
        let bound = server.listen(format!("fd://{}", self.listener.as_raw_fd())).await;
        let bound = bound.expect("it listens");
        let stop = bound.shutdown_handle();
        Serving { stop, task: tokio::spawn(bound.run()) }
    }
}

struct Serving {
    stop: farcall::ShutdownHandle,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Serving {
    async fn end(self) {
        self.stop.shutdown();
        timeout(SOON, self.task).await.expect("it ends").expect("no panic").expect("clean");
    }
}

/// One server after another under load, on one listening socket: no call is run twice, every call
/// whose fate is known has it, and only what the protocol cannot tell is unknown.
async fn restarts_under_load(protocol: &'static str) {
    let ledger = Ledger::default();
    let limits = || Limits {
        goodbye: Duration::from_millis(100),
        linger: Duration::from_millis(500),
        ..Limits::default()
    };
    let door = Door::open();
    let mut serving = door.serve(ledger.server(limits())).await;
    let client = Client::connect(door.url(protocol)).await.expect("it connects");
    let (ids, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (client, ledger) = (client.clone(), ledger.clone());
            let (ids, over) = (Arc::clone(&ids), Arc::clone(&over));
            tokio::spawn(async move {
                let (mut answered, mut refused, mut lost) = (0u64, 0u64, 0u64);
                while !over.load(Ordering::Relaxed) {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    match client.call_as::<u64, u64>("Ledger.Run", id).await {
                        Ok(same) => {
                            assert_eq!((same, ledger.runs(id)), (id, 1), "{protocol}");
                            answered += 1;
                        }
                        Err(status) => {
                            assert_eq!(status.code(), Code::Unavailable, "{protocol}: {status}");
                            match status.sent() {
                                Sent::No => {
                                    assert_eq!(ledger.runs(id), 0, "{protocol}: {status}");
                                    refused += 1;
                                }
                                Sent::Maybe => {
                                    assert!(ledger.runs(id) <= 1, "{protocol}: {status}");
                                    lost += 1;
                                }
                                Sent::Yes => panic!("{protocol}: {status}"),
                            }
                        }
                    }
                }
                (answered, refused, lost)
            })
        })
        .collect();
    for _ in 0..5 {
        let seen = ids.load(Ordering::Relaxed);
        timeout(SOON, async {
            while ids.load(Ordering::Relaxed) < seen + 500 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("calls go on");
        serving.end().await;
        // For a moment nobody accepts: whoever connects now waits for the successor.
        tokio::time::sleep(Duration::from_millis(20)).await;
        serving = door.serve(ledger.server(limits())).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut sum = (0, 0, 0);
    for caller in callers {
        let (answered, refused, lost) = caller.await.expect("no panic");
        sum = (sum.0 + answered, sum.1 + refused, sum.2 + lost);
    }
    println!("{protocol}: answered, refused, lost: {sum:?}");
    assert!(sum.0 > 500, "{protocol}: {sum:?}");
    // What is refused goes to the successor.
    assert_eq!(sum.1, 0, "{protocol}");
    // These say goodbye before they refuse anything, and ours is a client that listens.
    if matches!(protocol, "rpcx" | "netrpc") {
        assert_eq!(sum.2, 0, "{protocol}");
    }
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_lose_nothing_and_run_nothing_twice() {
    for protocol in PROTOCOLS {
        restarts_under_load(protocol).await;
    }
}

/// Calls that run when the connection leaves get their answers there; others do not wait for them.
#[tokio::test]
async fn an_old_connection_is_told_goodbye_and_no_call_waits_for_it() -> Result<()> {
    let limits = Limits { connection_age: Some(Duration::from_millis(200)), ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    for protocol in ["rpcx", "netrpc"] {
        let client = ProbeClient::connect(running.url.replace("rpcx", protocol)).await?;
        let slow = tokio::spawn(client.sleep(2_000));
        for n in 0..100 {
            assert_eq!(client.add(n, 1).await?, n + 1);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!slow.is_finished(), "it was to take longer than the connection lives");
        slow.await.expect("no panic")?;
    }
    Ok(())
}

#[tokio::test]
async fn closing_a_client_waits_for_the_connection_it_left() -> Result<()> {
    let limits = Limits { connection_age: Some(Duration::from_millis(50)), ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    let client = ProbeClient::connect(&running.url).await?;
    let slow = tokio::spawn(client.sleep(600));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.add(1, 2).await?, 3);
    client.client().close().await?;
    assert!(slow.is_finished(), "close waits for calls");
    slow.await.expect("no panic").map(drop)
}

/// The words of a server that refuses late calls, on every protocol that it can be made to say.
#[tokio::test]
async fn late_calls_are_refused_as_not_run() -> Result<()> {
    let limits =
        Limits { goodbye: Duration::ZERO, quiet: Duration::from_millis(300), ..Limits::default() };
    for (protocol, line) in [
        ("jsonrpc", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Probe.Sleep\",\"params\":[400]}\n"),
        ("jsonrpc1", "{\"id\":1,\"method\":\"Probe.Sleep\",\"params\":[400]}\n"),
        ("http", "POST /Probe/Sleep HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n400"),
    ] {
        let running = Running::start(probe(limits.clone())).await;
        let address = running.url.trim_start_matches("rpcx://");
        let mut socket = TcpStream::connect(address).await.expect("it listens");
        socket.write_all(line.as_bytes()).await.expect("it reads");
        let client = ProbeClient::connect(&running.url).await?;
        while client.sleep(0).await? < 2 {}
        running.stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
        socket.write_all(line.replace("400", "500").as_bytes()).await.expect("it reads");
        let mut all = String::new();
        timeout(SOON, socket.read_to_string(&mut all)).await.expect("soon").expect("text");
        // JSON-RPC refuses at once; HTTP keeps the order.
        assert!(all.contains("the server is leaving; this call was not run"), "{protocol}: {all}");
        if protocol == "http" {
            let (first, second) = all.split_once("HTTP/1.1 503").expect("a refusal");
            assert!(first.starts_with("HTTP/1.1 200 OK"), "{all}");
            assert!(!first.contains("Connection: close"), "{all}");
            assert!(second.contains("Connection: close"), "{all}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn http_says_close_with_the_last_answer() -> Result<()> {
    let mut running = Running::start(probe(Limits::default())).await;
    let address = running.url.trim_start_matches("rpcx://").to_owned();
    let request = "POST /Probe/Sleep HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n200";
    let mut busy = TcpStream::connect(&address).await.expect("it listens");
    busy.write_all(request.repeat(3).as_bytes()).await.expect("it reads");
    let mut idle = TcpStream::connect(&address).await.expect("it listens");
    idle.write_all(request.replace("200", "000").as_bytes()).await.expect("it reads");
    let client = ProbeClient::connect(&running.url).await?;
    while client.sleep(0).await? < 4 {}
    running.stop();
    let mut all = String::new();
    timeout(SOON, busy.read_to_string(&mut all)).await.expect("soon").expect("text");
    let answers: Vec<_> = all.split("HTTP/1.1 200 OK").skip(1).collect();
    let closes: Vec<_> = answers.iter().map(|a| a.contains("Connection: close")).collect();
    assert_eq!(closes, [false, false, true], "{all}");
    all.clear();
    timeout(SOON, idle.read_to_string(&mut all)).await.expect("soon").expect("text");
    assert_eq!(all.matches("HTTP/1.1").count(), 1, "{all}");
    drop((busy, idle, client));
    (&mut running.task).await.expect("no panic")
}

/// Idle connections end with a goodbye too, and the next call finds another.
#[tokio::test]
async fn idle_connections_are_told_goodbye() -> Result<()> {
    let limits = Limits { idle: Some(Duration::from_millis(50)), ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    for protocol in PROTOCOLS {
        let client = ProbeClient::connect(running.url.replace("rpcx", protocol)).await?;
        for _ in 0..3 {
            assert_eq!(client.add(20, 22).await?, 42, "{protocol}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    Ok(())
}

/// What lies unread when the server is told to stop is answered, and the answers arrive although
/// the peer goes on writing.
#[tokio::test]
async fn what_is_unread_is_answered() -> Result<()> {
    const CALLS: usize = 2_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Probe.Add\",\"params\":[1,2]}\n";
    // They connect and write before anybody accepts.
    let mut sockets = Vec::new();
    for _ in 0..10 {
        let mut socket = TcpStream::connect(address).await.expect("it listens");
        socket.write_all(line.repeat(CALLS / 10).as_bytes()).await.expect("room");
        sockets.push(socket);
    }
    let bound = probe(Limits::default()).serve_listener(listener)?;
    bound.shutdown_handle().shutdown();
    let serving = tokio::spawn(bound.run());
    let mut answers = 0;
    for mut socket in sockets {
        let mut all = String::new();
        timeout(SOON, socket.read_to_string(&mut all)).await.expect("soon").expect("no reset");
        answers += all.matches("\"result\":3").count();
    }
    assert_eq!(answers, CALLS);
    serving.await.expect("no panic")
}

/// Health says so before the door closes.
#[tokio::test]
async fn health_fails_before_accepting_ends() -> Result<()> {
    let limits = Limits { drain_delay: Duration::from_millis(400), ..Limits::default() };
    let mut running = Running::start(probe(limits).health()).await;
    let address = running.url.trim_start_matches("rpcx://").to_owned();
    let ask = async || {
        let mut socket = TcpStream::connect(&address).await?;
        let request = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).await?;
        let mut all = String::new();
        socket.read_to_string(&mut all).await.map(|_| all)
    };
    assert!(ask().await.expect("it answers").starts_with("HTTP/1.1 200"));
    running.stop();
    let mut failing = 0;
    // While it accepts, it says that it is leaving; then nobody is let in any more.
    let refused = timeout(SOON, async {
        while let Ok(answer) = ask().await {
            failing += usize::from(answer.starts_with("HTTP/1.1 503"));
        }
    });
    refused.await.expect("the door closes");
    assert!(failing > 0, "it said nothing before");
    (&mut running.task).await.expect("no panic")
}

#[test]
fn a_refusal_says_that_it_may_be_repeated() {
    let status = Status::remote(Code::Unavailable, Status::leaving().text());
    assert_eq!((status.origin(), status.sent()), (Origin::Remote, Sent::No));
    assert!(status.is_leaving() && status.to_string().contains("not run"), "{status}");
    let other = Status::remote(Code::Unavailable, "the server is leaving");
    assert!(!other.is_leaving() && other.sent() == Sent::Yes);
}
