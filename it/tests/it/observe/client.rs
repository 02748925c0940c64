//! What clients count is what was called, over every protocol and however it ends.

use super::{WAYS, eventually, page::Page};
use farcall::{
    Client, ClientPlugin, Code, Fail, Limits, Metrics, Moments, Outgoing, Result, Status, Value,
    Verdict, json,
};
use farcall_it::services::{Args, ProbeClient, Running, probe};
use std::time::Duration;

const CALLS: &str = "farcall_client_calls_total";
const STARTED: &str = "farcall_client_calls_started_total";
const IN_FLIGHT: &str = "farcall_client_calls_in_flight";
const TIMES: &str = "farcall_client_call_duration_seconds_count";
const RETRIES: &str = "farcall_client_retries_total";
const OPEN: &str = "farcall_client_connections_open";
const OPENED: &str = "farcall_client_connections_total";
const FAILED: &str = "farcall_client_connections_failed_total";
const CLOSED: &str = "farcall_client_connections_closed_total";

fn url(way: &str, running: &Running) -> String {
    running.url.replace("rpcx://", &format!("{way}://"))
}

/// What the client speaks: JSON-RPC, also where HTTP carries it.
fn spoken(way: &str) -> &str {
    way.split('+').next().unwrap_or(way)
}

#[tokio::test]
async fn what_was_called_is_what_is_counted() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    for (way, _) in WAYS {
        let metrics = Metrics::new();
        let builder = ProbeClient::builder(url(way, &running)).plug(metrics.client("probe"));
        let client = builder.build().await?;
        for _ in 0..3 {
            client.mul(Args { a: 6, b: 7 }).await?;
        }
        client.mul(Args { a: 6, b: 7 }).start().await?;
        client.mul(Args { a: 6, b: 7 }).oneway().await?;
        // Not every protocol carries the code: what the caller was told is what counts.
        let word = |status: Status| status.code().name().replace(' ', "_");
        let failed = word(client.fail(5, "no".into()).await.expect_err("a failure"));
        let panicked = word(client.panic(0).await.expect_err("a panic"));
        client.sleep(60_000).deadline(Duration::from_millis(50)).await.expect_err("too late");
        let in_flight = |page: &Page| page.sum(IN_FLIGHT, &[("method", "Sleep")]);
        let read = || Page::read(&metrics.text());
        // Given up while they run; one was never polled, and is no call.
        drop(client.sleep(1));
        let calls = [client.sleep(60_000).start(), client.sleep(60_000).start()];
        eventually("both run", || in_flight(&read()) == 2.0).await;
        drop(calls);
        eventually("nobody waits", || in_flight(&read()) == 0.0).await;
        let other = client.client().call("Probe.Nobody", Value::Null).await;
        let unknown = word(other.expect_err("no such method"));

        let page = read();
        let of = |name: &str, method: &str, code: &str| {
            let labels = [("client", "probe"), ("service", "Probe"), ("protocol", spoken(way))];
            let code = [("method", method), ("code", code)];
            page.sum(
                name,
                &[&labels[..], &code[..if code[1].1.is_empty() { 1 } else { 2 }]].concat(),
            )
        };
        for (method, code, count) in [
            ("Mul", "ok", 5.0),
            ("Fail", &failed, 1.0),
            ("Panic", &panicked, 1.0),
            ("Sleep", "deadline_exceeded", 1.0),
            ("Sleep", "lost", 2.0),
            ("Nobody", &unknown, 1.0),
        ] {
            assert_eq!(of(CALLS, method, code), count, "{way} {method} {code}");
        }
        for (method, count) in [("Mul", 5.0), ("Fail", 1.0), ("Sleep", 3.0), ("Nobody", 1.0)] {
            for name in [STARTED, CALLS, TIMES] {
                assert_eq!(of(name, method, ""), count, "{way} {name} {method}");
            }
        }
        assert!(of("farcall_client_call_duration_seconds_sum", "Sleep", "") >= 0.05, "{way}");
        assert_eq!((page.sum(CALLS, &[]), page.sum(IN_FLIGHT, &[])), (11.0, 0.0), "{way}");
        assert_eq!((page.sum(RETRIES, &[]), page.sum(FAILED, &[])), (0.0, 0.0), "{way}");
        let (opened, name) = (page.sum(OPENED, &[]), [("client", "probe")]);
        assert!(opened >= 1.0 && page.sum(OPEN, &name) >= 1.0, "{way}");
        drop(client);
        eventually("all are closed", || read().sum(OPEN, &[]) == 0.0).await;
        assert_eq!(read().sum(CLOSED, &[]), read().sum(OPENED, &[]), "{way}");
        // Nothing of a server is there.
        assert_eq!(read().sum("farcall_server_calls_started_total", &[]), 0.0);
    }
    Ok(())
}

#[tokio::test]
async fn attempts_and_dials_are_counted() -> Result<()> {
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    let limits = Limits {
        reconnect: (Duration::from_millis(5), Duration::from_millis(20)),
        ..Limits::default()
    };
    let running = Running::start(probe(Limits::default())).await;
    for (way, _) in WAYS {
        let metrics = Metrics::new();
        let client = ProbeClient::builder(format!("{way}://{nobody}"))
            .limits(limits.clone())
            .fail(Fail::Try { retries: 2 })
            .plug(metrics.client("away"))
            .lazy()?;
        let status = client.mul(Args { a: 6, b: 7 }).await.expect_err("nobody is there");
        assert_eq!((status.code(), status.attempts()), (Code::Unavailable, 3), "{way}: {status}");
        let read = || Page::read(&metrics.text());
        let page = read();
        assert_eq!(page.sum(CALLS, &[("code", "unavailable")]), 1.0, "{way}");
        assert_eq!((page.sum(STARTED, &[]), page.sum(RETRIES, &[])), (1.0, 2.0), "{way}");
        assert!(page.sum(FAILED, &[("client", "away")]) >= 3.0, "{way}");
        assert_eq!((page.sum(OPENED, &[]), page.sum(OPEN, &[])), (0.0, 0.0), "{way}");
        // Another address answers: one call, whatever it took.
        if spoken(way) != "netrpc" {
            let at = running.url.replace("rpcx://", "");
            let client = ProbeClient::builder(format!("{way}://{nobody},{at}"))
                .limits(limits.clone())
                .fail(Fail::Over { retries: 3 })
                .plug(metrics.client("either"))
                .lazy()?;
            for _ in 0..4 {
                client.mul(Args { a: 6, b: 7 }).await?;
            }
            let page = read();
            let either = [("client", "either")];
            assert_eq!(page.sum(CALLS, &[either[0], ("code", "ok")]), 4.0, "{way}");
            assert_eq!(page.sum(STARTED, &either), 4.0, "{way}");
            assert!(page.sum(OPENED, &either) >= 1.0, "{way}");
        }
    }
    Ok(())
}

/// Says no to everything.
struct No;

impl ClientPlugin for No {
    fn moments(&self) -> Moments {
        Moments::CALL
    }
    fn on_call(&self, _: &mut Outgoing) -> Verdict {
        Verdict::Stop(Status::permission_denied("not today"))
    }
}

/// What is refused has begun and ended, whoever refuses, before or behind.
#[tokio::test]
async fn refusals_of_ones_own_are_counted() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    for (way, _) in WAYS {
        let metrics = Metrics::new();
        let builder = || ProbeClient::builder(url(way, &running));
        let before = builder().plug(No).plug(metrics.client("before")).build().await?;
        let behind = builder().plug(metrics.client("behind")).plug(No).build().await?;
        let around = builder()
            .plug(metrics.client("around"))
            .intercept(|_: Outgoing| async { Status::permission_denied("not today").into() });
        let around = around.build().await?;
        for client in [before, behind, around] {
            client.mul(Args { a: 6, b: 7 }).await.expect_err("refused");
        }
        let page = Page::read(&metrics.text());
        for client in ["before", "behind", "around"] {
            let refused = [("client", client), ("code", "permission_denied")];
            assert_eq!(page.sum(CALLS, &refused), 1.0, "{way} {client}");
            assert_eq!(page.sum(STARTED, &refused[..1]), 1.0, "{way} {client}");
        }
        assert_eq!(page.sum(IN_FLIGHT, &[]), 0.0, "{way}");
    }
    Ok(())
}

/// Names that are made while the program runs are labels up to a bound.
#[tokio::test]
async fn invented_names_are_other() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let metrics = Metrics::new();
    let plugin = metrics.client("gateway").names(3);
    let client = ProbeClient::builder(&running.url).plug(plugin.clone()).build().await?;
    for round in 0..2 {
        for i in 0..50 {
            let name = format!("Evil\"{i}.X\n{i}");
            client.client().call(name, Value::Null).await.expect_err("none");
        }
        let page = Page::read(&metrics.text());
        let other = [("service", "other"), ("method", "other")];
        assert_eq!(page.sum(CALLS, &other), f64::from(47 * (round + 1)));
        assert_eq!(page.sum(CALLS, &[("service", "Evil\"2")]), f64::from(round + 1));
    }
    // A service's own methods find their place all the same, another name's do not.
    client.mul(Args { a: 6, b: 7 }).await?;
    client.client().call("Probe.Mul", json!({"A": 1, "B": 2})).await?;
    let renamed = client.client().clone().named("Elsewhere");
    ProbeClient::from_client(renamed).mul(Args { a: 1, b: 1 }).await.expect_err("none");
    let page = Page::read(&metrics.text());
    assert_eq!(page.sum(CALLS, &[("service", "Probe"), ("method", "Mul")]), 2.0);
    assert_eq!(page.sum(CALLS, &[("service", "Elsewhere")]), 0.0);
    assert_eq!(page.sum(STARTED, &[("service", "other")]), 95.0);
    // Two clients of one name are added up, and a page shows servers and clients.
    let both = probe(Limits::default()).plug(metrics.clone());
    let over = Client::builder(&running.url).plug(metrics.client("gateway")).build().await?;
    over.call("Probe.Mul", json!({"A": 1, "B": 2})).await?;
    let both = Running::start(both).await;
    ProbeClient::connect(&both.url).await?.mul(Args { a: 6, b: 7 }).await?;
    let page = Page::read(&metrics.text());
    assert_eq!(page.sum(CALLS, &[("client", "gateway"), ("method", "Mul")]), 3.0);
    assert_eq!(page.sum("farcall_server_calls_total", &[("method", "Mul")]), 1.0);
    Ok(())
}
