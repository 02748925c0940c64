//! Peers that do what no honest one does, on either side of a connection.

use super::kit::*;
use farcall::{Client, Code, Limits, Result, Server, Status};
use farcall_it::windowed::{HEAD, NARROW, frame, kind};
use std::sync::{Arc, atomic::Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A call's payload: flags, format, compression, deadline, names, no metadata, body.
fn opening(flags: u8, method: &str, body: &[u8]) -> Vec<u8> {
    let mut payload = vec![flags, 1, 0];
    payload.extend_from_slice(&u64::MAX.to_be_bytes());
    for name in ["chat.Room", method] {
        payload.extend_from_slice(&(name.len() as u16).to_be_bytes());
        payload.extend_from_slice(name.as_bytes());
    }
    payload.extend_from_slice(&[0, 0]);
    payload.extend_from_slice(body);
    payload
}

fn item(last: u8, body: &[u8]) -> Vec<u8> {
    [&[last, 1, 0], body].concat()
}

const END: &[u8] = &[0, 0, 0, 0, 0];

/// Writes a frame; false when the other side has closed.
async fn say(io: &mut DuplexStream, kind: u8, seq: u64, payload: &[u8]) -> bool {
    let mut bytes = Vec::new();
    frame(kind, seq, payload, &mut bytes);
    io.write_all(&bytes).await.is_ok()
}

/// The next frame's kind, number and payload; none at the end.
async fn hear(io: &mut DuplexStream) -> Option<(u8, u64, Vec<u8>)> {
    let mut head = [0; HEAD];
    within(io.read_exact(&mut head)).await.ok()?;
    let length = u32::from_be_bytes(head[2..6].try_into().expect("four bytes")) as usize;
    let seq = u64::from_be_bytes(head[6..].try_into().expect("eight bytes"));
    let mut payload = vec![0; length];
    within(io.read_exact(&mut payload)).await.ok()?;
    Some((head[1], seq, payload))
}

fn serve(limits: Limits) -> (DuplexStream, Arc<Counts>) {
    let hall = Hall::default();
    let counts = Arc::clone(&hall.counts);
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = Server::new().add(RoomServer::new(hall)).protocol(&NARROW).limits(limits);
    tokio::spawn(server.serve_stream(theirs));
    (ours, counts)
}

#[tokio::test]
async fn who_breaks_the_protocol_is_cut_off() {
    let upload = opening(1, "Upload", b"");
    let cases: [&[(u8, Vec<u8>)]; 5] = [
        &[(kind::END, END.to_vec()), (kind::ITEM, item(1, b"{}"))],
        &[(kind::END, END.to_vec()), (kind::END, END.to_vec())],
        &[(kind::ITEM, item(1, &[b' '; 100]))],
        &[(kind::CALL, upload.clone())],
        &[(99, vec![])],
    ];
    for frames in cases {
        let (mut io, counts) = serve(Limits::default());
        assert!(say(&mut io, kind::CALL, 5, &upload).await);
        for (kind, payload) in frames {
            say(&mut io, *kind, 5, payload).await;
        }
        while hear(&mut io).await.is_some() {}
        until("the handler is gone", || counts.alive() == 0).await;
    }
}

#[tokio::test]
async fn streams_opened_and_given_up_for_ever() {
    let limits = Limits { calls_per_connection: 4, parked_calls: 4, ..Limits::default() };
    let (io, counts) = serve(limits);
    let (mut read, mut write) = tokio::io::split(io);
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = read.read_to_end(&mut all).await;
        all
    });
    let history = opening(2, "History", br#"{"to":1000,"then":"wait"}"#);
    for seq in 0..5_000 {
        let mut bytes = Vec::new();
        frame(kind::CALL, seq, &history, &mut bytes);
        frame(kind::CALL, seq + 10_000, &opening(1, "Upload", b""), &mut bytes);
        frame(kind::ITEM, seq + 10_000, &item(1, br#"{"text":"wait"}"#), &mut bytes);
        for seq in [seq, seq, seq + 10_000, seq + 77] {
            frame(kind::CANCEL, seq, &[], &mut bytes);
            frame(kind::ITEM, seq, &item(1, b"{}"), &mut bytes);
            frame(kind::WINDOW, seq, &[0, 0, 1, 0], &mut bytes);
        }
        frame(kind::WINDOW, u64::MAX, &[0, 0, 1, 0], &mut bytes);
        assert!(write.write_all(&bytes).await.is_ok());
        assert!(counts.alive() <= 4, "no more than there are slots");
    }
    until("the handlers are gone", || counts.alive() == 0).await;
    let mut bytes = Vec::new();
    frame(kind::CALL, 99_999, &opening(0, "Add", br#"{"a":1,"b":2}"#), &mut bytes);
    assert!(write.write_all(&bytes).await.is_ok() && write.shutdown().await.is_ok());
    let all = within(reading).await.expect("no panic");
    let mut answer = Vec::new();
    frame(kind::REPLY, 99_999, &[0, 0, 0, 1, 0, 0, 0, b'3'], &mut answer);
    assert!(all.ends_with(&answer), "the last word answers the last call");
}

/// A server by hand: what it is asked, and a client that asks.
async fn asked() -> (DuplexStream, RoomClient) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    (theirs, RoomClient::from_client(Client::over_protocol(&NARROW, ours)))
}

#[tokio::test]
async fn a_server_that_talks_too_much() -> Result<()> {
    // One end, whatever else is said; the connection goes on.
    let (mut io, client) = asked().await;
    let mut lines = within(client.history(Since::default())).await?;
    let (_, seq, _) = hear(&mut io).await.expect("a call");
    let line = br#"{"number":1,"text":""}"#;
    say(&mut io, kind::ITEM, seq, &item(1, line)).await;
    say(&mut io, kind::ITEM, seq + 1, &item(1, line)).await;
    for _ in 0..2 {
        say(&mut io, kind::END, seq, END).await;
        say(&mut io, kind::END, seq, &[5, 0, 0, 0, 0]).await;
        say(&mut io, kind::ITEM, seq, &item(1, line)).await;
        say(&mut io, kind::CANCEL, seq, &[]).await;
    }
    let one = within(lines.next()).await.expect("one")?;
    assert_eq!(one.number, 1);
    assert!(within(lines.next()).await.is_none());
    let adding = tokio::spawn(client.add(1, 2));
    let seq = loop {
        match hear(&mut io).await.expect("a call") {
            (kind::CALL, seq, _) => break seq,
            (kind, ..) => assert_eq!(kind, kind::WINDOW),
        }
    };
    say(&mut io, kind::REPLY, seq, &[0, 0, 0, 1, 0, 0, 0, b'3']).await;
    assert_eq!(within(adding).await.expect("no panic")?, 3);
    Ok(())
}

#[tokio::test]
async fn a_server_that_gives_up() -> Result<()> {
    let (mut io, client) = asked().await;
    let mut history = within(client.history(Since::default())).await?;
    let (endless, made) = Endless::new("", 0);
    let upload = tokio::spawn(client.upload(endless));
    let sleep = tokio::spawn(client.sleep(60_000));
    let mut seqs = Vec::new();
    while seqs.len() < 3 {
        let (kind, seq, _) = hear(&mut io).await.expect("a call");
        if kind == kind::CALL {
            seqs.push(seq);
        }
    }
    for seq in seqs {
        say(&mut io, kind::CANCEL, seq, &[]).await;
    }
    let gave_up = |status: Status| assert_eq!(status.code(), Code::Cancelled, "{status}");
    gave_up(within(history.next()).await.expect("an end").expect_err("given up"));
    assert!(within(history.next()).await.is_none());
    gave_up(within(upload).await.expect("no panic").expect_err("given up"));
    gave_up(within(sleep).await.expect("no panic").expect_err("given up"));
    until("the stream is dropped", || Arc::strong_count(&made) == 1).await;
    assert!(made.load(Ordering::SeqCst) < 20);
    Ok(())
}

#[tokio::test]
async fn a_server_that_overruns_the_window() -> Result<()> {
    let (mut io, client) = asked().await;
    let mut history = within(client.history(Since::default())).await?;
    let (_, seq, _) = hear(&mut io).await.expect("a call");
    say(&mut io, kind::ITEM, seq, &item(1, &[b' '; 100])).await;
    let status = within(history.next()).await.expect("an end").expect_err("broken");
    assert!(status.text().contains("overran its window"), "{status}");
    assert!(within(history.next()).await.is_none());
    Ok(())
}

/// An upload that is answered with items, and a stream that is answered with a value.
#[tokio::test]
async fn answers_of_the_wrong_shape() -> Result<()> {
    let (mut io, client) = asked().await;
    let upload = tokio::spawn(client.upload(lines(0)));
    let (_, seq, _) = hear(&mut io).await.expect("a call");
    say(&mut io, kind::ITEM, seq, &item(1, b"{}")).await;
    say(&mut io, kind::END, seq, END).await;
    let status = within(upload).await.expect("no panic").expect_err("no result");
    assert!(status.text().contains("one result was expected"), "{status}");
    let mut history = within(client.history(Since::default())).await?;
    let seq = loop {
        if let (kind::CALL, seq, _) = hear(&mut io).await.expect("a call") {
            break seq;
        }
    };
    say(&mut io, kind::REPLY, seq, &[0, 0, 0, 1, 0, 0, 0, b'3']).await;
    let status = within(history.next()).await.expect("an end").expect_err("no stream");
    assert!(status.text().contains("a stream was expected"), "{status}");
    Ok(())
}
