//! A server's connections: turns that end, replies that fit, drains that finish, halves that close.

use bytes::Bytes;
use farcall::{__private as core, Code, Cx, Limits, Result, Server, Take};
use farcall_it::{
    frames::{Frame, Raw},
    services::{ProbeClient, Running, probe},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{io::AsyncWriteExt, time::timeout};

const JSON: u8 = 1;
const SOON: Duration = Duration::from_secs(5);

/// A value that panics when it is written or read.
#[derive(Clone)]
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

impl Take for Bomb {
    fn blank() -> Bomb {
        Bomb
    }
    fn take_from<S: core::Source + ?Sized>(
        &mut self,
        _: &'static core::Shape,
        _: &mut S,
    ) -> std::result::Result<(), farcall::Fault> {
        panic!("a value that cannot be read");
    }
}

#[farcall::service]
trait Odd {
    async fn write_bomb(&self, millis: u64) -> Result<Bomb>;
    async fn read_bomb(&self, bomb: Bomb) -> Result<u64>;
    async fn much_meta(&self, cx: &Cx, bytes: u64, fail: bool) -> Result<u64>;
    async fn hold(&self) -> Result<u64>;
    async fn wait(&self, millis: u64) -> Result<u64>;
    async fn spin(&self, millis: u64) -> Result<()>;
    #[method(blocking)]
    fn block(&self, millis: u64) -> Result<u64>;
}

#[derive(Default)]
struct Oddly {
    held: Arc<AtomicUsize>,
    ran: Arc<AtomicUsize>,
}

impl Odd for Oddly {
    async fn write_bomb(&self, millis: u64) -> Result<Bomb> {
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        Ok(Bomb)
    }
    async fn read_bomb(&self, _: Bomb) -> Result<u64> {
        Ok(1)
    }
    async fn much_meta(&self, cx: &Cx, bytes: u64, fail: bool) -> Result<u64> {
        cx.set_meta("much", "x".repeat(bytes as usize));
        if fail { Err("the reason".into()) } else { Ok(bytes) }
    }
    async fn hold(&self) -> Result<u64> {
        struct Held(Arc<AtomicUsize>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.held.fetch_add(1, Ordering::SeqCst);
        let _held = Held(Arc::clone(&self.held));
        std::future::pending().await
    }
    async fn wait(&self, millis: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(millis)
    }
    async fn spin(&self, millis: u64) -> Result<()> {
        farcall_it::services::spin(millis);
        self.ran.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn block(&self, millis: u64) -> Result<u64> {
        let now = self.ran.fetch_add(1, Ordering::SeqCst) + 1;
        std::thread::sleep(Duration::from_millis(millis));
        Ok(now as u64)
    }
}

fn odd(limits: Limits) -> (Server, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let oddly = Oddly::default();
    let (held, ran) = (Arc::clone(&oddly.held), Arc::clone(&oddly.ran));
    (Server::new().add(OddServer::new(oddly)).limits(limits), held, ran)
}

async fn reaches(count: &AtomicUsize, want: usize) {
    for _ in 0..1_000 {
        if count.load(Ordering::SeqCst) == want {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} never became {want}", count.load(Ordering::SeqCst));
}

#[tokio::test]
async fn bodies_that_panic_cost_one_call() -> Result<()> {
    let client = OddClient::over(odd(Limits::default()).0.memory());
    let waits = tokio::spawn(client.wait(100));
    for millis in [0, 1, 0, 1] {
        let status = client.client().call_as::<_, u64>("Odd.WriteBomb", millis).await;
        let status = status.expect_err("a panic");
        assert_eq!(status.code(), Code::Internal, "{status}");
        assert!(!status.text().contains("cannot be written"), "{status}");
        let status = client.client().call_as::<_, u64>("Odd.ReadBomb", 7u64).await;
        assert_eq!(status.expect_err("a panic").code(), Code::Internal);
    }
    assert_eq!(waits.await.expect("no panic")?, 100, "the connection lives");
    Ok(())
}

#[tokio::test]
async fn metadata_that_no_caller_takes_is_an_error_reply() -> Result<()> {
    let client = OddClient::over(odd(Limits::default()).0.memory());
    let waits = tokio::spawn(client.wait(100));
    assert_eq!(client.much_meta(60_000, false).await?, 60_000);
    let status = client.much_meta(70_000, false).await.expect_err("too much");
    assert!(status.text().contains("Limits::meta_bytes"), "{status}");
    let status = client.much_meta(70_000, true).await.expect_err("failed");
    assert_eq!(status.text(), "the reason");
    assert_eq!(waits.await.expect("no panic")?, 100, "the connection lives");
    Ok(())
}

#[tokio::test]
async fn a_reply_that_just_fits_its_message_does_not_break_the_caller() -> Result<()> {
    let client = ProbeClient::over(probe(Limits::default()).memory()).format(farcall::Format::Raw);
    let raw = client.client();
    // Asked for as text, answered as bytes.
    let raw = raw.clone().format(farcall::Format::MsgPack);
    let (mut fits, mut refused) = (0, 0);
    for less in (0..200).step_by(10) {
        match raw.call_as::<u64, Bytes>("Probe.Zeros", (16 << 20) - less).await {
            Ok(_) => fits += 1,
            Err(status) => {
                assert!(status.text().contains("Limits::message_bytes"), "{status}");
                refused += 1;
            }
        }
    }
    assert!(fits > 0 && refused > 0, "{fits} {refused}");
    Ok(())
}

#[test]
fn a_turn_ends_when_its_time_is_up() {
    // One thread serves both connections; tokio looks for input once every 61 turns of a busy one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (server, _, spun) = odd(Limits::default());
    let (tell, told) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        runtime.block_on(async {
            let running = Running::start(server).await;
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            tell.send((running.url.clone(), stop)).expect("somebody asks");
            let _ = stopped.await;
        });
    });
    let (url, stop) = told.recv().expect("a server");
    let calling = tokio::runtime::Runtime::new().expect("a runtime");
    calling.block_on(async {
        let neighbour = OddClient::connect(&url).await.expect("a connection");
        let mut raw = Raw::connect(&url).await;
        let spins = (0..400).map(|seq| Frame::call(seq, "Odd", "Spin", JSON, b"3").bytes());
        raw.send(&spins.collect::<Vec<_>>().concat()).await;
        raw.receive().await.expect("the first answer");
        neighbour.wait(0).deadline(SOON).await.expect("an answer");
        let spun = spun.load(Ordering::SeqCst);
        assert!(spun < 400, "the neighbour had to wait for all of them");
    });
    drop(stop);
    server.join().expect("no panic");
}

#[tokio::test]
async fn timeouts_may_be_as_long_as_a_peer_likes() {
    let running = Running::start(probe(Limits::default())).await;
    let mut raw = Raw::connect(&running.url).await;
    for text in ["9223372036854775807", "9223372036854", "18446744073709551615", "-1", "0", "x"] {
        let mut meta = Vec::new();
        for part in ["__ServerTimeout", text] {
            meta.extend_from_slice(&(part.len() as u32).to_be_bytes());
            meta.extend_from_slice(part.as_bytes());
        }
        for (method, body) in [("Sleep", "1"), ("Sleep", "0"), ("Left", "{}")] {
            let frame = Frame::call(1, "Probe", method, JSON, body.as_bytes());
            assert!(raw.call(&Frame { meta: meta.clone(), ..frame }).await.is_some(), "{text}");
        }
    }
}

#[tokio::test]
async fn a_peer_that_only_stops_writing_gets_its_replies() {
    let running = Running::start(probe(Limits::default())).await;
    let mut raw = Raw::connect(&running.url).await;
    for seq in 0..10 {
        raw.send(&Frame::call(seq, "Probe", "Sleep", JSON, b"30").bytes()).await;
    }
    raw.send(&Frame::call(10, "Probe", "Sleep", JSON, b"30").bytes()[..20]).await;
    raw.socket.shutdown().await.expect("half closed");
    let mut seen = Vec::new();
    while let Some(frame) = raw.receive().await {
        seen.push(frame.seq);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stopped_handler_is_dropped_while_others_are_finished() {
    let (server, held, _) = odd(Limits::default());
    let running = Running::start(server).await;
    let mut raw = Raw::connect(&running.url).await;
    let oneway = Frame { flags: 0x20, ..Frame::call(1, "Odd", "Wait", JSON, b"60000") };
    raw.send(&oneway.bytes()).await;
    raw.send(&Frame::call(2, "Odd", "Hold", JSON, b"{}").bytes()).await;
    reaches(&held, 1).await;
    // A reset, so that the server notices: unread input on close.
    raw.send(&Frame::call(3, "Odd", "Nothing", JSON, b"{}").bytes()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(raw);
    reaches(&held, 0).await;
}

#[tokio::test]
async fn blocking_work_is_bounded_even_when_its_callers_are_gone() -> Result<()> {
    let (server, _, blocked) = odd(Limits { calls: 4, ..Limits::default() });
    let client = OddClient::over(server.memory());
    for _ in 0..50 {
        let call = client.block(1_000).deadline(Duration::from_millis(2));
        call.await.expect_err("too late, or refused");
    }
    let ran = blocked.load(Ordering::SeqCst);
    assert!(ran <= 4, "{ran} were let in, the limit is 4");
    Ok(())
}

#[tokio::test]
async fn draining_does_not_wait_for_a_peer_that_goes_on_talking() {
    let mut running = Running::start(probe(Limits::default())).await;
    let raw = Raw::connect(&running.url).await;
    let (mut read, mut write) = raw.socket.into_split();
    // The end of what was read is always in the middle of a message.
    let talk = tokio::spawn(async move {
        let frames = Frame::call(1, "Probe", "Sleep", JSON, b"0").bytes().repeat(2);
        let mut at = 0;
        if write.write_all(&frames[..5]).await.is_ok() {
            at = 5;
        }
        loop {
            let part: Vec<u8> =
                frames.iter().cycle().skip(at).take(frames.len()).copied().collect();
            if write.write_all(&part).await.is_err() {
                return;
            }
            at = (at + part.len()) % frames.len();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let drink =
        tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.stop();
    timeout(SOON, &mut running.task).await.expect("drained").expect("no panic").expect("clean");
    talk.abort();
    drink.abort();
}

#[tokio::test]
async fn draining_cuts_a_peer_that_never_reads() {
    let limits = Limits { drain_time: Duration::from_millis(100), ..Limits::default() };
    let mut running = Running::start(probe(limits)).await;
    let mut raw = Raw::connect(&running.url).await;
    for seq in 0..40 {
        raw.send(&Frame::call(seq, "Probe", "Zeros", JSON, b"1000000").bytes()).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.stop();
    let ended = timeout(SOON, &mut running.task).await.expect("ends").expect("no panic");
    assert!(ended.expect_err("still busy").text().contains("Limits::drain_time"));
    // The connection is cut as well: what follows is the end, not another answer to every call.
    let mut answers = 0;
    while raw.receive().await.is_some() {
        answers += 1;
    }
    assert!(answers < 40, "{answers}");
}
