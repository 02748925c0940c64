//! What a server sends without being asked: to the handler's own client, later, to many, too much,
//! and where it cannot.

use bytes::Bytes;
use farcall::{Client, Code, Cx, Format, Limits, Notice, Pusher, Result, Server, json};
use farcall_cli::services::{EchoClient, PushArgs, all};
use farcall_it::services::Running;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// A service whose clients are remembered.
#[farcall::service]
trait Room {
    async fn join(&self, cx: &Cx) -> Result<()>;
    async fn say(&self, text: String) -> Result<u64>;
    /// Pushes before it answers, `count` messages of `size` bytes; how many were taken.
    async fn flood(&self, cx: &Cx, count: u64, size: u64) -> Result<u64>;
}

#[derive(Clone, Default)]
struct Guests(Arc<Mutex<Vec<Pusher>>>);

impl Room for Guests {
    async fn join(&self, cx: &Cx) -> Result<()> {
        self.0.lock().expect("whole").push(cx.pusher()?);
        Ok(())
    }

    async fn say(&self, text: String) -> Result<u64> {
        let guests = self.0.lock().expect("whole").clone();
        Ok(guests.iter().filter(|guest| guest.push("Room", "Said", text.clone()).is_ok()).count()
            as u64)
    }

    async fn flood(&self, cx: &Cx, count: u64, size: u64) -> Result<u64> {
        let body = Bytes::from(vec![b'x'; size as usize]);
        Ok((0..count).filter(|_| cx.push("Room", "Flood", body.clone()).is_ok()).count() as u64)
    }
}

#[tokio::test]
async fn over_every_transport() -> Result<()> {
    let running = Running::start(all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    for url in [format!("rpcx://{address}"), format!("rpcx+http://{address}")] {
        check(Client::connect(&url).await?).await?;
        // Over several connections they come out of one stream.
        check(Client::builder(&url).connections(3).build().await?).await?;
    }
    check(Client::over(all(1).memory())).await
}

async fn check(client: Client) -> Result<()> {
    let mut pushes = client.pushes()?;
    let echo = EchoClient::from_client(client.clone());
    for _ in 0..6 {
        echo.push(PushArgs { n: 50 }).await?;
        for number in 0..50 {
            let push = pushes.next().await.expect("the client is open")?;
            assert_eq!((push.service(), push.method()), ("Echo", "Pushed"));
            assert_eq!(push.meta().get("number").as_deref(), Some(&*number.to_string()));
            assert_eq!(push.decode::<Bytes>()?, format!("message {number}"));
        }
    }
    assert_eq!(pushes.dropped(), 0);
    Ok(())
}

#[tokio::test]
async fn others_can_push_when_the_call_is_over() -> Result<()> {
    let guests = Guests::default();
    let running = Running::start(Server::new().add(RoomServer::new(guests.clone()))).await;
    let (first, second) =
        (RoomClient::connect(&running.url).await?, RoomClient::connect(&running.url).await?);
    let mut heard = [first.client().pushes()?, second.client().pushes()?];
    first.join().await?;
    second.join().await?;
    assert_eq!(second.say("hello".into()).await?, 2);
    for pushes in &mut heard {
        let push = pushes.next().await.expect("open")?;
        assert_eq!(push.bytes()?, "hello");
    }
    // From a thread without a runtime, in another format.
    let pusher = guests.0.lock().expect("whole")[0].clone();
    let value = json!({"A": [1, 2]});
    let told = value.clone();
    let thread = std::thread::spawn(move || {
        let notice = Notice::encode("Room", "Value", Format::MsgPack, &told)?;
        pusher.send(notice.meta("k", "v"))
    });
    thread.join().expect("no panic")?;
    let push = heard[0].next().await.expect("open")?;
    assert_eq!((push.format(), push.method()), (Format::MsgPack, "Value"));
    assert_eq!(push.decode::<farcall::Value>()?, value);
    assert_eq!(push.meta().get("k").as_deref(), Some("v"));

    // Who has left is not there to be told.
    first.client().close().await?;
    assert!(heard[0].next().await.is_none());
    let gone = guests.0.lock().expect("whole")[0].clone();
    while !gone.is_closed() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(gone.push("Room", "Said", "x").expect_err("gone").code(), Code::Unavailable);
    assert_eq!(second.say("alone".into()).await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_waits_is_bounded_on_a_server() -> Result<()> {
    let limits = Limits { push_bytes: 10_000, message_bytes: 50_000, ..Limits::default() };
    let server = Server::new().add(RoomServer::new(Guests::default())).limits(limits);
    let room = RoomClient::over(server.memory());
    let mut pushes = room.client().pushes()?;
    let taken = room.flood(100, 1000).await?;
    assert!((5..=10).contains(&taken), "{taken}");
    for _ in 0..taken {
        assert_eq!(pushes.next().await.expect("open")?.bytes()?.len(), 1000);
    }
    // There is room for one, however large; and none for what no client would take.
    assert_eq!(room.flood(3, 40_000).await?, 1);
    assert_eq!(pushes.next().await.expect("open")?.bytes()?.len(), 40_000);
    assert_eq!(room.flood(1, 50_000).await?, 0);
    Ok(())
}

#[tokio::test]
async fn of_what_is_not_taken_the_oldest_is_dropped() -> Result<()> {
    let running = Running::start(Server::new().add(RoomServer::new(Guests::default()))).await;
    let limits = Limits { push_bytes: 10_000, ..Limits::default() };
    let client = Client::builder(&running.url).limits(limits).build().await?;
    let room = RoomClient::from_client(client.clone());
    // Nobody listens.
    assert_eq!(room.flood(100, 1000).await?, 100);
    room.say("nobody".into()).await?;
    let mut pushes = client.pushes()?;
    let listening = client.pushes()?;
    for size in 0..100 {
        room.flood(1, 1000 + size).await?;
        // What was pushed comes before the answer to a later call.
        room.say("so far".into()).await?;
    }
    let dropped = pushes.dropped();
    assert!((89..100).contains(&dropped), "{dropped}");
    for size in dropped..100 {
        let push = pushes.next().await.expect("open")?;
        assert_eq!(push.bytes()?.len() as u64, 1000 + size);
    }
    drop((pushes, listening));
    Ok(())
}

#[tokio::test]
async fn a_lost_connection_is_told_and_the_next_one_heard() -> Result<()> {
    let running = Running::start(all(1)).await;
    let client = Client::connect(&running.url).await?;
    let mut pushes = client.pushes()?;
    let echo = EchoClient::from_client(client.clone());
    echo.push(PushArgs { n: 1 }).await?;
    assert_eq!(pushes.next().await.expect("open")?.method(), "Pushed");
    running.stop();
    let lost = pushes.next().await.expect("open").expect_err("lost");
    assert_eq!(lost.code(), Code::Unavailable);
    let address = running.url.replace("rpcx://", "tcp://");
    drop(running);
    let _again = loop {
        match Running::start_on(all(1), &address).await {
            Ok(running) => break running,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    while echo.push(PushArgs { n: 1 }).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let push = loop {
        if let Ok(push) = pushes.next().await.expect("open") {
            break push;
        }
    };
    assert_eq!(push.bytes()?, "message 0");
    drop((client, echo));
    assert!(pushes.next().await.is_none());
    Ok(())
}

#[tokio::test]
async fn protocols_without_pushes_are_named() -> Result<()> {
    let running = Running::start(all(1)).await;
    for name in ["netrpc", "jsonrpc", "http"] {
        let client = Client::connect(running.url.replace("rpcx", name)).await?;
        let here = client.pushes().expect_err("none");
        assert_eq!(here.code(), Code::Unimplemented);
        assert!(here.text().contains(name), "{here}");
        let echo = EchoClient::from_client(client);
        let there = echo.push(PushArgs { n: 1 }).await.expect_err("none");
        assert!(there.text().contains(name), "{there}");
    }
    Ok(())
}

#[tokio::test]
async fn who_does_not_read_is_not_waited_for() -> Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let guests = Guests::default();
    let limits = Limits { push_bytes: 100_000, output_bytes: 100_000, ..Limits::default() };
    let server = Server::new().add(RoomServer::new(guests.clone())).limits(limits);
    let running = Running::start(server).await;
    let address = running.url.trim_start_matches("rpcx://").to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.expect("a connection");
    // `Room.Join`, one-way, its body an empty map of msgpack.
    let sections: [&[u8]; 4] = [b"Room", b"Join", b"", &[0x80]];
    let rest: Vec<u8> =
        sections.iter().flat_map(|s| [&(s.len() as u32).to_be_bytes()[..], s].concat()).collect();
    let mut call = vec![8, 0, 0x20, 0x30, 0, 0, 0, 0, 0, 0, 0, 1];
    call.extend_from_slice(&(rest.len() as u32).to_be_bytes());
    call.extend_from_slice(&rest);
    socket.write_all(&call).await.expect("written");
    while guests.0.lock().expect("whole").is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let pusher = guests.0.lock().expect("whole")[0].clone();
    let body = Bytes::from(vec![b'y'; 10_000]);
    // The kernel takes some megabytes; then it is refused, and nothing grows.
    let mut pushed = 0_u64;
    loop {
        match pusher.push("Room", "Flood", body.clone()) {
            Ok(()) => pushed += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted);
                assert!(status.text().contains("Limits::push_bytes"), "{status}");
                tokio::time::sleep(Duration::from_millis(20)).await;
                if pusher.push("Room", "Flood", body.clone()).is_err() {
                    break;
                }
                pushed += 1;
            }
        }
        assert!(pushed < 100_000, "a gigabyte was taken");
    }
    // All that was taken arrives, in its time.
    let frame = 16 + 16 + 4 + 5 + 10_000;
    let mut left = pushed * frame;
    let mut buffer = vec![0; 1 << 16];
    while left > 0 {
        let count = socket.read(&mut buffer).await.expect("read") as u64;
        assert!(count > 0, "{left} bytes are missing");
        left -= count;
    }
    pusher.push("Room", "Flood", body).expect("there is room again");
    Ok(())
}
