//! What a client does when things go wrong below it.

use farcall::{Client, Code, Limits, Result, Sent, Server, json};
use farcall_it::services::{Args, ProbeClient, ProbeServer, Prober, Running, probe};
use std::time::Duration;
use tokio::net::TcpListener;

fn quick() -> Limits {
    Limits { reconnect: (Duration::from_millis(5), Duration::from_millis(20)), ..Limits::default() }
}

#[tokio::test]
async fn nobody_listens() {
    // Bound and dropped: nobody is there, and nobody will be.
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", port.local_addr().expect("an address"));
    drop(port);
    let status = ProbeClient::connect(&url).await.expect_err("nobody listens");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No), "{status}");
    assert!(status.to_string().contains(&url[7..]), "names the address: {status}");
    let lazy = ProbeClient::lazy(&url).expect("a good URL");
    let status = lazy.mul(Args { a: 1, b: 2 }).await.expect_err("nobody listens");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No), "{status}");
}

#[tokio::test]
async fn a_lost_connection_is_replaced() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let address = running.url.replace("rpcx://", "tcp://");
    let client = ProbeClient::builder(&running.url).limits(quick()).build().await?;
    assert_eq!(client.add(1, 2).await?, 3);
    running.stop();
    drop(running);
    let status = loop {
        match client.add(1, 2).deadline(Duration::from_millis(300)).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(status) => break status,
        }
    };
    assert_ne!(status.sent(), Sent::Yes, "{status}");
    let bound = loop {
        match Server::new().add(ProbeServer::new(Prober::default())).listen(&address).await {
            Ok(bound) => break bound,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    tokio::spawn(bound.run());
    for _ in 0..200 {
        if client.add(1, 2).await.is_ok_and(|sum| sum == 3) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the client did not come back");
}

#[tokio::test]
async fn a_server_that_dies_fails_what_was_in_flight() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", listener.local_addr().expect("an address"));
    let client = Client::builder(&url).limits(quick()).lazy().expect("a good URL");
    let call = tokio::spawn(client.call("A.B", json!({})));
    let (socket, _) = listener.accept().await.expect("a connection");
    socket.readable().await.expect("a request");
    drop(socket);
    let status = call.await.expect("no panic").expect_err("the connection died");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::Maybe), "{status}");
}

#[tokio::test]
async fn a_server_that_speaks_nonsense() {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", listener.local_addr().expect("an address"));
    let client = Client::builder(&url).limits(quick()).lazy().expect("a good URL");
    let call = tokio::spawn(client.call("A.B", json!({})));
    let (mut socket, _) = listener.accept().await.expect("a connection");
    socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    let status = call.await.expect("no panic").expect_err("nonsense");
    assert!(status.text().contains("the server broke the protocol"), "{status}");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_one_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", listener.local_addr().expect("an address"));
    // Connected before the clock runs, and a deadline that a busy machine writes within.
    let (client, accepted) = tokio::join!(Client::connect(&url), listener.accept());
    let (client, (_socket, _)) = (client.expect("connected"), accepted.expect("a connection"));
    let calls = (0..100).map(|i| {
        let time = Duration::from_millis(1_000 + i % 30);
        tokio::spawn(client.call("A.B", json!({})).deadline(time))
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        let status = call.await.expect("no panic").expect_err("no answer");
        assert_eq!((status.code(), status.sent()), (Code::DeadlineExceeded, Sent::Maybe));
    }
}

#[tokio::test]
async fn dropped_calls_free_their_slots() -> Result<()> {
    let limits = Limits { calls_in_flight: 8, ..Limits::default() };
    let running = Running::start(probe(Limits::default())).await;
    let client = ProbeClient::builder(&running.url).limits(limits).build().await?;
    for _ in 0..50 {
        let calls: Vec<_> = (0..8).map(|_| tokio::spawn(client.sleep(30_000))).collect();
        tokio::task::yield_now().await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        for call in calls {
            let _ = call.await;
        }
        assert_eq!(client.add(1, 2).await?, 3);
    }
    Ok(())
}

#[tokio::test]
async fn more_callers_than_slots_wait_their_turn() -> Result<()> {
    let limits = Limits { calls_in_flight: 4, ..Limits::default() };
    let running = Running::start(probe(Limits::default())).await;
    let client = ProbeClient::builder(&running.url).limits(limits).build().await?;
    let calls: Vec<_> = (0..64).map(|_| tokio::spawn(client.sleep(2))).collect();
    for call in calls {
        let together = call.await.expect("no panic")?;
        assert!(together <= 4, "{together}");
    }
    Ok(())
}

#[tokio::test]
async fn an_argument_too_long_never_leaves() -> Result<()> {
    let limits = Limits { message_bytes: 10_000, ..Limits::default() };
    let running = Running::start(probe(Limits::default())).await;
    let client = ProbeClient::builder(&running.url).limits(limits).build().await?;
    let status = client.bytes(vec![0; 20_000].into()).await.expect_err("too long");
    assert_eq!((status.code(), status.sent()), (Code::ResourceExhausted, Sent::No), "{status}");
    assert!(status.text().contains("Limits::message_bytes"), "{status}");
    assert_eq!(client.add(1, 2).await?, 3);
    Ok(())
}

#[tokio::test]
async fn over_any_stream() -> Result<()> {
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(probe(Limits::default()).serve_stream(theirs));
    let client = ProbeClient::over(ours);
    assert_eq!(client.add(1, 2).await?, 3);
    let body = vec![7; 100_000];
    assert_eq!(client.bytes(body.clone().into()).await?, body);
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(probe(Limits::default()).serve_stream(theirs));
    assert_eq!(ProbeClient::over_as("netrpc", ours)?.add(1, 2).await?, 3);
    assert!(ProbeClient::over_as("smtp", tokio::io::duplex(64).0).is_err());
    Ok(())
}

#[tokio::test]
async fn memory_listeners_have_names() -> Result<()> {
    let bound = probe(Limits::default()).listen("mem://here").await?;
    assert!(probe(Limits::default()).listen("mem://here").await.is_err(), "the name is taken");
    let serving = tokio::spawn(bound.run());
    let client = ProbeClient::connect("rpcx+mem://here").await?;
    assert_eq!(client.add(1, 2).await?, 3);
    serving.abort();
    Ok(())
}
