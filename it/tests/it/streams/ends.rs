//! How streams end: by either side, well or badly, and each end is seen once.

use super::kit::*;
use farcall::{Client, Code, Limits, Result, Sent, Server, Status};
use farcall_it::windowed::NARROW;
use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

/// One call at a time, so that a slot which is lost is missed.
fn one() -> Limits {
    Limits { calls_per_connection: 1, ..Limits::default() }
}

/// Nothing is left: no handler, no slot on the server, no call on the client.
async fn clean(client: &RoomClient, counts: &Counts) -> Result<()> {
    until("the handlers are gone", || counts.alive() == 0).await;
    assert_eq!(within(client.add(1, 2)).await?, 3);
    within(client.client().close()).await
}

#[tokio::test]
async fn a_reader_leaves() -> Result<()> {
    for read in [0, 1, 30] {
        let (client, counts, _memory) = room(&NARROW, one());
        for _ in 0..5 {
            let mut lines = within(client.history(Since::lines(1_000_000, "end"))).await?;
            for _ in 0..read {
                within(lines.next()).await.expect("one more")?;
            }
            drop(lines);
        }
        clean(&client, &counts).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_caller_leaves() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, one());
    // Never polled: nothing happened.
    drop(client.upload(lines(3)));
    drop(client.history(Since::lines(3, "end")));
    for text in ["wait", "close", ""] {
        let (endless, made) = Endless::new(text, 0);
        let upload = tokio::spawn(client.upload(endless));
        until("it runs", || counts.taken() > 0 && counts.alive() == 1).await;
        upload.abort();
        until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
        until("the handler is gone", || counts.alive() == 0).await;
        counts.taken.store(0, Ordering::SeqCst);
    }
    let (endless, made) = Endless::new("", 0);
    let mut talk = within(client.talk(endless)).await?;
    within(talk.next()).await.expect("one")?;
    drop(talk);
    until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    // A call that does not stream is given up just so.
    let sleep = tokio::spawn(client.sleep(60_000));
    until("it sleeps", || counts.alive() == 1).await;
    sleep.abort();
    clean(&client, &counts).await
}

#[tokio::test]
async fn a_server_has_enough() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, one());
    let (endless, made) = Endless::new("enough", 0);
    assert_eq!(within(client.upload(endless)).await?, Summary { lines: 1, bytes: 6 });
    until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    let (endless, made) = Endless::new("fail", 0);
    let status = within(client.upload(endless)).await.expect_err("a bad line");
    assert_eq!((status.code(), status.sent()), (Code::OutOfRange, Sent::Yes), "{status}");
    until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    for (text, code) in [("stop", None), ("fail", Some(Code::Aborted))] {
        let (endless, made) = Endless::new(text, 0);
        let (none, end) = all(within(client.talk(endless)).await?).await;
        assert_eq!((none.len(), end.map(|status| status.code())), (0, code));
        until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    }
    clean(&client, &counts).await
}

#[tokio::test]
async fn an_error_comes_after_the_items() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, one());
    for (to, then, code) in [
        (0, "fail", Code::NotFound),
        (100, "fail", Code::NotFound),
        (0, "refuse", Code::PermissionDenied),
    ] {
        let (lines, end) = all(within(client.history(Since::lines(to, then))).await?).await;
        let status = end.expect("an error");
        assert_eq!((lines.len() as u64, status.code()), (to, code), "{status}");
        assert_eq!((status.sent(), status.origin()), (Sent::Yes, farcall::Origin::Remote));
    }
    let said = farcall::stream::iter([line(0, "a"), line(1, "b"), line(2, "fail"), line(3, "c")]);
    let (lines, end) = all(within(client.talk(said)).await?).await;
    assert_eq!((lines.len(), end.map(|status| status.code())), (2, Some(Code::Aborted)));
    let status = within(client.upload(farcall::stream::iter([line(0, ""), line(1, "fail")])));
    assert_eq!(status.await.expect_err("a bad line").code(), Code::OutOfRange);
    clean(&client, &counts).await
}

#[tokio::test]
async fn panics_cost_one_call() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, one());
    let (_, end) = all(within(client.history(Since::lines(3, "panic"))).await?).await;
    let (endless, _) = Endless::new("panic", 0);
    let upload = within(client.upload(endless)).await.expect_err("a panic");
    let (endless, _) = Endless::new("panic", 0);
    let (_, talk) = all(within(client.talk(endless)).await?).await;
    for status in [end.expect("an error"), upload, talk.expect("an error")] {
        assert_eq!(status.code(), Code::Internal, "{status}");
        assert!(!status.text().contains("secret"), "{status}");
    }
    clean(&client, &counts).await
}

/// Panics at its third item.
struct Bomb(u64);

impl farcall::Stream for Bomb {
    type Item = Line;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Line>> {
        self.0 += 1;
        assert!(self.0 < 3, "on purpose");
        Poll::Ready(Some(line(self.0, "")))
    }
}

#[tokio::test]
async fn a_callers_stream_panics() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, one());
    let status = within(client.upload(Bomb(0))).await.expect_err("a panic");
    assert_eq!(status.code(), Code::Internal, "{status}");
    let (_, end) = all(within(client.talk(Bomb(0))).await?).await;
    assert_eq!(end.expect("an error").code(), Code::Internal);
    clean(&client, &counts).await
}

#[tokio::test]
async fn time_is_up() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, one());
    let soon = Duration::from_millis(30);
    let late = |status: Status| {
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert_ne!(status.sent(), Sent::No, "{status}");
    };
    for then in ["wait", "end"] {
        // Not read, or without an end: either way it does not last.
        let mut lines = within(client.history(Since::lines(1_000, then)).deadline(soon)).await?;
        until("it runs", || counts.made() > 0).await;
        until("the handler is gone", || counts.alive() == 0).await;
        let status = loop {
            match within(lines.next()).await {
                Some(Ok(_)) => {}
                Some(Err(status)) => break status,
                None => panic!("an end without its reason"),
            }
        };
        late(status);
        assert!(within(lines.next()).await.is_none());
        counts.made.store(0, Ordering::SeqCst);
    }
    let (endless, made) = Endless::new("wait", 0);
    late(within(client.upload(endless).deadline(soon)).await.expect_err("late"));
    until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    let (endless, _) = Endless::new("", 0);
    let mut talk = within(client.talk(endless).deadline(soon)).await?;
    loop {
        match within(talk.next()).await {
            Some(Ok(_)) => {}
            Some(Err(status)) => break late(status),
            None => panic!("an end without its reason"),
        }
    }
    clean(&client, &counts).await
}

#[tokio::test]
async fn the_connection_is_lost() -> Result<()> {
    let hall = Hall::default();
    let counts = Arc::clone(&hall.counts);
    let (ours, theirs) = tokio::io::duplex(1024);
    let server = Server::new().add(RoomServer::new(hall)).protocol(&NARROW);
    let serving = tokio::spawn(server.serve_stream(theirs));
    let client = RoomClient::from_client(Client::over_protocol(&NARROW, ours));
    let mut history = within(client.history(Since::lines(1, "wait"))).await?;
    within(history.next()).await.expect("a line")?;
    let (waiting, _) = Endless::new("wait", 0);
    let upload = tokio::spawn(client.upload(waiting));
    let (endless, made) = Endless::new("", 0);
    let mut talk = within(client.talk(endless)).await?;
    within(talk.next()).await.expect("a line")?;
    until("all run", || counts.alive() == 3).await;
    serving.abort();
    let lost = |status: Status| {
        assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::Maybe), "{status}");
    };
    let (_, end) = all(history).await;
    lost(end.expect("an error"));
    let (_, end) = all(talk).await;
    lost(end.expect("an error"));
    lost(within(upload).await.expect("no panic").expect_err("lost"));
    until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    until("the handlers are gone", || counts.alive() == 0).await;
    Ok(())
}

/// The client's side is closed while handlers wait: they do not wait for ever.
#[tokio::test]
async fn the_client_is_gone() -> Result<()> {
    let (client, counts, memory) = room(&NARROW, Limits::default());
    let history = within(client.history(Since::lines(1, "wait"))).await?;
    let (endless, _) = Endless::new("wait", 0);
    let upload = tokio::spawn(client.upload(endless));
    until("both run", || counts.alive() == 2).await;
    upload.abort();
    // A stream keeps its connection.
    drop(client);
    tokio::time::sleep(Duration::from_millis(20)).await;
    until("one runs", || counts.alive() == 1).await;
    drop(history);
    until("the handlers are gone", || counts.alive() == 0).await;
    drop(memory);
    Ok(())
}

/// A client that is closed waits for its streams as long as for any call, and cuts them then.
#[tokio::test]
async fn a_client_is_closed() -> Result<()> {
    let limits = Limits { call_time: Some(Duration::from_millis(100)), ..Limits::default() };
    let (client, counts, _memory) = room(&NARROW, limits);
    let history = within(client.history(Since::lines(1, "wait"))).await?;
    let (endless, made) = Endless::new("", 0);
    let talk = within(client.talk(endless)).await?;
    until("both run", || counts.alive() == 2).await;
    within(client.client().close()).await.expect_err("neither has an end");
    for (_, end) in [all(history).await, all(talk).await] {
        assert_ne!(end.expect("cut").sent(), Sent::No);
    }
    until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    until("the handlers are gone", || counts.alive() == 0).await;
    let status = within(client.add(1, 2)).await.expect_err("closed");
    assert_eq!(status.code(), Code::Cancelled, "{status}");
    Ok(())
}

#[tokio::test]
async fn draining_waits_for_streams() -> Result<()> {
    for (then, name, patient) in [("end", "drain-well", true), ("wait", "drain-cut", false)] {
        let hall = Hall::default();
        let counts = Arc::clone(&hall.counts);
        let drain_time = if patient { SOON } else { Duration::from_millis(100) };
        let limits = Limits { drain_time, ..Limits::default() };
        let server = Server::new().add(RoomServer::new(hall)).protocol(&NARROW).limits(limits);
        let bound = server.listen("tcp://127.0.0.1:0").await?;
        let address = bound.addresses()[0].replace("tcp://", "");
        let stop = bound.shutdown_handle();
        let serving = tokio::spawn(bound.run());
        let socket = tokio::net::TcpStream::connect(address).await.expect(name);
        let client = RoomClient::from_client(Client::over_protocol(&NARROW, socket));
        let mut lines = within(client.history(Since::lines(300, then))).await?;
        let upload = tokio::spawn(client.upload(slow(20)));
        within(lines.next()).await.expect("a line")?;
        until("both run", || counts.alive() == 2).await;
        stop.shutdown();
        let (rest, end) = all(lines).await;
        let ended = within(serving).await.expect("no panic");
        if patient {
            assert_eq!((rest.len(), end), (299, None));
            assert_eq!(within(upload).await.expect("no panic")?.lines, 20);
            ended?;
        } else {
            assert_eq!(end.expect("cut").code(), Code::Unavailable);
            upload.abort();
            assert!(ended.is_err());
        }
        until("the handlers are gone", || counts.alive() == 0).await;
    }
    Ok(())
}

/// A line now and then.
fn slow(count: u64) -> impl farcall::Stream<Item = Line> + Send + 'static {
    let (say, said) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for number in 0..count {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let _ = say.send(line(number, "")).await;
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(said)
}
