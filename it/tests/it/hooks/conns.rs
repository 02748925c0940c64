//! What plugins may do with connections: wrap them, refuse them, say which address a call goes to.

use super::{kit::eventually, ways};
use farcall::{
    Choice, Client, ClientCall, ClientPlugin, Code, Dialling, Fail, Limits, Moments, Plugin,
    Result, Server, Socket, SocketIo, Status,
};
use farcall_it::{
    certs::Authority,
    services::{Args, ProbeClient, Running, probe},
};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

fn url(running: &Running, (protocol, option): (&str, &str)) -> String {
    let at = running.url.rsplit('/').next().expect("an address");
    format!("{protocol}://{at}{option}")
}

/// What went by, in and out.
#[derive(Clone, Default)]
struct Tap(Arc<[Mutex<Vec<u8>>; 2]>);

impl Tap {
    fn heard(&self, way: usize) -> Vec<u8> {
        self.0[way].lock().expect("no panic").clone()
    }

    fn hears(&self, way: usize, bytes: &[u8]) {
        self.0[way].lock().expect("no panic").extend_from_slice(bytes);
    }
}

/// A connection that is listened to.
struct Tapped(SocketIo, Tap);

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
        self.1.hears(0, &buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.0).poll_write(cx, bytes))?;
        self.1.hears(1, &bytes[..written]);
        Poll::Ready(Ok(written))
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Plugin for Tap {
    fn moments(&self) -> Moments {
        Moments::ACCEPT
    }
    fn on_accept(&self, socket: Socket) -> Socket {
        assert!(socket.peer().ip().is_some());
        socket.wrap(|io| Tapped(io, self.clone()))
    }
}

impl ClientPlugin for Tap {
    fn moments(&self) -> Moments {
        Moments::DIAL
    }
    fn on_dial(&self, socket: Socket) -> Dialling {
        let tap = self.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(socket.wrap(|io| Tapped(io, tap)))
        })
    }
}

#[tokio::test]
async fn connections_are_wrapped_on_both_sides() -> Result<()> {
    let authority = Authority::new();
    let certificates = authority.pair("server", &["127.0.0.1"]);
    for way in ways().into_iter().filter(|(protocol, _)| *protocol != "windowed") {
        for tls in [false, true] {
            let (here, there) = (Tap::default(), [Tap::default(), Tap::default()]);
            let server = probe(Limits::default()).plug(there[0].clone()).plug(there[1].clone());
            let running = match tls {
                false => Running::start(server).await,
                true => {
                    let server = server.tls(certificates.tls());
                    Running::start_on(server, "tls://127.0.0.1:0").await?
                }
            };
            let url = match tls {
                false => url(&running, way),
                true => {
                    let secure = format!("{}+tls", way.0).replace("http+tls", "https");
                    // `?ca=…`, and what there is beside it.
                    url(&running, (&secure, "")) + &authority.option() + &way.1.replace('?', "&")
                }
            };
            let builder = ProbeClient::builder(url);
            let client = builder.plug(here.clone()).build().await?;
            for _ in 0..3 {
                assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42, "{way:?} {tls}");
            }
            let long = client.zeros(300_000).await?;
            assert_eq!(long.len(), 300_000, "{way:?} {tls}");
            drop(client);
            // All that either end says is heard, by every tap, and nothing of it is ciphertext.
            for there in &there {
                eventually("the server hears it", || there.heard(0) == here.heard(1)).await;
                assert_eq!(there.heard(1), here.heard(0), "{way:?} {tls}");
            }
            let text = String::from_utf8_lossy(&here.heard(1)).into_owned();
            assert!(text.contains("Mul") && here.heard(0).len() > 300_000, "{way:?} {tls}");
        }
    }
    Ok(())
}

/// Refuses, in one way or another, and counts.
#[derive(Clone)]
struct Door(&'static str, Arc<[AtomicUsize; 3]>);

impl ClientPlugin for Door {
    fn moments(&self) -> Moments {
        Moments::DIAL | Moments::CONNECT | Moments::MISS
    }
    fn on_dial(&self, socket: Socket) -> Dialling {
        self.1[0].fetch_add(1, SeqCst);
        match self.0 {
            "panics" => panic!("secret of the door"),
            "waits" => Box::pin(std::future::pending()),
            "panics later" => Box::pin(async move {
                drop(socket);
                panic!("secret of the door")
            }),
            _ => Box::pin(async { Err(Status::permission_denied("not over this one")) }),
        }
    }
    fn on_connect(&self, _: &str) {
        self.1[1].fetch_add(1, SeqCst);
    }
    fn on_miss(&self, _: &str, _: &Status) {
        self.1[2].fetch_add(1, SeqCst);
    }
}

#[tokio::test]
async fn connections_are_refused() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let limits = Limits { connect_time: Duration::from_millis(100), ..Limits::default() };
    for way in ways().into_iter().filter(|(protocol, _)| *protocol != "windowed") {
        for (how, code, text) in [
            ("refuses", Code::PermissionDenied, "not over this one"),
            ("panics", Code::Internal, "panicked"),
            ("panics later", Code::Internal, "panicked"),
            ("waits", Code::Unavailable, "Limits::connect_time"),
        ] {
            let door = Door(how, Arc::default());
            let builder = ProbeClient::builder(url(&running, way)).limits(limits.clone());
            let client = builder.plug(door.clone()).lazy()?;
            let status = client.mul(Args { a: 6, b: 7 }).await.expect_err("refused");
            assert_eq!(status.code(), code, "{way:?} {how} {status}");
            assert!(status.text().contains(text), "{way:?} {how} {status}");
            let [dials, connects, misses] = door.1.each_ref().map(|count| count.load(SeqCst));
            assert!(dials >= 1 && connects == 0 && misses >= 1, "{how} {dials} {misses}");
        }
    }
    // A server's plugin that panics closes the connection; refusing is `on_connect`'s.
    struct Bad;
    impl Plugin for Bad {
        fn moments(&self) -> Moments {
            Moments::ACCEPT
        }
        fn on_accept(&self, _: Socket) -> Socket {
            panic!("secret of the door")
        }
    }
    let running = Running::start(probe(Limits::default()).plug(Bad)).await;
    let client = ProbeClient::builder(&running.url).deadline(Duration::from_secs(20)).lazy()?;
    let status = client.add(1, 2).await.expect_err("closed");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    Ok(())
}

/// Says which address, and notes what it was shown.
#[derive(Clone, Default)]
struct Chooser {
    wants: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    tried: Arc<AtomicUsize>,
}

impl ClientPlugin for Chooser {
    fn moments(&self) -> Moments {
        Moments::SELECT
    }
    fn on_select(&self, call: &ClientCall, choice: &Choice<'_>) -> Option<usize> {
        assert_eq!((call.service(), call.method(), choice.count()), ("Who", "Run", 3));
        assert!((0..3).any(|at| choice.is_open(at)));
        assert!((0..3).all(|at| choice.address(at).to_string().contains("127.0.0.1:")));
        self.asked.fetch_add(1, SeqCst);
        self.tried.fetch_add((0..3).filter(|at| choice.was_tried(*at)).count(), SeqCst);
        match self.wants.load(SeqCst) {
            7 => panic!("secret of the chooser"),
            8 => None,
            at => Some(at),
        }
    }
}

#[tokio::test]
async fn an_address_is_chosen() -> Result<()> {
    let mut servers = Vec::new();
    for name in 0..3_u64 {
        let run = move |_: u64| async move { Ok::<u64, Status>(name) };
        let server = Server::new().func("Who", "Run", run);
        servers.push(Running::start(server).await);
    }
    let at = servers.iter().map(|server| server.url.replace("rpcx://", "")).collect::<Vec<_>>();
    for way in ways().into_iter().filter(|(protocol, _)| *protocol != "windowed") {
        let chooser = Chooser::default();
        let list = format!("{}://{}{}", way.0, at.join(","), way.1);
        let client = Client::builder(list).plug(chooser.clone()).build().await?;
        let call = || client.call_as::<u64, u64>("Who.Run", 0);
        let mut calls = 0;
        for want in [2, 0, 1] {
            chooser.wants.store(want, SeqCst);
            // Elsewhere until it is open.
            for round in 0.. {
                calls += 1;
                if call().await? == want as u64 {
                    break;
                }
                assert!(round < 6_000, "{way:?} {want} is never called");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            for _ in 0..4 {
                calls += 1;
                assert_eq!(call().await?, want as u64, "{way:?}");
            }
            assert_eq!(chooser.asked.load(SeqCst), calls, "{way:?}: once for each");
        }
        // Who panics, has no opinion or one that is none, leaves it to the client.
        for want in [7, 8, 9] {
            chooser.wants.store(want, SeqCst);
            let mut seen = [0; 3];
            for _ in 0..30 {
                seen[call().await? as usize] += 1;
            }
            assert!(seen.iter().all(|count| *count > 0), "{way:?} {want} {seen:?}");
        }
    }
    // An attempt that failed is shown.
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let chooser = Chooser::default();
    let list = format!("rpcx://{nobody},{},{}", at[1], at[2]);
    let builder = Client::builder(list).fail(Fail::Over { retries: 2 }).plug(chooser.clone());
    let client = builder.build().await?;
    assert_ne!(client.call_as::<u64, u64>("Who.Run", 0).await?, 0);
    assert_eq!((chooser.asked.load(SeqCst), chooser.tried.load(SeqCst)), (1, 0));
    Ok(())
}
