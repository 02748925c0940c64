//! Each way to call × each rule. Nothing is left out silently: a cell that cannot be is named.

use super::{
    kit::{Latch, Watcher, eventually},
    ways::{Answer, Ask, Carrier, Served, Way, ways},
};
use farcall::{
    Allow, Auth, Cx, Deny, Limits, Moments, Peer, Plugin, Result, Server, Status, Token, Verdict,
};
use farcall_it::services::probe;
use farcall_wire::sniff;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a cell came to: nothing, or why it cannot be.
type Cell = std::result::Result<(), &'static str>;

const GOOD: Ask = Ask::Mul(6, 7);

fn quick() -> Limits {
    Limits {
        silence: Duration::from_millis(300),
        head_time: Duration::from_millis(300),
        linger: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// A server of the probe, with this done to it.
async fn serve(way: Way, with: impl Fn(Server) -> Server + Send + Sync + 'static) -> Served {
    way.serve(move || with(probe(Limits::default()))).await
}

/// A hook sees each call once, and its end once, whatever that is.
async fn seen_once(way: Way) -> Cell {
    let watcher = Watcher::default();
    let plugin = watcher.clone();
    let served = serve(way, move |server| server.plug(plugin.clone())).await;
    for i in 0..3 {
        assert_eq!(served.ask(Ask::Mul(i, 7), None).await, Answer::Is(7 * i));
    }
    for ask in [Ask::BadBody, Ask::NoMethod, Ask::NoService] {
        assert!(matches!(served.ask(ask, None).await, Answer::Failed(_)), "{ask:?}");
    }
    eventually("all are told", || watcher.replies() == 6).await;
    assert_eq!(watcher.calls(), 6);
    assert_eq!(watcher.ends("done"), 3);
    assert_eq!(watcher.ends("invalid argument") + watcher.ends("unimplemented"), 3);
    eventually("all have left", || watcher.closed() == 6).await;
    assert_eq!(watcher.connected(), 6);
    Ok(())
}

/// What a hook refuses is neither decoded nor run.
async fn refused_before_decoding(way: Way) -> Cell {
    struct No;
    impl Plugin for No {
        fn moments(&self) -> Moments {
            Moments::CALL
        }
        fn on_call(&self, _: &Cx) -> Verdict {
            Verdict::Stop(Status::permission_denied("not today"))
        }
    }
    let watcher = Watcher::default();
    let plugin = watcher.clone();
    let served = serve(way, move |server| server.plug(No).plug(plugin.clone())).await;
    for ask in [GOOD, Ask::BadBody, Ask::NoMethod, Ask::NoService] {
        served.ask(ask, None).await.refused("not today");
    }
    eventually("all are told", || watcher.replies() == 4).await;
    assert_eq!((watcher.calls(), watcher.ends("permission denied")), (0, 4));
    Ok(())
}

/// A token lets in; strangers learn nothing.
async fn tokens(way: Way) -> Cell {
    let served = serve(way, |server| server.auth(Token::new("s3cret")).list_services()).await;
    let known = served.ask(GOOD, Some("s3cret")).await;
    match way.has_credentials() {
        true => {
            assert_eq!(known, Answer::Is(42));
            served.ask(GOOD, Some("s3cre")).await.refused("credentials are wrong");
            served.ask(Ask::NoMethod, Some("s3cret")).await.refused("Nothing");
        }
        false => {
            let text = format!("{} does not carry credentials", way.protocol);
            assert_eq!(known, Answer::Unsent(text));
        }
    }
    let stranger = served.ask(GOOD, None).await;
    stranger.refused("credentials are missing");
    for ask in [Ask::BadBody, Ask::NoMethod, Ask::NoService, Ask::Deep] {
        assert_eq!(served.ask(ask, None).await, stranger, "{ask:?}");
    }
    Ok(())
}

/// A check that takes its time, and then lets in or does not.
async fn slow_check(way: Way) -> Cell {
    struct Slow(&'static str, usize);
    impl Auth for Slow {
        type User = usize;
        async fn check(&self, cx: &Cx) -> Result<usize> {
            tokio::time::sleep(Duration::from_millis(20)).await;
            match cx.credentials() {
                Some(token) if token.ends_with(self.0) => Ok(self.1),
                None if self.0.is_empty() => Ok(self.1),
                _ => Err(Status::unauthenticated("the credentials are not known")),
            }
        }
    }
    let (word, token) = if way.has_credentials() { ("yes", Some("yes")) } else { ("", None) };
    let served = serve(way, move |server| server.auth(Slow(word, 7))).await;
    assert_eq!(served.ask(GOOD, token).await, Answer::Is(42));
    served.ask(Ask::NoMethod, token).await.refused("Nothing");
    let served = serve(way, |server| server.auth(Slow("never", 7))).await;
    for ask in [GOOD, Ask::BadBody, Ask::NoMethod, Ask::NoService] {
        served.ask(ask, None).await.refused("credentials are not known");
    }
    Ok(())
}

/// A check that panics lets nobody in, and harms nobody.
async fn panicking_check(way: Way) -> Cell {
    struct Bad;
    impl Auth for Bad {
        type User = ();
        async fn check(&self, _: &Cx) -> Result<()> {
            tokio::task::yield_now().await;
            panic!("secret of the check");
        }
    }
    let served = serve(way, |server| server.auth(Bad)).await;
    for ask in [GOOD, Ask::NoMethod] {
        served.ask(ask, None).await.refused("[service internal error]");
    }
    Ok(())
}

/// Addresses are refused before a byte is read.
async fn addresses(way: Way) -> Cell {
    let ranges = ["127.0.0.0/8", "::1"];
    let deny = serve(way, move |s| s.plug(Deny::new(ranges).expect("ranges"))).await;
    let allow = serve(way, move |s| s.plug(Allow::new(ranges).expect("ranges"))).await;
    let other = serve(way, |s| s.plug(Allow::new(["192.0.2.0/24"]).expect("a range"))).await;
    let all =
        [deny.ask(GOOD, None).await, allow.ask(GOOD, None).await, other.ask(GOOD, None).await];
    let (yes, no) = (Answer::Is(42), Answer::Closed);
    let want = match way.carrier {
        Carrier::Tcp | Carrier::Tls | Carrier::Http | Carrier::Https => [no.clone(), yes, no],
        // In this process there is no address, and of a socket file the folder says who may.
        Carrier::Memory | Carrier::Unix => [yes.clone(), yes.clone(), yes],
        // Nobody knows it.
        Carrier::Stream => [yes, no.clone(), no],
    };
    assert_eq!(all, want);
    Ok(())
}

/// Calls that wait at the gate are counted.
async fn calls_at_the_gate(way: Way) -> Cell {
    if way.carrier == Carrier::Stream {
        return Err("each stream has a server of its own");
    }
    let latch = Latch::default();
    let auth = latch.clone();
    let limits = Limits { calls: 1, ..Limits::default() };
    let served = way.serve(move || probe(limits.clone()).auth(auth.clone())).await;
    let first = served.ask(GOOD, None);
    let second = async {
        eventually("one waits", || latch.waiting() == 1).await;
        served.ask(Ask::NoMethod, None).await.refused("Limits::calls");
        served.ask(GOOD, None).await.refused("Limits::calls");
        latch.open();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first, Answer::Is(42));
    Ok(())
}

/// Who closes while a check is at work has it stopped.
async fn gone_while_checked(way: Way) -> Cell {
    let (latch, watcher) = (Latch::default(), Watcher::default());
    let (auth, plugin) = (latch.clone(), watcher.clone());
    let served = serve(way, move |server| server.plug(plugin.clone()).auth(auth.clone())).await;
    tokio::select! {
        answer = served.ask(GOOD, None) => panic!("nobody was asked: {answer:?}"),
        () = eventually("one waits", || latch.waiting() == 1) => {}
    }
    // A client that was dropped finishes what runs, so this waits for a check on the server's side.
    latch.open();
    eventually("told once", || watcher.replies() == 1).await;
    Ok(())
}

async fn message_bytes(way: Way) -> Cell {
    let limits = Limits { message_bytes: 4096, linger: quick().linger, ..Limits::default() };
    let served = way.serve(move || probe(limits.clone())).await;
    let answer = served.ask(Ask::Long, None).await;
    match answer {
        Answer::Closed => {}
        other => other.refused("Limits::message_bytes"),
    }
    assert_eq!(served.ask(GOOD, None).await, Answer::Is(42));
    Ok(())
}

async fn body_depth(way: Way) -> Cell {
    let limits = Limits { body_depth: 4, ..Limits::default() };
    let served = way.serve(move || probe(limits.clone())).await;
    match served.ask(Ask::Deep, None).await {
        // The scanner finds it before it knows whose call it is: the answer has no id.
        Answer::Closed if way.protocol == "jsonrpc" => {}
        other => other.refused("body_depth"),
    }
    assert_eq!(served.ask(GOOD, None).await, Answer::Is(42));
    Ok(())
}

/// A plugin that lets in so many connections and no more.
async fn connections_counted(way: Way) -> Cell {
    #[derive(Clone)]
    struct Most(Arc<AtomicUsize>);
    impl Plugin for Most {
        fn moments(&self) -> Moments {
            Moments::CONNECT
        }
        fn on_connect(&self, _: &Peer) -> Verdict {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => Verdict::Go,
                1 => Verdict::wait(async {
                    tokio::task::yield_now().await;
                    Ok(())
                }),
                2 => Verdict::wait(async { Err(Status::resource_exhausted("too many")) }),
                _ => Verdict::Stop(Status::resource_exhausted("too many")),
            }
        }
    }
    let (most, watcher) = (Most(Arc::default()), Watcher::default());
    let plugin = watcher.clone();
    let served = serve(way, move |s| s.plug(plugin.clone()).plug(most.clone())).await;
    for want in [Answer::Is(42), Answer::Is(42), Answer::Closed, Answer::Closed] {
        assert_eq!(served.ask(GOOD, None).await, want);
    }
    eventually("who came has gone", || {
        watcher.connected() >= 4 && watcher.closed() == watcher.connected()
    })
    .await;
    Ok(())
}

/// One that is built and not spoken here is named.
async fn off(way: Way) -> Cell {
    let others = sniff::PROTOCOLS.iter().map(|p| p.name()).filter(|name| *name != way.protocol);
    let others: Vec<_> = others.collect();
    let limits = Limits { linger: quick().linger, ..Limits::default() };
    let served = way.serve(move || probe(limits.clone()).speak(others.clone())).await;
    let answer = served.ask(GOOD, None).await;
    if matches!(way.carrier, Carrier::Http | Carrier::Https) {
        match way.protocol {
            "jsonrpc" => answer.refused("`jsonrpc` is not spoken on this server"),
            // What the refusal of a tunnel says is for the tests of the wire.
            _ => assert_eq!(answer, Answer::Closed),
        }
        return Ok(());
    }
    match way.protocol {
        // Our client takes an answer without an id for the end of the connection.
        "jsonrpc" if answer == Answer::Closed => {}
        name => answer.refused(&format!("{name} is not spoken on this listener")),
    }
    Ok(())
}

/// Who says nothing, or begins and goes no further, is closed.
async fn slow(way: Way) -> Cell {
    match way.carrier {
        Carrier::Memory => return Err("memory has no bytes to write by hand"),
        Carrier::Tls | Carrier::Https => return Err("the tests of TLS do this by hand"),
        Carrier::Tcp | Carrier::Unix | Carrier::Stream | Carrier::Http => {}
    }
    let served = way.serve(|| probe(quick())).await;
    let whole: &[u8] = match way.protocol {
        "rpcx" => b"\x08\0\0\x30\0\0\0\0\0\0\0\x01\0\0\0\x20\0\0\0\x05",
        "netrpc" => b"\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\0",
        "http" => b"POST /Probe/Mul HTTP/1.1\r\nContent-Length: 5\r\n\r\n12",
        "jsonrpc" => b"{\"method\":\"Probe.Mul\",\"params\":[",
        other => panic!("how does a call of {other} begin?"),
    };
    let before: &[u8] = match (way.carrier, way.protocol) {
        (Carrier::Http, "rpcx") => b"CONNECT /_rpcx_ HTTP/1.0\n\n",
        (Carrier::Http, "netrpc") => b"CONNECT /_goRPC_ HTTP/1.0\n\n",
        (Carrier::Http, "jsonrpc") => {
            b"POST /jsonrpc HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n"
        }
        (Carrier::Http, other) => panic!("how does HTTP carry {other}?"),
        _ => b"",
    };
    let whole = &[before, whole].concat()[..];
    // A tunnel that stands was asked for by a message that is complete.
    let stands = before.starts_with(b"CONNECT").then_some(before.len());
    let mut all = tokio::task::JoinSet::new();
    for length in (0..=whole.len()).filter(|length| Some(*length) != stands) {
        let mut io = served.raw().await.expect("a connection");
        let begun = whole[..length].to_vec();
        all.spawn(async move {
            let _ = io.write_all(&begun).await;
            let mut rest = Vec::new();
            let read = io.read_to_end(&mut rest);
            let closed = tokio::time::timeout(Duration::from_secs(60), read).await;
            assert!(closed.is_ok(), "still open after {length} bytes");
        });
    }
    all.join_all().await;
    Ok(())
}

macro_rules! rules {
    ($($rule:ident),* $(,)?) => {
        /// Runs one cell.
        async fn run(rule: &str, way: Way) -> Cell {
            match rule {
                $(stringify!($rule) => $rule(way).await,)*
                other => panic!("no such rule: {other}"),
            }
        }
        const RULES: &[&str] = &[$(stringify!($rule)),*];
    };
}

rules! {
    seen_once, refused_before_decoding, tokens, slow_check, panicking_check, addresses,
    calls_at_the_gate, gone_while_checked, message_bytes, body_depth, connections_counted, off,
    slow,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_keeps_every_rule() {
    let (mut cells, mut failed, mut cannot) = (0, Vec::new(), BTreeSet::new());
    for way in ways() {
        if let Some(why) = way.impossible() {
            cannot.insert(format!("{}{} over {:?}: {why}", way.protocol, way.option, way.carrier));
            cells += RULES.len();
            continue;
        }
        let all: Vec<_> = RULES.iter().map(|r| (*r, tokio::spawn(run(r, way)))).collect();
        for (rule, cell) in all {
            cells += 1;
            match cell.await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => {
                    cannot.insert(format!("{rule} over {:?}: {why}", way.carrier));
                }
                Err(_) => failed.push(format!("{rule}: {way:?}")),
            }
        }
    }
    let known = [
        "calls_at_the_gate over Stream: each stream has a server of its own",
        "http over Http: it is HTTP",
        "http over Https: it is HTTP",
        "jsonrpc?version=1 over Stream: only URLs have options",
        "slow over Https: the tests of TLS do this by hand",
        "slow over Memory: memory has no bytes to write by hand",
        "slow over Tls: the tests of TLS do this by hand",
    ];
    println!("{cells} cells: {} rules, {} ways", RULES.len(), ways().len());
    assert_eq!(cells, RULES.len() * ways().len());
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(cannot, known.map(str::to_owned).into(), "what cannot be is named");
    // Every protocol has a way that can be.
    for protocol in sniff::PROTOCOLS {
        let mut of_it = ways().into_iter().filter(|way| way.protocol == protocol.name());
        assert!(of_it.any(|way| way.impossible().is_none()), "{}", protocol.name());
    }
}
