//! Connections that say nothing give way to those that do.

use farcall::{Limits, Result, Server};
use farcall_it::{
    http::{Http, post},
    services::{Args, ProbeClient, Running, probe},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

async fn connect(running: &Running) -> TcpStream {
    let address = running.url.trim_start_matches("rpcx://");
    TcpStream::connect(address).await.expect("the server accepts")
}

/// Whether the server has closed: waits for it, or for a while.
async fn closed(socket: &mut TcpStream, patience: Duration) -> bool {
    timeout(patience, socket.read(&mut [0; 4096])).await.is_ok_and(|r| matches!(r, Ok(0) | Err(_)))
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn the_longest_silent_gives_way() -> Result<()> {
    let limits = Limits { connections: 3, ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    // One that talks, and two that do not.
    let talker = ProbeClient::connect(&running.url).await?;
    talker.add(1, 2).await?;
    let mut silent = [connect(&running).await, connect(&running).await];
    talker.add(1, 2).await?;
    let mut talkers = Vec::new();
    for [a, b] in [[1, 2], [3, 4]] {
        let client = ProbeClient::connect(&running.url).await?;
        assert_eq!(client.add(a, b).await?, a + b);
        talkers.push(client);
    }
    for socket in &mut silent {
        assert!(closed(socket, LONG).await, "it gave way");
    }
    // Now all three have talked, and nobody gives way.
    let mut late = connect(&running).await;
    assert!(closed(&mut late, LONG).await, "there is no room");
    assert_eq!(talker.add(5, 6).await?, 11);
    Ok(())
}

#[tokio::test]
async fn the_order_is_that_of_coming() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(connect(&running).await);
    }
    // The second says something, and hears the answer.
    sockets[1].write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("written");
    assert!(!closed(&mut sockets[1], LONG).await);
    sockets.push(connect(&running).await);
    assert!(closed(&mut sockets[0], LONG).await, "the first gives way");
    sockets.push(connect(&running).await);
    assert!(closed(&mut sockets[2], LONG).await, "then the third");
    sockets[1].write_all(b"G").await.expect("written");
    assert!(!closed(&mut sockets[1], SHORT).await && !closed(&mut sockets[3], SHORT).await);
}

#[tokio::test]
async fn listeners_choose_what_they_speak() -> Result<()> {
    let bound = probe(Limits::default())
        .speak(["rpcx", "http", "jsonrpc"])
        .listen("tcp://127.0.0.1:0?speak=rpcx")
        .await?
        .listen("tcp://127.0.0.1:0?speak=http,jsonrpc")
        .await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let third = listener.local_addr().expect("an address").to_string();
    let bound = bound.serve_listener_as(["jsonrpc"], listener)?;
    let places: Vec<_> =
        bound.addresses().iter().map(|a| a.trim_start_matches("tcp://").to_owned()).collect();
    assert_eq!(places[2], third);
    let serving = tokio::spawn(bound.run());
    let speaks = [["rpcx", ""], ["http", "jsonrpc"], ["jsonrpc", ""]];
    for (place, speaks) in places.iter().zip(speaks) {
        for protocol in ["rpcx", "netrpc", "jsonrpc"] {
            let client = ProbeClient::connect(format!("{protocol}://{place}")).await?;
            let answer = client.mul(Args { a: 6, b: 7 }).await;
            assert_eq!(answer.is_ok(), speaks.contains(&protocol), "{protocol} at {place}");
            if let Err(status) = answer {
                assert!(status.text().contains("is not spoken"), "{protocol}: {status}");
            }
        }
        // Nor does a protocol come in behind another: not by CONNECT, nor posted.
        for way in ["rpcx+http", "netrpc+http", "jsonrpc+http"] {
            let protocol = way.trim_end_matches("+http");
            let answer = match ProbeClient::connect(format!("{way}://{place}")).await {
                Ok(client) => client.mul(Args { a: 6, b: 7 }).await,
                Err(status) => Err(status),
            };
            let spoken = speaks.contains(&"http") && speaks.contains(&protocol);
            assert_eq!(answer.is_ok(), spoken, "{way} at {place}: {answer:?}");
        }
        let mut http = Http::connect(place).await;
        let answer = http.call(&post("/Probe/Mul", "", "{\"A\":6,\"B\":7}")).await;
        assert_eq!(answer.status, if speaks.contains(&"http") { 200 } else { 421 }, "{place}");
    }
    serving.abort();
    for (url, why) in [
        ("tcp://127.0.0.1:0?speak=smtp", "protocol `smtp` is not built"),
        ("tcp://127.0.0.1:0?speak=netrpc", "the server speaks"),
        ("mem://gate-choice?speak=netrpc", "the server speaks"),
        ("tcp://127.0.0.1:0?talk=rpcx", "option `talk=rpcx`"),
    ] {
        let status = Server::new().speak(["rpcx"]).listen(url).await.expect_err(url);
        assert!(status.text().contains(why), "{status}");
    }
    let none = Server::new().speak([""; 0]).listen("tcp://127.0.0.1:0").await;
    assert!(none.expect_err("none").text().contains("speaks no protocol"));
    Ok(())
}
