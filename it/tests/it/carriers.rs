//! Every protocol over every kind of stream; tunnels and requests as scripted servers answer them;
//! calls that are started before they are awaited; calls spread over connections.

use farcall::{Client, Code, Limits, Result, Sent, json};
use farcall_it::services::{Args, ProbeClient, Running, probe};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};

const PROTOCOLS: [&str; 4] = ["rpcx", "netrpc", "jsonrpc", "http"];

async fn over<T>(protocol: &str, ours: T, theirs: T) -> Result<()>
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    tokio::spawn(probe(Limits::default()).serve_stream(theirs));
    let client = ProbeClient::from_client(Client::over_as(protocol, ours)?);
    let calls: Vec<_> = (0..20).map(|n| tokio::spawn(client.mul(Args { a: n, b: 3 }))).collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic")?.c, 3 * n as i64, "{protocol}");
    }
    let body = vec![7; 20_000];
    assert_eq!(client.bytes(body.clone().into()).await?, body, "{protocol}");
    client.client().close().await
}

#[tokio::test]
async fn every_protocol_over_every_stream() -> Result<()> {
    for protocol in PROTOCOLS {
        for room in [7, 64, 65_536] {
            let (ours, theirs) = tokio::io::duplex(room);
            over(protocol, ours, theirs).await?;
        }
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        over(protocol, ours, theirs).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        over(protocol, ours.expect("a stream"), theirs.expect("a stream").0).await?;
    }
    let status = Client::over_as("smtp", tokio::io::duplex(64).0).expect_err("no such protocol");
    assert!(status.text().contains("no client of the protocol `smtp`"), "{status}");
    Ok(())
}

/// Over HTTP/1.1 a call that gave up takes the only stream with it, and that is said.
#[tokio::test]
async fn a_stream_that_was_handed_in_is_the_only_one() -> Result<()> {
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(probe(Limits::default()).serve_stream(theirs));
    let client = ProbeClient::from_client(Client::over_as("http", ours)?);
    assert_eq!(client.add(1, 2).await?, 3);
    let gave_up = tokio::time::timeout(Duration::from_millis(20), client.sleep(60_000)).await;
    assert!(gave_up.is_err());
    let status = client.add(1, 2).await.expect_err("there is no other stream");
    assert!(status.text().contains("the stream that was handed in has ended"), "{status}");
    Ok(())
}

#[tokio::test]
async fn started_calls_are_on_their_way() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("jsonrpc://{}", listener.local_addr().expect("an address"));
    let client = Client::lazy(&url)?;
    // Before there is a connection, and when it is open.
    let mut server = None;
    for round in 0..2 {
        let one = client.call("A.one", json!([round])).start();
        let two = client.call("A.two", json!([round])).start();
        if server.is_none() {
            server = Some(listener.accept().await.expect("a connection").0);
        }
        let server = server.as_mut().expect("a connection");
        let mut seen = String::new();
        while seen.lines().count() < 2 || !seen.ends_with('\n') {
            let mut part = [0; 4096];
            let count = server.read(&mut part).await.expect("both calls");
            seen.push_str(std::str::from_utf8(&part[..count]).expect("text"));
        }
        let (first, second) = (seen.find("A.one").expect(&seen), seen.find("A.two").expect(&seen));
        assert!(first < second, "{seen}");
        let id = |line: &str| line.rsplit("\"id\":").next().expect("an id").replace('}', "");
        let ids: Vec<_> = seen.lines().map(id).collect();
        for (id, result) in ids.iter().zip([1, 2]).rev() {
            let reply = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n");
            server.write_all(reply.as_bytes()).await.expect("written");
        }
        assert_eq!((one.await?, two.await?), (json!(1), json!(2)));
    }
    Ok(())
}

#[tokio::test]
async fn started_calls_end_with_their_handles() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    for protocol in PROTOCOLS {
        let url = running.url.replace("rpcx://", &format!("{protocol}://"));
        let limits = Limits {
            calls_in_flight: 2,
            connections_per_client: 2,
            message_bytes: 10_000,
            ..Limits::default()
        };
        let client = ProbeClient::builder(&url).limits(limits).build().await?;
        // More than there is room for: those in line are started too.
        let calls: Vec<_> = (0..10).map(|n| client.add(n, 1).start()).collect();
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await?, n as i64 + 1, "{protocol}");
        }
        drop((0..10).map(|_| client.sleep(60_000).start()).collect::<Vec<_>>());
        assert_eq!(client.add(1, 2).await?, 3, "{protocol}: what was dropped is given up");
        let too_long = client.bytes(vec![0; 20_000].into()).start();
        assert_eq!(too_long.await.expect_err("too long").code(), Code::ResourceExhausted);
        client.count(0).oneway().start().await?;
    }
    Ok(())
}

#[tokio::test]
async fn calls_spread_over_connections() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let relay = Running::start(probe(Limits::default())).await;
    let to = relay.url.replace("rpcx://", "");
    let (sender, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut ours, _)) = listener.accept().await {
            let _ = sender.send(());
            let to = to.clone();
            tokio::spawn(async move {
                let mut theirs = TcpStream::connect(to).await.expect("the server");
                let _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await;
            });
        }
    });
    for (protocol, count) in [("rpcx", 1), ("rpcx", 3), ("netrpc", 3)] {
        let url = format!("{protocol}://{address}");
        let client = ProbeClient::builder(&url).connections(count).build().await?;
        for n in 0..20 {
            assert_eq!(client.mul(Args { a: n, b: 2 }).await?.c, 2 * n);
        }
        for _ in 0..count {
            accepted.recv().await.expect("a connection");
        }
        assert!(accepted.try_recv().is_err(), "no more than {count}");
        client.client().close().await?;
        assert_eq!(client.add(1, 2).await.expect_err("closed").code(), Code::Cancelled);
    }
    Ok(())
}

/// Accepts one connection, reads until `end`, answers, and gives the stream on.
async fn greet(listener: &TcpListener, end: &str, answer: &str) -> (TcpStream, String) {
    let (mut socket, _) = listener.accept().await.expect("a connection");
    let mut seen = String::new();
    while !seen.ends_with(end) {
        let mut part = [0; 1024];
        let count = socket.read(&mut part).await.expect("a request");
        assert!(count > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    socket.write_all(answer.as_bytes()).await.expect("written");
    (socket, seen)
}

#[tokio::test]
async fn tunnels() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    for (protocol, option, request, status) in [
        ("rpcx", "", "CONNECT /_rpcx_ HTTP/1.0\n\n", "200 Connected to rpcx"),
        ("netrpc", "", "CONNECT /_goRPC_ HTTP/1.0\n\n", "200 Connected to Go RPC"),
        ("rpcx", "?path=/here", "CONNECT /here HTTP/1.0\n\n", "200 Connected to rpcx"),
    ] {
        let url = format!("{protocol}+http://{address}{option}");
        let client = ProbeClient::lazy(&url)?;
        let call = tokio::spawn(client.add(1, 2));
        let answer = format!("HTTP/1.0 {status}\n\n");
        let (socket, seen) = greet(&listener, "\n\n", &answer).await;
        assert_eq!(seen, request, "and nothing of the call before the answer");
        tokio::spawn(probe(Limits::default()).serve_stream(socket));
        assert_eq!(call.await.expect("no panic")?, 3);

        let client = ProbeClient::lazy(&url)?;
        let call = tokio::spawn(client.add(1, 2));
        let no = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let _socket = greet(&listener, "\n\n", no).await;
        let status = call.await.expect("no panic").expect_err("no tunnel");
        assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No));
        assert!(status.text().contains("unexpected HTTP response: 404 Not Found"), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn json_rpc_by_requests() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    for (option, path, reply) in [
        ("", "/jsonrpc", r#"{"jsonrpc":"2.0","id":ID,"result":{"C":42}}"#),
        ("?version=1&path=/rpc", "/rpc", r#"{"id":ID,"result":{"C":42},"error":null}"#),
    ] {
        let client = ProbeClient::lazy(format!("jsonrpc+http://{address}{option}"))?;
        let call = tokio::spawn(client.mul(Args { a: 6, b: 7 }).meta("tenant", "blue"));
        let (mut socket, seen) = greet(&listener, "}\n", "HTTP/1.1 200 OK\r\n").await;
        assert!(seen.contains("\r\ntenant: blue\r\n"), "{seen}");
        assert!(
            seen.starts_with(&format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n")),
            "{seen}"
        );
        let id = seen.trim_end().rsplit("\"id\":").next().expect("an id").replace('}', "");
        let reply = reply.replace("ID", &id);
        let rest = format!("Content-Length: {}\r\n\r\n{reply}", reply.len());
        socket.write_all(rest.as_bytes()).await.expect("written");
        assert_eq!(call.await.expect("no panic")?.c, 42);
        let folded = client.mul(Args { a: 6, b: 7 }).compress(farcall::Compress::Gzip);
        let status = folded.await.expect_err("no place for it");
        assert!(status.text().contains("jsonrpc does not carry compressed bodies"), "{status}");
    }
    Ok(())
}
