//! A trace goes on from hop to hop, and every call has its span.

use super::{
    WAYS, eventually,
    kit::{Memory, Seen},
};
use farcall::{Client, Cx, Result, Server, TraceContext};
use farcall_it::{
    frames::{Frame, Raw},
    http::{Http, post},
    services::Running,
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Says where it is called.
#[farcall::service]
trait Hop {
    /// Trace, own number, parent, state.
    async fn place(&self, cx: &Cx) -> Result<Vec<String>>;
    /// The same, of the next one, behind its own.
    async fn next(&self, cx: &Cx, url: String) -> Result<Vec<String>>;
    /// The time left, of the next one.
    async fn left(&self, cx: &Cx, url: String) -> Result<Vec<u64>>;
    /// Says something, at once.
    fn direct(&self) -> Result<()>;
    /// Says something before and after it waits.
    async fn late(&self) -> Result<()>;
    /// Says something from the start of a task of its own.
    #[method(spawn)]
    async fn spawned(&self) -> Result<()>;
    /// On the blocking pool.
    #[method(blocking)]
    fn block(&self) -> Result<()>;
    /// Fails.
    async fn fail(&self, code: i64) -> Result<()>;
}

struct Hopper;

fn place(cx: &Cx) -> Vec<String> {
    cx.trace().map_or_else(Vec::new, |trace| {
        let state = trace.tracestate().unwrap_or_default();
        let parent = trace.parent_id().unwrap_or_default();
        vec![trace.trace_id(), trace.span_id(), parent, state.to_owned()]
    })
}

fn say(text: &str) {
    tracing::info!(target: "it", "{text}");
}

impl Hop for Hopper {
    async fn place(&self, cx: &Cx) -> Result<Vec<String>> {
        Ok(place(cx))
    }
    async fn next(&self, cx: &Cx, url: String) -> Result<Vec<String>> {
        let next = HopClient::connect(&url).await?;
        let theirs = next.place().within(cx).traced().await?;
        Ok([place(cx), theirs].concat())
    }
    async fn left(&self, cx: &Cx, url: String) -> Result<Vec<u64>> {
        let millis = |cx: &Cx| cx.remaining().map_or(u64::MAX, |left| left.as_millis() as u64);
        if url.is_empty() {
            return Ok(vec![millis(cx)]);
        }
        let next = HopClient::connect(&url).await?;
        let theirs = next.left(String::new()).within(cx).await?;
        Ok([vec![millis(cx)], theirs].concat())
    }
    fn direct(&self) -> Result<()> {
        say("here");
        Ok(())
    }
    async fn late(&self) -> Result<()> {
        say("here");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        say("there");
        Ok(())
    }
    async fn spawned(&self) -> Result<()> {
        say("here");
        Ok(())
    }
    fn block(&self) -> Result<()> {
        Ok(())
    }
    async fn fail(&self, code: i64) -> Result<()> {
        Err(farcall::Status::new(farcall::Code::from_number(code), "on purpose"))
    }
}

async fn serve() -> Running {
    Running::start(Server::new().add(HopServer::new(Hopper)).traced()).await
}

/// Neither net/rpc nor JSON-RPC has a place for it; posted, the latter has that of HTTP.
fn has_place(way: &str) -> bool {
    !way.starts_with("netrpc") && way != "jsonrpc"
}

fn url(way: &str, running: &Running) -> String {
    running.url.replace("rpcx://", &format!("{way}://"))
}

#[tokio::test]
async fn a_trace_goes_on_over_every_protocol() -> Result<()> {
    let (one, two) = (serve().await, serve().await);
    for (way, _) in WAYS {
        let hop = HopClient::connect(&url(way, &one)).await?;
        let carries = has_place(way);
        let call = || match carries {
            true => hop.place().meta("traceparent", PARENT).meta("tracestate", "a=1,b=2"),
            false => hop.place(),
        };
        let told = call().await?;
        assert_eq!(told.len(), 4, "{way}");
        assert_eq!(told[0] == TRACE, carries, "{way} {told:?}");
        if carries {
            assert_eq!((&*told[2], &*told[3]), ("b7ad6b7169203331", "a=1,b=2"), "{way}");
        } else {
            assert_eq!((&*told[2], &*told[3]), ("", ""), "{way}");
            assert_ne!(told[0], call().await?[0], "each call is a trace of its own");
        }
        // From here to there, over everything there is.
        for (onward, _) in WAYS {
            let told = hop.next(url(onward, &two)).await?;
            let [trace, span, _, _, next_trace, next_span, next_parent, _] = &told[..] else {
                panic!("{way} {onward} {told:?}")
            };
            let carries = has_place(onward);
            assert_eq!(trace == next_trace, carries, "{way} {onward}");
            assert_ne!(span, next_span, "{way} {onward}");
            // Between them is the client's own number.
            assert!(next_parent != span && next_parent.is_empty() != carries, "{way} {onward}");
        }
    }
    // Without a trace there is none.
    let untraced = Running::start(Server::new().add(HopServer::new(Hopper))).await;
    let hop = HopClient::connect(&untraced.url).await?;
    assert!(hop.place().meta("traceparent", PARENT).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_state_travels_from_rpcx_to_http() -> Result<()> {
    let (one, two) = (serve().await, serve().await);
    let hop = HopClient::connect(&one.url).await?;
    let call = hop.next(url("http", &two)).meta("traceparent", PARENT).meta("tracestate", "x=y");
    let told = call.await?;
    assert_eq!((&*told[0], &*told[4]), (TRACE, TRACE));
    assert_eq!((&*told[3], &*told[7]), ("x=y", "x=y"));
    // A client's own headers over HTTP, the state in two fields.
    let mut http = Http::connect(&one.url).await;
    let fields = format!("Traceparent: {PARENT}\r\nTraceState: a=1\r\ntracestate: b=2\r\n");
    let request =
        format!("POST /Hop/Place HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: 0\r\n\r\n");
    let answer = http.call(&request).await;
    assert!(answer.body.contains(TRACE) && answer.body.contains("a=1,b=2"), "{answer:?}");
    // Posted JSON-RPC has them too.
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"Hop.Place"}"#;
    let answer = http.call(&post("/jsonrpc", &fields, text)).await;
    assert!(answer.body.contains(TRACE) && answer.body.contains("a=1,b=2"), "{answer:?}");
    Ok(())
}

/// Both ends of every protocol: what a client's span says is what the server's goes on from, and
/// what is on the wire between them.
#[tokio::test]
async fn a_clients_span_is_what_the_servers_goes_on_from() -> Result<()> {
    let (memory, _guard) = Memory::begin();
    let running = serve().await;
    for (way, protocol) in WAYS {
        let hop = HopClient::connect(&url(way, &running)).await?;
        let before = memory.spans(|_| true).len();
        let told = hop.place().traced().await?;
        let of = |kind: &str| {
            let spans = memory.spans(|span| span.is("otel.kind", kind));
            spans.last().cloned().expect(kind)
        };
        let (ours, theirs) = (of("client"), of("server"));
        assert_eq!(memory.spans(|_| true).len(), before + 2, "{way}");
        let field = |span: &Seen, name: &str| span.fields.get(name).cloned().unwrap_or_default();
        assert!(theirs.is("trace_id", &told[0]) && theirs.is("span_id", &told[1]), "{theirs:?}");
        assert!(theirs.is("protocol", protocol), "{way} {theirs:?}");
        let goes_on = has_place(way);
        assert_eq!(field(&ours, "trace_id") == told[0], goes_on, "{way} {ours:?} {theirs:?}");
        assert_eq!(field(&ours, "span_id") == told[2], goes_on, "{way} {ours:?} {theirs:?}");
        assert_eq!(field(&theirs, "parent_id"), told[2], "{way}");
        // What a peer that is not farcall's reads of our client.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        if way == "rpcx+http" || way == "netrpc+http" {
            continue; // the same bytes, in a tunnel
        }
        let client = Client::lazy(format!("{way}://{address}"))?.meta("tenant", "blue");
        let client = if goes_on { client } else { Client::lazy(format!("{way}://{address}"))? };
        let call = client.call_as::<(), ()>("Hop.Place", ()).traced();
        let seen = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut seen = Vec::new();
            let whole = |seen: &str| seen.contains("Place") && (!goes_on || seen.contains("-01"));
            while !whole(&String::from_utf8_lossy(&seen)) {
                let read = tokio::io::AsyncReadExt::read_buf(&mut stream, &mut seen).await;
                assert!(read.expect("bytes") > 0, "{way}");
            }
            String::from_utf8_lossy(&seen).into_owned()
        };
        let seen = tokio::select! {
            _ = call => panic!("nobody answers"),
            seen = seen => seen,
        };
        let span = of("client");
        let parent = format!("00-{}-{}-01", field(&span, "trace_id"), field(&span, "span_id"));
        assert_eq!(seen.contains(&parent) && seen.contains("traceparent"), goes_on, "{way} {seen}");
    }
    Ok(())
}

/// What peers send that are not farcall's, in every form there is.
#[tokio::test]
async fn traces_of_others_go_on_and_malformed_ones_do_not() -> Result<()> {
    let running = serve().await;
    let mut http = Http::connect(&running.url).await;
    let json = r#"{"jsonrpc":"2.0","id":1,"method":"Hop.Place"}"#;
    let gateway = "X-RPCX-ServicePath: Hop\r\nX-RPCX-ServiceMethod: Place\r\n\
                   X-RPCX-SerializeType: 1\r\n";
    let upper = PARENT.to_uppercase();
    let zero = PARENT.replace(TRACE, &"0".repeat(32));
    for (parent, good) in [
        (PARENT, true),
        (&*format!("cc{}-more", &PARENT[2..]), true),
        ("", false),
        ("no", false),
        (&*upper, false),
        (&*zero, false),
        (&PARENT[..54], false),
        (&*format!("{PARENT}-more"), false),
        (&*format!("ff{}", &PARENT[2..]), false),
    ] {
        let plain = format!("traceparent: {parent}\r\nTracestate: a=1\r\n");
        let own = format!("X-RPCX-Meta: traceparent={parent}&tracestate=a%3D1\r\n");
        let posted = "X-JSONRPC-2.0: true\r\n";
        for request in [
            post("/Hop/Place", &plain, ""),
            post("/jsonrpc", &plain, json),
            post("/", &format!("{gateway}{plain}"), "null"),
            post("/", &format!("{gateway}{own}"), "null"),
            post("/", &format!("{posted}{plain}"), json),
            post("/", &format!("{posted}{own}"), json),
        ] {
            let answer = http.call(&request).await;
            let found = [TRACE, "b7ad6b7169203331", "a=1"].map(|part| answer.body.contains(part));
            assert_eq!((answer.status, found), (200, [good; 3]), "{request} {answer:?}");
        }
        let pair = |key: &[u8], value: &[u8]| {
            let length = |part: &[u8]| (part.len() as u32).to_be_bytes();
            [&length(key)[..], key, &length(value)[..], value].concat()
        };
        let meta = [pair(b"traceparent", parent.as_bytes()), pair(b"tracestate", b"a=1")].concat();
        let frame = Frame { meta, ..Frame::call(1, "Hop", "Place", 1, b"null") };
        let answer = Raw::connect(&running.url).await.call(&frame).await.expect("an answer");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.error().is_none(), "{body}");
        assert_eq!([TRACE, "a=1"].map(|part| body.contains(part)), [good; 2], "{parent} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_never_fails_the_call() -> Result<()> {
    let running = serve().await;
    let hop = HopClient::connect(&running.url).await?;
    let long = "0".repeat(40_000);
    let upper = PARENT.to_uppercase();
    for parent in [
        "",
        "no",
        &upper,
        &PARENT[..54],
        &long,
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        let told = hop.place().meta("traceparent", parent).meta("tracestate", "a=1").await?;
        assert!(told[0] != TRACE && told[2].is_empty() && told[3].is_empty(), "{parent} {told:?}");
    }
    let members: String = (0..33).map(|i| format!("k{i}=v,")).collect();
    for state in ["a", "a=1,a=2", &members, &format!("a={}", "x".repeat(600)), "a=\u{1b}[31m"] {
        let told = hop.place().meta("traceparent", PARENT).meta("tracestate", state).await?;
        assert_eq!((&*told[0], &*told[3]), (TRACE, ""), "{state}");
    }
    // Bytes that are no text, and headers that come twice.
    let pair = |key: &[u8], value: &[u8]| {
        let length = |part: &[u8]| (part.len() as u32).to_be_bytes();
        [&length(key)[..], key, &length(value)[..], value].concat()
    };
    let mut raw = Raw::connect(&running.url).await;
    let parent = pair(b"traceparent", PARENT.as_bytes());
    for meta in [pair(b"traceparent", &[0xff; 55]), [&parent[..], &parent[..]].concat()] {
        let frame = Frame { meta, ..Frame::call(1, "Hop", "Place", 3, b"\xc0") };
        let answer = raw.call(&frame).await.expect("an answer");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.error().is_none() && !body.contains(TRACE), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn every_handler_runs_in_its_span() -> Result<()> {
    let (memory, _guard) = Memory::begin();
    let running = serve().await;
    for (way, protocol) in WAYS {
        let hop = HopClient::connect(&url(way, &running)).await?;
        hop.direct().await?;
        hop.late().await?;
        hop.spawned().await?;
        hop.block().await?;
        for code in [3, 13] {
            hop.fail(code).await.expect_err("on purpose");
        }
        let of = |method: &str| {
            memory.spans(|span| span.is("protocol", protocol) && span.is("rpc.method", method))
        };
        for method in ["Direct", "Late", "Spawned", "Block"] {
            let span = of(method).pop().expect(method);
            assert!(span.entered > 0 && span.is("otel.kind", "server"), "{way} {span:?}");
            assert!(span.is("rpc.service", "Hop") && span.is("rpc.system", "farcall"));
            assert!(span.is("otel.name", &format!("Hop/{method}")), "{way} {span:?}");
            assert!(span.is("status", "ok") && span.fields.contains_key("peer"), "{way} {span:?}");
            let says = match method {
                "Late" => 2,
                "Block" => 0, // its thread has no subscriber
                _ => 1,
            };
            assert_eq!(span.events.len(), says, "{way} {method} {span:?}");
        }
        let failed = of("Fail");
        let [.., callers, own] = &failed[..] else { panic!("{failed:?}") };
        assert!(callers.is("status", "invalid argument"), "{callers:?}");
        assert!(!callers.is("otel.status_code", "ERROR") && own.is("otel.status_code", "ERROR"));
    }
    // A client's span is below the one that calls, and has the same trace.
    let hop = HopClient::connect(&running.url).await?;
    let told = hop.place().traced().await?;
    let spans = memory.spans(|span| span.is("otel.kind", "client"));
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert!(span.is("trace_id", &told[0]) && span.is("span_id", &told[2]), "{span:?} {told:?}");
    assert!(span.is("status", "ok") && span.is("protocol", "rpcx"), "{span:?}");
    hop.fail(5).traced().await.expect_err("on purpose");
    let failed =
        memory.spans(|span| span.is("otel.kind", "client") && span.is("otel.status_code", "ERROR"));
    assert_eq!(failed.len(), 1);
    // Names that a caller invents are no fields.
    Client::connect(&running.url)
        .await?
        .call("Evil.Name", farcall::Value::Null)
        .await
        .expect_err("none");
    let unknown = memory.spans(|span| span.is("rpc.method", "unknown"));
    assert_eq!(unknown.len(), 1);
    assert!(memory.spans(|span| format!("{span:?}").contains("Evil")).is_empty());
    Ok(())
}

#[tokio::test]
async fn connections_say_what_becomes_of_them() -> Result<()> {
    let (memory, _guard) = Memory::begin();
    let running = serve().await;
    let hop = HopClient::connect(&running.url).await?;
    hop.direct().await?;
    running.stop();
    let said = |what: &str| memory.said().iter().any(|text| text.contains(what));
    for what in ["connection opened", "connection speaks", "told goodbye", "connection closed"] {
        eventually(what, || said(what)).await;
    }
    let closed = memory.said().into_iter().find(|text| text.contains("connection closed"));
    assert!(closed.is_some_and(|text| text.contains("127.0.0.1") && text.contains("rpcx")));
    Ok(())
}

#[tokio::test]
async fn further_calls_end_no_later() -> Result<()> {
    let (one, two) = (serve().await, serve().await);
    let hop = HopClient::connect(&one.url).await?;
    let call = hop.left(url("http", &two)).deadline(std::time::Duration::from_secs(5));
    let left = call.await?;
    // HTTP says whole milliseconds, rounded up.
    assert!(left[0] <= 5_000 && left[1] <= left[0] + 1, "{left:?}");
    // One that is not given any time takes the client's own.
    let left = hop.left(url("http", &two)).no_deadline().await?;
    assert!(left[0] == u64::MAX && left[1] <= 10_001, "{left:?}");
    Ok(())
}

#[test]
fn contexts_are_made_elsewhere_too() {
    let context = TraceContext::parse(PARENT, None).expect("a context");
    assert_eq!(context.child().trace_id(), TRACE);
}
