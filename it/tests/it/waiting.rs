//! Callers that wait for room, for a connection, or for the end: nobody is forgotten.

use farcall::{__private as core, Client, Limits, Result, Sent, json};
use farcall_it::{
    frames::Frame,
    services::{ProbeClient, Running, probe},
};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    task::{JoinHandle, yield_now},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(5);

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn narrow(most: usize) -> Limits {
    Limits { calls_in_flight: most, ..Limits::default() }
}

async fn one_at_a_time() -> (Running, ProbeClient) {
    let running = Running::start(probe(Limits::default())).await;
    let client = ProbeClient::builder(&running.url).limits(narrow(1)).build().await;
    (running, client.expect("a connection"))
}

#[tokio::test]
async fn who_leaves_the_line_passes_the_turn_on() -> Result<()> {
    let (_running, client) = one_at_a_time().await;
    for leaver in 0..3 {
        let first = tokio::spawn(client.sleep(50));
        settle().await;
        let mut line: Vec<JoinHandle<Result<i64>>> = Vec::new();
        for i in 0..3 {
            line.push(tokio::spawn(client.add(i, i).deadline(SOON)));
            settle().await;
        }
        line.remove(leaver).abort();
        first.await.expect("no panic")?;
        for call in line {
            call.await.expect("no panic")?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_is_called_and_leaves_passes_the_turn_on() -> Result<()> {
    let (_running, client) = one_at_a_time().await;
    for _ in 0..50 {
        let first = tokio::spawn(client.sleep(1));
        settle().await;
        // Dropped at the moment it would have its turn, or near it.
        let hasty = client.clone();
        let hasty =
            tokio::spawn(timeout(
                Duration::from_millis(2),
                async move { hasty.sleep(1_000).await },
            ));
        let last = tokio::spawn(client.add(1, 2).deadline(SOON));
        first.await.expect("no panic")?;
        assert_eq!(last.await.expect("no panic")?, 3);
        let _ = hasty.await;
    }
    Ok(())
}

#[tokio::test]
async fn an_abandoned_slot_calls_the_next() -> Result<()> {
    let (_running, client) = one_at_a_time().await;
    let first = tokio::spawn(client.sleep(60_000).no_deadline());
    settle().await;
    let second = tokio::spawn(client.add(1, 2).deadline(SOON));
    settle().await;
    first.abort();
    assert_eq!(second.await.expect("no panic")?, 3);
    Ok(())
}

#[tokio::test]
async fn nobody_jumps_the_queue() -> Result<()> {
    let (_running, client) = one_at_a_time().await;
    let done: Arc<[AtomicUsize; 2]> = Arc::default();
    let callers = (0..2).map(|me| {
        let (client, done) = (client.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            for _ in 0..200 {
                client.add(1, 2).await?;
                done[me].fetch_add(1, Ordering::SeqCst);
            }
            Ok::<_, farcall::Status>(done[1 - me].load(Ordering::SeqCst))
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        let others = caller.await.expect("no panic")?;
        assert!(others >= 100, "one had 200 turns, the other {others}");
    }
    Ok(())
}

#[tokio::test]
async fn deadlines_may_be_as_long_as_they_like() -> Result<()> {
    let client = ProbeClient::over(probe(Limits::default()).memory());
    assert_eq!(client.add(1, 2).deadline(Duration::MAX).await?, 3);
    assert_eq!(client.sleep(1).deadline(Duration::MAX).await?, 1);
    let endless = Limits {
        call_time: Some(Duration::MAX),
        connect_time: Duration::MAX,
        write_stall: Duration::MAX,
        head_time: Duration::MAX,
        silence: Duration::MAX,
        idle: Some(Duration::MAX),
        turn_time: Duration::MAX,
        drain_time: Duration::MAX,
        message_bytes: usize::MAX,
        output_bytes: usize::MAX,
        client_output_bytes: usize::MAX,
        meta_bytes: usize::MAX,
        calls: usize::MAX,
        ..Limits::default()
    };
    let mut running = Running::start(probe(endless.clone())).await;
    let client = ProbeClient::builder(&running.url).limits(endless).build().await?;
    assert_eq!(client.sleep(1).await?, 1);
    let body = vec![1; 1 << 20];
    assert_eq!(client.bytes(body.clone().into()).await?, body);
    running.stop();
    (&mut running.task).await.expect("no panic")
}

#[tokio::test]
async fn limits_of_nothing_still_serve() -> Result<()> {
    let nothing = Limits {
        calls_per_connection: 0,
        turn_calls: 0,
        turn_bytes: 0,
        turn_time: Duration::ZERO,
        output_bytes: 0,
        client_output_bytes: 0,
        calls_in_flight: 0,
        ..Limits::default()
    };
    let running = Running::start(probe(nothing.clone())).await;
    let client = ProbeClient::builder(&running.url).limits(nothing).build().await?;
    for i in 0..20 {
        assert_eq!(client.add(i, 1).await?, i + 1);
        client.sleep(1).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_no_server_would_take_is_not_sent() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let client = ProbeClient::connect(&running.url).await?;
    let long = "x".repeat(70_000);
    let refused = |status: farcall::Status, limit: &str| {
        assert_eq!(status.sent(), Sent::No, "{status}");
        assert!(status.text().contains(limit), "{status}");
    };
    let status = client.add(1, 2).meta("k", &long).await.expect_err("too long");
    refused(status, "Limits::meta_bytes");
    let common = client.clone().meta("k", &long);
    let status = common.add(1, 2).oneway().await.expect_err("too long");
    refused(status, "Limits::meta_bytes");
    let raw = client.client();
    let status = raw.call(format!("{long}.Mul"), json!({})).await.expect_err("too long");
    refused(status, "Limits::name_bytes");
    let status = raw.call(format!("Probe.{long}"), json!({})).await.expect_err("too long");
    refused(status, "Limits::name_bytes");
    // The body fits, the message around it does not.
    let body = vec![1; (16 << 20) - 10];
    let status = raw.call_raw("Probe.Bytes", body).await.expect_err("too long");
    refused(status, "Limits::message_bytes");
    assert_eq!(client.add(1, 2).await?, 3, "the connection is as it was");
    Ok(())
}

/// A value that panics when it is written.
struct Bomb;

impl core::Shaped for Bomb {
    const SHAPE: core::Shape = <u64 as core::Shaped>::SHAPE;
}

impl core::Put for Bomb {
    fn is_blank(&self) -> bool {
        false
    }
    fn put_to<S: core::Sink + ?Sized>(&self, _: &'static core::Shape, _: &mut S) {
        panic!("a value that cannot be written");
    }
}

#[tokio::test]
async fn an_argument_that_panics_leaves_no_trace() -> Result<()> {
    let (_running, client) = one_at_a_time().await;
    let raw = client.client().clone();
    for _ in 0..3 {
        let raw = raw.clone();
        let call = tokio::spawn(async move { raw.call_as::<_, u64>("Probe.Sleep", Bomb).await });
        assert!(call.await.expect_err("a panic").is_panic());
        assert_eq!(client.add(1, 2).deadline(SOON).await?, 3);
    }
    Ok(())
}

#[test]
fn a_poll_outside_a_runtime_is_an_error_and_nothing_else() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let running = runtime.block_on(Running::start(probe(Limits::default())));
    let client = ProbeClient::lazy(&running.url).expect("a good URL");
    let mut cx = Context::from_waker(Waker::noop());
    let outside = pin!(client.add(1, 2)).poll(&mut cx);
    assert!(matches!(outside, std::task::Poll::Ready(Err(_))), "an error");
    let sum = runtime.block_on(async { client.add(1, 2).deadline(SOON).await });
    assert_eq!(sum.expect("an answer"), 3);
    let outside = pin!(client.add(1, 2)).poll(&mut cx);
    assert!(outside.is_pending(), "once the client runs, any thread may begin a call");
    runtime.block_on(async { drop(running) });
}

#[test]
fn a_client_outlives_its_runtime() {
    let serving = tokio::runtime::Runtime::new().expect("a runtime");
    let running = serving.block_on(Running::start(probe(Limits::default())));
    let client = ProbeClient::lazy(&running.url).expect("a good URL");
    for _ in 0..3 {
        let calling = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let calling = calling.expect("a runtime");
        let sum = calling.block_on(async { client.add(1, 2).deadline(SOON).await });
        assert_eq!(sum.expect("an answer"), 3);
    }
    serving.block_on(async { drop(running) });
}

/// The frames that arrive until the end.
async fn frames(mut io: impl tokio::io::AsyncRead + Unpin) -> Vec<Frame> {
    let mut bytes = Vec::new();
    let _ = timeout(SOON, io.read_to_end(&mut bytes)).await.expect("an end");
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some((frame, length)) = Frame::cut(&bytes[at..]) {
        frames.push(frame);
        at += length;
    }
    assert_eq!(at, bytes.len(), "whole frames");
    frames
}

#[tokio::test]
async fn a_dropped_client_writes_what_it_took() -> Result<()> {
    let (ours, theirs) = tokio::io::duplex(1024);
    let client = Client::over(ours);
    for i in 0..20 {
        client.call("A.B", json!({"i": i, "pad": "x".repeat(3_000)})).oneway().await?;
        settle().await;
    }
    drop(client);
    settle().await;
    assert_eq!(frames(theirs).await.len(), 20);
    Ok(())
}

#[tokio::test]
async fn a_stream_with_a_buffer_of_its_own_is_flushed() -> Result<()> {
    use tokio::io::BufStream;
    // Each end keeps what it is given, and can hand on little at once.
    let (ours, theirs) = tokio::io::duplex(64);
    tokio::spawn(probe(Limits::default()).serve_stream(BufStream::new(theirs)));
    let client = ProbeClient::over(BufStream::new(ours));
    for size in [0, 10, 100, 1_000, 10_000, 100_000] {
        let body = vec![7; size];
        assert_eq!(client.bytes(body.clone().into()).deadline(SOON).await?, body, "{size}");
    }
    Ok(())
}

#[tokio::test]
async fn closing_waits_for_output_and_answers() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let unused = ProbeClient::lazy(&running.url).expect("a good URL");
    unused.client().close().await?;
    let client = ProbeClient::connect(&running.url).await?;
    let slow = tokio::spawn(client.sleep(100));
    settle().await;
    client.count(0).oneway().await?;
    client.client().close().await?;
    slow.await.expect("no panic")?;
    let status = client.add(1, 2).await.expect_err("closed");
    assert_eq!((status.text(), status.sent()), ("the client is closed", Sent::No));
    let status = client.client().ready().await.expect_err("closed");
    assert_eq!(status.text(), "the client is closed");
    // Again, and after the end.
    client.client().close().await
}

#[tokio::test]
async fn closing_writes_to_a_slow_reader() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", listener.local_addr().expect("an address"));
    let client = Client::connect(url).await?;
    let (socket, _) = listener.accept().await.expect("a connection");
    for i in 0..300 {
        client.call("A.B", json!({"i": i, "pad": "x".repeat(30_000)})).oneway().await?;
    }
    let closing = tokio::spawn(async move { client.close().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!closing.is_finished(), "nine megabytes fit in no socket");
    let reading = frames(socket);
    let (closed, read) = tokio::join!(closing, reading);
    closed.expect("no panic")?;
    assert_eq!(read.len(), 300);
    Ok(())
}

#[tokio::test]
async fn closing_does_not_wait_for_ever() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", listener.local_addr().expect("an address"));
    let limits = Limits { call_time: Some(Duration::from_millis(100)), ..Limits::default() };
    let client = Client::builder(url).limits(limits).build().await?;
    let _deaf = listener.accept().await.expect("a connection");
    for _ in 0..20 {
        client.call_raw("A.B", vec![0; 1 << 20]).oneway().await?;
    }
    let status = client.close().await.expect_err("nobody reads");
    assert_eq!(status.code(), farcall::Code::DeadlineExceeded, "{status}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_read_is_left() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", listener.local_addr().expect("an address"));
    let write_stall = Duration::from_millis(100);
    let limits = Limits { client_output_bytes: 1 << 20, write_stall, ..Limits::default() };
    let client = Client::builder(url).limits(limits).build().await?;
    let _deaf = listener.accept().await.expect("a connection");
    let calls = (0..40).map(|_| {
        let call = client.call_raw("A.B", vec![0; 1 << 20]);
        tokio::spawn(call.deadline(Duration::from_secs(60)))
    });
    for call in calls.collect::<Vec<_>>() {
        let status = call.await.expect("no panic").expect_err("nobody answers");
        assert_ne!(status.sent(), Sent::Yes, "{status}");
        assert_eq!(status.code(), farcall::Code::Unavailable, "{status}");
        if status.text().contains("Limits::write_stall") {
            return Ok(());
        }
    }
    panic!("nobody was told that the server does not read");
}

#[tokio::test]
async fn a_server_that_accepts_and_closes_is_not_stormed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rpcx://{}", listener.local_addr().expect("an address"));
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let accepting = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            drop(socket);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let client = ProbeClient::lazy(&url).expect("a good URL");
    let until = tokio::time::Instant::now() + Duration::from_millis(600);
    while tokio::time::Instant::now() < until {
        client.add(1, 2).await.expect_err("nobody serves");
    }
    let accepted = accepted.load(Ordering::SeqCst);
    assert!((2..=12).contains(&accepted), "{accepted} connections in 0.6 s");
    accepting.abort();
}
