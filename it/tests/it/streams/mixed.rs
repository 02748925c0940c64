//! Many streams and calls on one connection; over TCP; and protocols that do not stream.

use super::kit::*;
use farcall::{Client, Code, Limits, Result, Sent, Server};
use farcall_it::windowed::{NARROW, WIDE};
use std::{sync::Arc, time::Duration};

/// Everything at once, given up here and there.
async fn crowd(client: &RoomClient, counts: &Counts) -> Result<()> {
    let mut tasks = Vec::new();
    for me in 0..40_u64 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            for turn in 0..6 {
                match (me + turn) % 6 {
                    0 => {
                        let (lines, end) =
                            all(client.history(Since::lines(60, "end")).await?).await;
                        assert_eq!((lines.len(), end), (60, None));
                    }
                    1 => assert_eq!(within(client.upload(lines(60))).await?.lines, 60),
                    2 => {
                        let (lines, end) = all(client.talk(lines(40)).await?).await;
                        assert_eq!((lines.len(), end), (40, None));
                    }
                    3 => {
                        let sum = client.add(me as i64, 1).deadline(SOON);
                        assert_eq!(within(sum).await?, me as i64 + 1);
                    }
                    4 => {
                        let mut some = client.history(Since::lines(1 << 30, "end")).await?;
                        for _ in 0..me % 7 {
                            within(some.next()).await.expect("one more")?;
                        }
                    }
                    _ => {
                        let sleep = client.sleep(60_000).deadline(Duration::from_millis(5));
                        let status = within(sleep).await.expect_err("late");
                        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
                    }
                }
            }
            Ok::<_, farcall::Status>(())
        }));
    }
    for task in tasks {
        tokio::time::timeout(SOON * 5, task).await.expect("in time").expect("no panic")?;
    }
    until("the handlers are gone", || counts.alive() == 0).await;
    within(client.client().close()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_calls_side_by_side() -> Result<()> {
    for protocol in [&NARROW, &WIDE] {
        let (client, counts, _memory) = room(protocol, Limits::default());
        crowd(&client, &counts).await?;
        // Few slots, few places to wait, hardly any output.
        let limits = Limits {
            calls_per_connection: 3,
            parked_calls: 100,
            turn_calls: 2,
            output_bytes: 10,
            stream_bytes: 20,
            ..Limits::default()
        };
        let (client, counts, _memory) = room(protocol, limits);
        crowd(&client, &counts).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp() -> Result<()> {
    let hall = Hall::default();
    let counts = Arc::clone(&hall.counts);
    let server = Server::new().add(RoomServer::new(hall)).protocol(&NARROW);
    let bound = server.listen("tcp://127.0.0.1:0").await?;
    let address = bound.addresses()[0].replace("tcp://", "");
    let serving = tokio::spawn(bound.run());
    let socket = tokio::net::TcpStream::connect(&address).await.expect("a connection");
    let client = RoomClient::from_client(Client::over_protocol(&NARROW, socket));
    crowd(&client, &counts).await?;
    // The same port speaks what it always spoke.
    let rpcx = RoomClient::connect(format!("rpcx://{address}")).await?;
    assert_eq!(rpcx.add(1, 2).await?, 3);
    serving.abort();
    Ok(())
}

#[tokio::test]
async fn protocols_without_streams_say_so() -> Result<()> {
    for protocol in ["rpcx", "netrpc", "jsonrpc"] {
        let memory = Server::new().add(RoomServer::new(Hall::default())).memory();
        let raw = Client::over_as(protocol, memory)?;
        let client = RoomClient::from_client(raw.clone());
        let history = client.history(Since::default()).await.expect_err("no streams");
        let upload = client.upload(lines(3)).await.expect_err("no streams");
        let talk = client.talk(lines(3)).await.expect_err("no streams");
        for status in [history, upload, talk] {
            assert_eq!((status.code(), status.sent()), (Code::Unimplemented, Sent::No), "{status}");
            assert!(status.text().contains(&format!("{protocol} does not carry")), "{status}");
        }
        // By name, as any peer may call: the server says the same.
        for method in ["History", "Upload", "Talk"] {
            let call = raw.call(format!("chat.Room.{method}"), farcall::json!({}));
            let status = within(call).await.expect_err("no streams");
            let text = format!("chat.Room.{method} streams, and {protocol} does not carry streams");
            assert!(status.text().contains(&text), "{status}");
        }
        assert_eq!(within(client.add(1, 2)).await?, 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_unary_call_of_a_stream_and_a_stream_of_a_unary_call() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, Limits::default());
    // The peer believes that it answers with one result, and is answered with a stream.
    let call = client.client().call("chat.Room.History", farcall::json!({"to": 3}));
    let status = within(call).await.expect_err("no result");
    assert_eq!((status.code(), status.sent()), (Code::Internal, Sent::Yes), "{status}");
    assert!(status.text().contains("answered with a stream"), "{status}");
    until("the handlers are gone", || counts.alive() == 0).await;
    assert_eq!(within(client.add(1, 2)).await?, 3);
    Ok(())
}
