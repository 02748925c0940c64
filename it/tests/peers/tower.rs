//! tower, with axum as the peer: its router mounted on our server, and our server in its router.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
    routing::{any, get},
};
use farcall::{Limits, Result};
use farcall_it::{
    http::{Answer, Http, post},
    services::{Args, ProbeClient, Running, probe},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Barrier;

const MUL: &str = r#"{"A":6,"B":7}"#;

fn router() -> Router {
    let barrier = Arc::new(Barrier::new(2));
    let meet = move || {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            "met"
        }
    };
    Router::new()
        .route("/", get(|| async { "root" }))
        .route("/meet", get(meet))
        .route("/hello/{name}", get(|uri: Uri| async move { format!("hello {uri}") }))
        .route(
            "/echo",
            any(|fields: HeaderMap, body: Bytes| async move {
                let field =
                    fields.get("x-a").and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
                (StatusCode::ACCEPTED, [("x-b", field)], body)
            }),
        )
        .route("/panic", get(|| async { panic!("secret") as &'static str }))
        .route("/large", get(|| async { "x".repeat(300_000) }))
}

fn get_of(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

#[tokio::test]
async fn a_router_is_mounted() -> Result<()> {
    let limits = Limits { message_bytes: 200_000, ..Limits::default() };
    let running = Running::start(probe(limits).mount("/app", router())).await;
    let mut http = Http::connect(&running.url).await;
    for (path, status, body) in [
        ("/app", 200, "root"),
        ("/app/", 200, "root"),
        ("/app/hello/you?a=%20b", 200, "hello /hello/you?a=%20b"),
        ("/app/nothing", 404, ""),
        ("/app/panic", 500, "the handler panicked"),
        ("/app/large", 500, ""),
        ("/hello/you", 404, "no such service"),
    ] {
        let answer = http.call(&get_of(path)).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.body.contains(body) && !answer.body.contains("secret"), "{answer:?}");
    }
    let large = "x".repeat(100_000);
    let chunked = format!(
        "PUT /app/echo HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    let answer = http.call(&chunked).await;
    assert_eq!((answer.status, answer.field("x-b")), (202, Some("1")));
    assert!(answer.body == large);
    assert_eq!(http.call(&post("/Probe/Mul", "", MUL)).await.body, "{\"C\":42}");
    // Two that wait for each other, in one pipeline and on two connections.
    http.send([get_of("/app/meet"), get_of("/app/meet")].concat().as_bytes()).await;
    for _ in 0..2 {
        assert_eq!(http.receive().await.expect("an answer").body, "met");
    }
    http.head = true;
    let head = http.call("HEAD /app/hello/x HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((head.status, head.field("content-length")), (200, Some("14")));
    let client = ProbeClient::connect(&running.url).await?;
    assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42);
    Ok(())
}

/// The answer of a server that closes.
async fn ask(url: &str, request: &str) -> Answer {
    Http::connect(url).await.call(request).await
}

#[tokio::test]
async fn a_server_lives_in_a_router() -> Result<()> {
    let limits = Limits { message_bytes: 2 << 20, ..Limits::default() };
    let service = probe(limits).list_services().health().into_service()?;
    let app = Router::new()
        .route("/axum", get(|| async { "axum" }))
        .nest_service("/rpc", service.clone())
        .fallback_service(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = listener.local_addr().expect("its address").to_string();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    for path in ["/Probe/Mul", "/rpc/Probe/Mul"] {
        let answer = ask(&url, &post(path, "", MUL)).await;
        assert_eq!((answer.status, &*answer.body), (200, "{\"C\":42}"), "{path}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
    assert_eq!(ask(&url, &get_of("/axum")).await.body, "axum");
    assert!(ask(&url, &get_of("/")).await.body.contains("/Probe/Mul"));
    assert_eq!(ask(&url, &get_of("/rpc/healthz")).await.body, "ok\n");
    let answer = ask(&url, &post("/Probe/Meta", "X-Tenant: blue\r\n", "")).await;
    assert_eq!(answer.field("x-tenant"), Some("blue"));
    let answer = ask(&url, &post("/Probe/Sleep", "X-Timeout-Ms: 20\r\n", "60000")).await;
    assert_eq!(answer.status, 504);
    let answer = ask(&url, &post("/Probe/Panic", "", "0")).await;
    assert_eq!((answer.status, answer.body.contains("secret")), (500, false));
    let one = r#"{"jsonrpc":"2.0","method":"Probe.Mul","params":{"A":6,"B":7},"id":1}"#;
    let answer = ask(&url, &post("/jsonrpc", "", &format!("[{one},{one}]"))).await;
    assert_eq!(answer.body.matches("42").count(), 2);
    let notice = r#"{"jsonrpc":"2.0","method":"Probe.Mul"}"#;
    assert_eq!(ask(&url, &post("/jsonrpc", "", notice)).await.status, 204);
    // Larger than what the pipe between them holds, both ways; and larger than allowed.
    let large = format!("\"{}\"", "AAAA".repeat(300_000));
    let answer = ask(&url, &post("/Probe/Bytes", "", &large)).await;
    assert!(answer.status == 200 && answer.body == large);
    let answer = ask(&url, &post("/Probe/Bytes", "", &large.repeat(2))).await;
    assert_eq!(answer.status, 413);
    // Many at once, and who leaves takes its call along.
    let asked = (0..50).map(|n| {
        let url = url.clone();
        tokio::spawn(async move {
            let body = format!("{{\"A\":2,\"B\":{n}}}");
            let answer = ask(&url, &post("/Probe/Mul", "", &body)).await;
            assert_eq!(answer.body, format!("{{\"C\":{}}}", 2 * n));
        })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.expect("no panic");
    }
    let mut gone = Http::connect(&url).await;
    gone.send(post("/Probe/Sleep", "", "600000").as_bytes()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(gone);
    let mut tries = 0;
    // The probe answers how many sleep, itself included.
    while ask(&url, &post("/Probe/Sleep", "", "0")).await.body != "1" {
        tries += 1;
        assert!(tries < 500, "the call of a client that left still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.abort();
    Ok(())
}
