//! Every end a call can come to is told once; who is asked in which order; what the gate leaves
//! behind.

use super::kit::{Latch, Watcher, eventually};
use farcall::{Auth, Client, Code, Cx, Limits, Moments, Plugin, Result, Server, Status, Verdict};
use farcall_it::{
    frames::{Frame, Raw},
    http::{Http, post},
    services::{Args, ProbeClient, Running, probe},
};
use std::time::Duration;

const MSGPACK: u8 = 3;
const ONEWAY: u8 = 0x20;

fn pair(key: &str, value: &str) -> Vec<u8> {
    let part = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
    [part(key), part(value)].concat()
}

/// A call of a method that takes a number.
fn number(method: &str, number: u8) -> Frame {
    Frame::call(1, "Probe", method, MSGPACK, &[number])
}

#[tokio::test]
async fn every_end_is_told_once() -> Result<()> {
    let watcher = Watcher::default();
    let limits = Limits { calls: 4, ..Limits::default() };
    let running = Running::start(probe(limits).plug(watcher.clone())).await;
    let client = ProbeClient::connect(&running.url).await?;
    client.mul(Args { a: 6, b: 7 }).await?;
    client.direct(Args { a: 6, b: 7 }).await?;
    client.sleep(1).await?;
    client.block(1).await?;
    client.spin_spawned(0).await?;
    eventually("five are done", || watcher.ends("done") == 5).await;
    for millis in [0, 1] {
        client.panic(millis).await.expect_err("a panic");
    }
    eventually("two panicked", || watcher.ends("internal") == 2).await;
    client.fail(5, "no".into()).await.expect_err("a failure");
    client.plain().await.expect_err("a failure");
    assert_eq!((watcher.end_of("Fail"), watcher.end_of("Plain")).0.as_deref(), Some("not found"));
    assert_eq!(watcher.ends("unknown"), 1);
    client.sleep(60_000).deadline(Duration::from_millis(20)).await.expect_err("too late");
    eventually("one was late", || watcher.ends("deadline exceeded") == 1).await;
    // A reply that is too long is a failure.
    client.zeros(17 << 20).await.expect_err("too long");
    assert_eq!(watcher.end_of("Zeros").as_deref(), Some("resource exhausted"));
    // Too many that wait.
    let waiting: Vec<_> =
        (0..4).map(|_| tokio::spawn(client.sleep(60_000).no_deadline())).collect();
    eventually("four wait", || watcher.calls() == 15).await;
    let status = client.sleep(1).await.expect_err("too many");
    assert!(status.text().contains("Limits::calls"), "{status}");
    let before = watcher.replies();
    // The connection is lost with four calls on it.
    waiting.iter().for_each(|call| call.abort());
    let mut raw = Raw::connect(&running.url).await;
    raw.send(&number("Sleep", 1).bytes()).await;
    assert!(raw.receive().await.is_some(), "refused or not, it is answered");
    raw.send(b"this is not rpcx").await;
    assert!(raw.receive().await.is_none());
    drop(client);
    eventually("one more", || watcher.replies() > before).await;
    assert_eq!(watcher.ends("lost"), 0);
    Ok(())
}

#[tokio::test]
async fn lost_and_one_way_calls_are_told_once() -> Result<()> {
    let watcher = Watcher::default();
    let running = Running::start(probe(Limits::default()).plug(watcher.clone())).await;
    let mut raw = Raw::connect(&running.url).await;
    for _ in 0..3 {
        raw.send(&Frame::call(1, "Probe", "Sleep", MSGPACK, b"\xcd\xea\x60").bytes()).await;
    }
    eventually("three run", || watcher.calls() == 3).await;
    // A message of no protocol ends it, with all that runs.
    raw.send(b"no protocol of ours").await;
    assert!(raw.receive().await.is_none());
    eventually("all are lost", || watcher.ends("lost") == 3).await;
    let mut raw = Raw::connect(&running.url).await;
    let calls = [
        ("Mul", b"\x82\xa1A\x06\xa1B\x07".to_vec(), "done"),
        ("Mul", b"\x01".to_vec(), "invalid argument"),
        ("Count", b"\x05".to_vec(), "done"),
        ("Panic", b"\x00".to_vec(), "internal"),
        ("Nothing", b"\x00".to_vec(), "unimplemented"),
    ];
    for (at, (method, body, end)) in calls.into_iter().enumerate() {
        let frame = Frame { flags: ONEWAY, ..Frame::call(9, "Probe", method, MSGPACK, &body) };
        raw.send(&frame.bytes()).await;
        eventually("told", || watcher.replies() == 4 + at).await;
        assert_eq!(watcher.end_of(&format!("{method} one way")).as_deref(), Some(end));
    }
    // One that has no time left is refused by the gate's rules, and told.
    let meta = pair("__ServerTimeout", "0");
    let late = Frame { meta, ..number("Sleep", 1) };
    let answer = raw.call(&late).await.expect("an answer");
    assert!(answer.error().expect("an error").contains("deadline"), "{answer:?}");
    assert_eq!(watcher.ends("deadline exceeded"), 1);
    assert_eq!((watcher.calls(), watcher.replies()), (9, 9));
    Ok(())
}

/// Who calls.
struct User(String);

struct Names;

impl Auth for Names {
    type User = User;
    async fn check(&self, cx: &Cx) -> Result<User> {
        match cx.credentials() {
            Some(name) => Ok(User(name.trim_start_matches("Bearer ").to_owned())),
            None => Err(Status::unauthenticated("the credentials are missing")),
        }
    }
}

/// Lets `root` do what others may not.
struct Roles;

impl Plugin for Roles {
    fn moments(&self) -> Moments {
        Moments::CALL
    }
    fn on_call(&self, cx: &Cx) -> Verdict {
        let Some(User(name)) = cx.get() else {
            return Verdict::Stop(Status::internal("nobody was let in before"));
        };
        let (name, method) = (name.clone(), cx.method().to_owned());
        Verdict::wait(async move {
            tokio::task::yield_now().await;
            match name == "root" || method == "Who" {
                true => Ok(()),
                false => Err(Status::permission_denied(format!("{name} may not call {method}"))),
            }
        })
    }
}

/// Tells callers who they are.
#[farcall::service]
trait Who {
    async fn who(&self, cx: &Cx) -> Result<String>;
    async fn halt(&self) -> Result<()>;
}

struct Teller;

impl Who for Teller {
    async fn who(&self, cx: &Cx) -> Result<String> {
        assert!(cx.get::<String>().is_none());
        Ok(cx.get::<User>().map_or("nobody".to_owned(), |user| user.0.clone()))
    }
    async fn halt(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn handlers_and_plugins_know_who_calls() -> Result<()> {
    let server = || Server::new().add(WhoServer::new(Teller)).auth(Names).plug(Roles);
    let running = Running::start(server()).await;
    let builder = WhoClient::builder(&running.url).auth("ann");
    let ann = builder.build().await?;
    assert_eq!(ann.who().await?, "ann");
    assert_eq!(ann.who().auth("bob").await?, "bob");
    let status = ann.halt().await.expect_err("ann may not");
    assert_eq!(status.text(), "ann may not call Halt");
    ann.halt().auth("root").await?;
    let memory = Client::over(server().memory()).auth("eve").auth("root");
    WhoClient::from_client(memory).halt().await?;
    // Over HTTP names of fields have no case, and twice is not once.
    let mut http = Http::connect(&running.url).await;
    let answer = http.call(&post("/Who/Who", "aUTHORIZATION: Bearer ann\r\n", "")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "\"ann\""));
    let answer = http.call(&post("/Who/Halt", "Authorization: ann\r\n", "")).await;
    assert_eq!(answer.status, 403);
    let twice = "Authorization: ann\r\nAuthorization: root\r\n";
    for fields in ["", twice] {
        for path in ["/Who/Who", "/Who/Nothing", "/No/One"] {
            let answer = http.call(&post(path, fields, "")).await;
            assert_eq!(answer.status, 401, "{path}");
            assert_eq!(answer.field("WWW-Authenticate"), Some("Bearer"));
            assert!(answer.body.contains("credentials are missing"), "{}", answer.body);
        }
    }
    Ok(())
}

/// What strangers may ask, each of a method that exists and of one that does not: no answer tells
/// them apart.
#[tokio::test]
async fn strangers_cannot_tell_what_exists() {
    let running =
        Running::start(Server::new().add(WhoServer::new(Teller)).list_services().auth(Names)).await;
    let requests = [
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nnull",
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\nContent-Length: 1\r\n\r\n.",
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n.",
        "POST {} HTTP/1.1\r\nHost: h\r\nX-Timeout-Ms: x\r\nContent-Length: 0\r\n\r\n",
        "POST {} HTTP/1.1\r\nHost: h\r\nX-Timeout-Ms: 0\r\nContent-Length: 0\r\n\r\n",
        "POST {} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nnull",
        "GET {} HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS {} HTTP/1.1\r\nHost: h\r\n\r\n",
        "DELETE {} HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    for request in requests {
        let mut answers = Vec::new();
        for path in ["/Who/Who", "/Who/Nothing", "/Nobody/Who"] {
            let mut http = Http::connect(&running.url).await;
            let first = http.call(&request.replace("{}", path)).await;
            // What follows on the connection is part of the answer.
            let next = match first.status {
                100 => http.receive().await.map(|a| (a.status, a.fields, a.body)),
                _ => None,
            };
            answers.push((first.status, first.fields, first.body, next));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{request}: {answers:#?}");
    }
    let mut http = Http::connect(&running.url).await;
    let list = http.call("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(list.status, 401, "no list is given out to strangers");
    let list = http.call("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer amy\r\n\r\n").await;
    assert!(list.status == 200 && list.body.contains("/Who/Who"), "who is known sees it: {list:?}");
    // rpcx: with a deadline that has passed, and without a body that could be one.
    for meta in [Vec::new(), pair("__ServerTimeout", "0"), pair("__ServerTimeout", "-5")] {
        let mut answers = Vec::new();
        for (service, method) in [("Who", "Who"), ("Who", "Nothing"), ("Nobody", "Who")] {
            let frame = Frame::call(7, service, method, 9, b"junk");
            let mut raw = Raw::connect(&running.url).await;
            let answer = raw.call(&Frame { meta: meta.clone(), ..frame }).await.expect("an answer");
            answers.push((answer.flags, answer.error(), answer.body));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    }
}

/// Checks that wait are stopped when their connection closes, and when the caller's time is up.
#[tokio::test]
async fn checks_are_stopped() -> Result<()> {
    let (latch, watcher) = (Latch::default(), Watcher::default());
    let server = probe(Limits::default()).plug(watcher.clone()).auth(latch.clone());
    let running = Running::start(server).await;
    let mut raw = Raw::connect(&running.url).await;
    for method in ["Sleep", "Nothing"] {
        for flags in [0, ONEWAY] {
            raw.send(&Frame { flags, ..number(method, 1) }.bytes()).await;
        }
    }
    eventually("four wait", || latch.waiting() == 4).await;
    raw.send(b"no protocol of ours").await;
    assert!(raw.receive().await.is_none());
    eventually("all are stopped", || latch.waiting() == 0 && latch.dropped() == 4).await;
    eventually("all are told", || watcher.ends("lost") == 4).await;
    let mut raw = Raw::connect(&running.url).await;
    for method in ["Sleep", "Nothing"] {
        let frame = Frame { meta: pair("__ServerTimeout", "20"), ..number(method, 1) };
        let answer = raw.call(&frame).await.expect("an answer");
        assert!(answer.error().expect("an error").contains("deadline"), "{answer:?}");
    }
    eventually("stopped", || latch.waiting() == 0 && latch.dropped() == 6).await;
    assert_eq!(watcher.ends("deadline exceeded"), 2);
    // Draining waits for what waits at the gate.
    let mut running = running;
    let client = ProbeClient::connect(&running.url).await?;
    let call = tokio::spawn(client.add(1, 2));
    eventually("one waits", || latch.waiting() == 1).await;
    running.stop();
    latch.open();
    assert_eq!(call.await.expect("no panic")?, 3);
    (&mut running.task).await.expect("no panic")
}

/// Thousands of calls through a check that is sometimes ready at once and sometimes not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_through_a_slow_check() -> Result<()> {
    struct Some;
    impl Auth for Some {
        type User = u64;
        async fn check(&self, cx: &Cx) -> Result<u64> {
            let number: u64 = cx.credentials().and_then(|t| t.parse().ok()).unwrap_or(1);
            if number.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
            match number % 5 {
                0 => Err(Status::unauthenticated(format!("not {number}"))),
                _ => Ok(number),
            }
        }
    }
    let limits = Limits { calls_per_connection: 16, ..Limits::default() };
    let running = Running::start(probe(limits).auth(Some)).await;
    let client = ProbeClient::connect(&running.url).await?;
    let calls = (0..2_000_i64).map(|i| {
        let client = client.clone();
        let call = client.mul(Args { a: i, b: 3 }).auth(i.to_string());
        tokio::spawn(async move { (i, call.await) })
    });
    for call in calls.collect::<Vec<_>>() {
        match call.await.expect("no panic") {
            (i, Ok(reply)) => assert!(i % 5 != 0 && reply.c == 3 * i),
            (i, Err(status)) => {
                assert_eq!((i % 5, status.text()), (0, format!("not {i}").as_str()));
            }
        }
    }
    let status = client.fail(16, "x".into()).auth("1").await.expect_err("a failure");
    assert_eq!((status.code(), status.text()), (Code::Unknown, "x"));
    Ok(())
}
