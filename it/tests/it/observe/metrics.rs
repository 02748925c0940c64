//! What is counted, and how it is read.

use super::{WAYS, client, eventually, page::Page};
use farcall::{Code, Limits, Metrics, Result, Status};
use farcall_it::{
    frames::{Frame, Raw},
    http::{Http, post},
    services::{Args, Running, probe},
};
use std::time::Duration;

const CALLS: &str = "farcall_server_calls_total";

/// Runs the page's server.
async fn scraped(metrics: &Metrics) -> Running {
    let bound = metrics.listen("http://127.0.0.1:0").await.expect("a free port");
    let url = bound.addresses()[0].replace("tcp://", "rpcx://");
    Running::over(url, bound)
}

#[tokio::test]
async fn calls_of_every_protocol_are_counted() -> Result<()> {
    let metrics = Metrics::new();
    let running = Running::start(probe(Limits::default()).plug(metrics.clone())).await;
    for (way, _) in WAYS {
        let probe = client(way, &running).await;
        for _ in 0..3 {
            probe.mul(Args { a: 6, b: 7 }).await?;
        }
        probe.sleep(1).await?;
        probe.fail(5, "no".into()).await.expect_err("a failure");
        probe.panic(0).await.expect_err("a panic");
        probe.sleep(400).deadline(Duration::from_millis(20)).await.expect_err("too late");
    }
    let read = || Page::read(&metrics.text());
    // Where the protocol tells no deadline, the call ends with its connection.
    eventually("all have ended", || read().sum("farcall_server_calls_in_flight", &[]) == 0.0).await;
    let page = read();
    for protocol in ["rpcx", "netrpc", "jsonrpc", "http"] {
        let ways = WAYS.iter().filter(|(_, p)| *p == protocol).count() as f64;
        let of = |name: &str, method, more: &[(&str, &str)]| {
            let labels = [("service", "Probe"), ("method", method), ("protocol", protocol)];
            page.sum(name, &[&labels[..], more].concat())
        };
        assert_eq!(of(CALLS, "Mul", &[("code", "ok")]), 3.0 * ways, "{protocol}");
        assert_eq!(of("farcall_server_calls_started_total", "Mul", &[]), 3.0 * ways);
        assert_eq!(of("farcall_server_call_duration_seconds_count", "Mul", &[]), 3.0 * ways);
        assert!(of("farcall_server_received_bytes_total", "Mul", &[]) >= 9.0 * ways);
        // `{"C":42}` in each format, and nothing of what stands around it.
        let sent = of("farcall_server_sent_bytes_total", "Mul", &[]) / (3.0 * ways);
        match protocol {
            "rpcx" => assert_eq!(sent, 4.0),
            "netrpc" => assert!(sent > 2.0, "{sent}"), // with its types, the first time
            _ => assert_eq!(sent, 8.0, "{protocol}"),
        }
        assert_eq!(of(CALLS, "Fail", &[("code", "not_found")]), ways, "{protocol}");
        assert_eq!(of(CALLS, "Panic", &[("code", "internal")]), ways, "{protocol}");
        assert_eq!(of(CALLS, "Sleep", &[]), 2.0 * ways, "{protocol}");
        let slow = of("farcall_server_call_duration_seconds_sum", "Sleep", &[]);
        assert!(slow >= 0.001 * ways, "{protocol}: {slow}");
        assert!(page.sum("farcall_server_connections_total", &[("protocol", protocol)]) >= ways);
    }
    eventually("all are closed", || read().sum("farcall_server_connections_open", &[]) == 0.0)
        .await;
    Ok(())
}

#[tokio::test]
async fn invented_names_are_no_labels() -> Result<()> {
    let metrics = Metrics::new();
    let running = Running::start(probe(Limits::default()).plug(metrics.clone())).await;
    let mut raw = Raw::connect(&running.url).await;
    let mut http = Http::connect(&running.url).await;
    let mut lines = 0;
    for i in 0..300 {
        let name = format!("x\"}}\n# TYPE evil counter\\{i}");
        let answer = raw.call(&Frame::call(1, "Probe", &name, 3, b"\xc0")).await;
        assert!(answer.expect("an answer").error().is_some());
        let answer = raw.call(&Frame::call(1, &name, "Mul", 3, b"\xc0")).await;
        assert!(answer.expect("an answer").error().is_some());
        assert_eq!(http.call(&post(&format!("/Evil{i}/X{i}"), "", "0")).await.status, 404);
        let text =
            format!("{{\"method\":\"A{i}.B{i}\",\"id\":{i},\"params\":[],\"jsonrpc\":\"2.0\"}}");
        http.call(&post("/jsonrpc", "", &text)).await;
        let page = Page::read(&metrics.text());
        match i {
            0 => lines = page.len(),
            _ => assert_eq!(page.len(), lines, "{i}"),
        }
    }
    let text = metrics.text();
    assert!(!text.contains("evil") && !text.contains("Evil") && !text.contains("A7"), "{text}");
    let unknown = [("service", "unknown"), ("method", "unknown")];
    assert_eq!(Page::read(&text).sum(CALLS, &unknown), 1_200.0);
    Ok(())
}

#[tokio::test]
async fn the_page_has_a_port_of_its_own() -> Result<()> {
    let metrics = Metrics::new();
    let running = Running::start(probe(Limits::default()).plug(metrics.clone())).await;
    let page = scraped(&metrics).await;
    client("rpcx", &running).await.mul(Args { a: 6, b: 7 }).await?;
    let mut http = Http::connect(&page.url).await;
    let answer = http.call("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    let kind = answer.field("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(Page::read(&answer.body).sum(CALLS, &[("method", "Mul")]), 1.0);
    assert_eq!(http.call(&post("/metrics", "", "")).await.status, 405);
    assert_eq!(http.call("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.status, 404);
    // The services' port shows nothing, and the page's serves no calls.
    let mut services = Http::connect(&running.url).await;
    let request = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(services.call(request).await.status, 404);
    let refused = client("rpcx", &page).await.mul(Args { a: 6, b: 7 }).await;
    refused.expect_err("the page serves no calls");
    // Unless it is asked to.
    let shown = probe(Limits::default()).mount("/metrics", metrics.page());
    let mut http = Http::connect(&Running::start(shown).await.url).await;
    assert_eq!(http.call(request).await.status, 200);
    Ok(())
}

#[tokio::test]
async fn refusals_and_losses_are_counted() -> Result<()> {
    struct No;
    impl farcall::Plugin for No {
        fn moments(&self) -> farcall::Moments {
            farcall::Moments::CALL
        }
        fn on_call(&self, _: &farcall::Cx) -> farcall::Verdict {
            farcall::Verdict::Stop(Status::permission_denied("not today"))
        }
    }
    let metrics = Metrics::new();
    // Whoever refuses may stand before or behind.
    let before = probe(Limits::default()).plug(No).plug(metrics.clone());
    let behind = probe(Limits::default()).plug(metrics.clone()).plug(No);
    for server in [before, behind] {
        let running = Running::start(server).await;
        for (way, _) in WAYS {
            let status = client(way, &running).await.mul(Args { a: 6, b: 7 }).await;
            status.expect_err("refused");
        }
    }
    let read = || Page::read(&metrics.text());
    let refused = read().sum(CALLS, &[("code", "permission_denied"), ("method", "Mul")]);
    assert_eq!(refused, 2.0 * WAYS.len() as f64);
    assert_eq!(read().sum(CALLS, &[("code", "ok")]), 0.0);
    // A connection that is lost takes its calls along.
    let limits = Limits { connections: 1, ..Limits::default() };
    let running = Running::start(probe(limits).plug(metrics.clone())).await;
    let mut raw = Raw::connect(&running.url).await;
    raw.send(&Frame::call(1, "Probe", "Sleep", 3, b"\xcd\xea\x60").bytes()).await;
    let in_flight = |page: &Page| page.sum("farcall_server_calls_in_flight", &[]);
    eventually("it runs", || in_flight(&read()) == 1.0).await;
    let other = client("rpcx", &running).await.mul(Args { a: 6, b: 7 });
    let status = other.deadline(Duration::from_millis(500)).await.expect_err("full");
    assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}");
    let refused = read().sum("farcall_server_connections_refused_total", &[("why", "full")]);
    assert!(refused >= 1.0);
    raw.send(b"this is not rpcx").await;
    eventually("it is lost", || read().sum(CALLS, &[("code", "lost")]) == 1.0).await;
    assert_eq!(in_flight(&read()), 0.0);
    eventually("it is closed", || {
        let broken = [("protocol", "rpcx"), ("why", "broken")];
        read().sum("farcall_server_connections_closed_total", &broken) == 1.0
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn handlers_that_hold_their_worker_are_counted() -> Result<()> {
    let metrics = Metrics::new();
    let limits = Limits { hold_time: Duration::from_millis(5), ..Limits::default() };
    let running = Running::start(probe(limits).plug(metrics.clone())).await;
    client("rpcx", &running).await.spin(20).await?;
    let held = [("service", "Probe"), ("method", "Spin")];
    let page = Page::read(&metrics.text());
    assert_eq!(page.sum("farcall_server_handlers_held_total", &held), 1.0);
    Ok(())
}
