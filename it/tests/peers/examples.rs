//! What programs of rpcx's public examples do and no other test here does: plugins, several servers
//! at once, servers that go and come back, IPv6; with the real rpcx at the other end.

use crate::go_peer::{GoServer, calls, named, program};
use farcall::{
    Client, Code, Deny, Fail, Format, Incoming, Moments, Outcome, Peer, Plugin, Rate, RateLimit,
    Result, Select, Status, Value, Verdict, json,
};
use farcall_cli::services::{self, Args, ArithClient, HelloServiceClient};
use farcall_it::services::Running;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};

const SOON: Duration = Duration::from_secs(60);

fn address(running: &Running) -> &str {
    running.url.split_once("://").map_or("", |(_, address)| address)
}

async fn go_passes(address: &str, group: &str, at_least: usize) {
    let flags = ["-timeout", "50s", "-case", group];
    calls("rpcx-peer", address, "-addr", &flags, &[], at_least).await;
}

/// broadcast, fork, inform, sticky, state, group, breaker, selector, failmode.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_several_of_ours() {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Running::start(services::all(1)).await);
    }
    let addresses: Vec<_> = servers.iter().map(address).collect();
    go_passes(&addresses.join(","), "many", 14).await;
    go_passes(addresses[0], "oneclient,oneshot", 2).await;
}

/// What a plugin of ours is told.
#[derive(Clone, Default)]
struct Told(Arc<[AtomicUsize; 4]>);

impl Told {
    fn counts(&self) -> [usize; 4] {
        self.0.each_ref().map(|count| count.load(SeqCst))
    }
}

impl Plugin for Told {
    fn moments(&self) -> Moments {
        Moments::CONNECT | Moments::CLOSE | Moments::CALL | Moments::REPLY
    }
    fn on_connect(&self, _: &Peer) -> Verdict {
        self.0[0].fetch_add(1, SeqCst);
        Verdict::Go
    }
    fn on_close(&self, _: &Peer) {
        self.0[1].fetch_add(1, SeqCst);
    }
    fn on_call(&self, cx: &farcall::Cx) -> Verdict {
        self.0[2].fetch_add(1, SeqCst);
        match cx.meta().get("from").as_deref() {
            Some("a plugin") => Verdict::Go,
            other => Verdict::Stop(Status::permission_denied(format!("from {other:?}"))),
        }
    }
    fn on_reply(&self, _: &farcall::CallInfo<'_>, _: Outcome<'_>) {
        self.0[3].fetch_add(1, SeqCst);
    }
}

/// plugin: both ends have some; plugin_blacklist, blacklist; reqratelimit; wrapcall.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_of_go_and_of_ours() {
    let told = Told::default();
    let running = Running::start(services::all(1).plug(told.clone())).await;
    go_passes(address(&running), "plugins", 1).await;
    let gone = async {
        while told.counts() != [1, 1, 20, 20] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(SOON, gone).await.is_ok(), "{:?}", told.counts());

    let deny = Deny::new(["127.0.0.0/8"]).expect("a range");
    let running = Running::start(services::all(1).plug(deny)).await;
    let mut go = tokio::process::Command::new(named("rpcx-peer"));
    go.args(["client", "-addr", address(&running), "-timeout", "20s", "-case", "mul/json/none"]);
    let said = go.output().await.expect("the client runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("0 passed, 2 failed"), "{said}");

    let five = Rate::new(5, Duration::from_secs(36_000)).burst(5);
    let running = Running::start(services::all(1).plug(RateLimit::new().server(five))).await;
    go_passes(address(&running), "limited", 1).await;

    let wrapped = services::all(1).intercept(|call: Incoming| async move {
        let name = match call.argument::<String>().as_deref() {
            Ok("jack") => return call.answer(&"Hello World:rose!".to_owned()),
            Ok(name) => name.to_owned(),
            Err(_) => return call.run().await,
        };
        call.answer(&format!("Hello World:{name}!"))
    });
    let running = Running::start(wrapped).await;
    go_passes(address(&running), "wrapcall", 1).await;
}

async fn seen(client: &Client, what: &str) -> Result<i64> {
    let counts = client.call("Seen.Counts", json!({})).format(Format::Json).await?;
    Ok(counts.get(what).and_then(Value::as_i64).expect("a number"))
}

/// The same examples the other way round: Go's plugins see, change and refuse what we send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_of_gos_servers() -> Result<()> {
    let go = GoServer::of(&program(), &["-wrap", "-most", "5"], "rpcx");
    let client = Client::connect(&go.url).await?;
    let arith = ArithClient::from_client(client.clone());
    for a in 0..5 {
        assert_eq!(arith.mul(Args { a, b: 3 }).await?.c, 3 * a);
    }
    let status = arith.mul(Args { a: 1, b: 3 }).await.expect_err("one too many");
    assert_eq!(status.text(), "request reached rate limit");
    assert_eq!(seen(&client, "Handled").await?, 5);
    let hello = HelloServiceClient::from_client(client);
    assert_eq!(hello.say_hello("jack".to_owned()).await?, "Hello World:rose!");
    assert_eq!(hello.say_hello("jill".to_owned()).await?, "Hello World:jill!");

    let go = GoServer::of(&program(), &["-refuse"], "rpcx");
    let first = Client::connect(&go.url).await?;
    assert_eq!(seen(&first, "Connections").await?, 1);
    let second = ArithClient::builder(&go.url).deadline(Duration::from_secs(5)).lazy()?;
    let status = second.mul(Args { a: 1, b: 3 }).await.expect_err("refused");
    assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}");
    assert_eq!(ArithClient::from_client(first).mul(Args { a: 2, b: 3 }).await?.c, 6);
    Ok(())
}

/// broadcast, fork, selector, failmode, reconnect2: three of Go's servers, of which one goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_several_of_gos() -> Result<()> {
    let servers: Vec<_> = (0..3).map(|_| GoServer::start()).collect();
    let mut each = Vec::new();
    for server in &servers {
        each.push(Client::connect(&server.url).await?);
    }
    // To all of them, for all answers; and for the first of them.
    for round in 0..20 {
        let mut all = JoinSet::new();
        for client in &each {
            let arith = ArithClient::from_client(client.clone());
            all.spawn(arith.mul(Args { a: round, b: 7 }).into_future());
        }
        if round % 2 == 0 {
            for reply in all.join_all().await {
                assert_eq!(reply?.c, 7 * round);
            }
        } else {
            let first = all.join_next().await.expect("one").expect("no panic");
            assert_eq!(first?.c, 7 * round);
        }
    }
    let url = servers.iter().map(|go| go.url.trim_start_matches("rpcx://"));
    let url = format!("rpcx://{}", url.collect::<Vec<_>>().join(","));
    for select in [Select::Random, Select::RoundRobin] {
        let many = Client::builder(&url).select(select).fail(Fail::Over { retries: 3 });
        let arith = ArithClient::from_client(many.build().await?.idempotent());
        let mut before = Vec::new();
        for client in &each {
            before.push(seen(client, "Handled").await?);
        }
        for round in 0..60 {
            assert_eq!(arith.mul(Args { a: round, b: 7 }).await?.c, 7 * round);
        }
        for (client, before) in each.iter().zip(before) {
            assert!(seen(client, "Handled").await? > before, "{select:?} left one out");
        }
    }
    let many = Client::builder(&url).fail(Fail::Over { retries: 3 }).build().await?;
    let arith = ArithClient::from_client(many.idempotent());
    let mut servers = servers;
    drop(servers.remove(0));
    for round in 0..60 {
        assert_eq!(arith.mul(Args { a: round, b: 7 }).await?.c, 7 * round);
    }
    Ok(())
}

/// ipv6, both ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ipv6() -> Result<()> {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("NOT RUN: this machine has no IPv6");
        return Ok(());
    }
    let running = Running::start_on(services::all(1), "tcp://[::1]:0").await?;
    go_passes(address(&running), "mul,oneclient", 13).await;
    let flags = ["-addr", "[::1]:0", "-until-stdin-closes"];
    let go = GoServer::with(&program(), &flags, "rpcx");
    let arith = ArithClient::connect(&go.url).await?;
    assert_eq!(arith.mul(Args { a: 6, b: 7 }).await?.c, 42);
    Ok(())
}
