//! HTTP/1.1 over TCP, on the port that rpcx is spoken on: by hand, by `curl`, and by Python.

use farcall::{Limits, Result};
use farcall_it::{
    http::{Http, post},
    services::{Args, ProbeClient, Running, probe},
};
use std::{
    process::{Command, Stdio},
    time::Duration,
};
use tokio::time::timeout;

const MUL: &str = r#"{"A":6,"B":7}"#;

async fn unharmed(url: &str) -> Result<()> {
    let client = ProbeClient::connect(url).await?;
    assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42);
    Ok(())
}

#[tokio::test]
async fn one_connection_many_calls_and_rpcx_beside_it() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let rpcx = ProbeClient::connect(&running.url).await?;
    let mut http = Http::connect(&running.url).await;
    for n in 0..50 {
        let answer = http.call(&post("/Probe/Mul", "", &format!("{{\"A\":6,\"B\":{n}}}"))).await;
        assert_eq!((answer.status, &*answer.body), (200, &*format!("{{\"C\":{}}}", 6 * n)));
        assert_eq!(rpcx.mul(Args { a: n, b: 2 }).await?.c, n * 2);
    }
    // No body is a blank argument, two parameters are an object, bytes are base64.
    for (path, body, expected) in [
        ("/Probe/Mul", "", "{\"C\":0}"),
        ("/Probe/Add", "", "0"),
        ("/Probe/Add", "{\"a\":1,\"b\":2}", "3"),
        ("/Probe/Bytes", "\"AAEC\"", "\"AAEC\""),
        ("/Probe/Direct", MUL, "{\"C\":42}"),
        ("/Probe/Block", "1", "1"),
        ("/%50robe/Mul?x", MUL, "{\"C\":42}"),
    ] {
        let answer = http.call(&post(path, "", body)).await;
        assert_eq!((answer.status, &*answer.body), (200, expected), "{path}");
    }
    let answer = http.call(&post("/Probe/Zeros", "", "3000000")).await;
    assert_eq!((answer.status, answer.body.len()), (200, 4_000_002));
    let answer =
        http.call(&post("/Probe/Meta", "X-Tenant: blue\r\nEvil: a=b&c%0d%0a\r\n", "")).await;
    assert_eq!(answer.field("x-tenant"), Some("blue"));
    assert_eq!(answer.field("evil"), Some("a=b&c%0d%0a"));
    Ok(())
}

#[tokio::test]
async fn pipelined_answers_keep_their_order() {
    for limit in [1024, 2] {
        let limits = Limits { calls_per_connection: limit, ..Limits::default() };
        let running = Running::start(probe(limits)).await;
        let mut http = Http::connect(&running.url).await;
        let mut requests = post("/Probe/Sleep", "", "200");
        for n in 0..30 {
            requests += &post("/Probe/Add", "", &format!("{{\"a\":{n}}}"));
            requests += &post("/Probe/Sleep", "", &format!("{}", 30 - n));
            requests += &post("/Probe/Nope", "", "");
            requests += "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        }
        requests += &post("/Probe/Mul", "Connection: close\r\n", MUL);
        requests += &post("/Probe/Mul", "", MUL);
        http.send(requests.as_bytes()).await;
        assert_eq!(http.receive().await.expect("the slow one").status, 200);
        for n in 0..30 {
            for (status, body) in
                [(200, Some(n.to_string())), (200, None), (404, None), (404, None)]
            {
                let answer = http.receive().await.expect("an answer");
                assert_eq!(answer.status, status, "{n} {answer:?}");
                assert!(body.is_none_or(|body| body == answer.body), "{n} {answer:?}");
            }
        }
        let last = http.receive().await.expect("the last");
        assert_eq!((&*last.body, last.field("connection")), ("{\"C\":42}", Some("close")));
        assert!(http.receive().await.is_none(), "nothing behind `Connection: close` is served");
    }
}

#[tokio::test]
async fn failures_say_what_and_the_connection_goes_on() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let mut http = Http::connect(&running.url).await;
    for (path, body, status, text) in [
        (
            "/Probe/Fail",
            r#"{"code":5,"text":"no \"x\""}"#,
            404,
            r#""not_found","message":"no \"x\"""#,
        ),
        ("/Probe/Fail", r#"{"code":8}"#, 429, "resource_exhausted"),
        ("/Probe/Fail", r#"{"code":12}"#, 501, "unimplemented"),
        ("/Probe/Plain", "", 500, "a plain text"),
        ("/Probe/Panic", "0", 500, "the handler panicked"),
        ("/Probe/Panic", "5", 500, "the handler panicked"),
        ("/Probe/Nope", "", 404, "service `Probe` has no method `Nope`"),
        ("/No/Nope", "", 404, "no service `No`"),
        ("/", "", 404, "POST /Service/Method"),
        ("/Probe/Mul", "{\"A\":\"six\"}", 400, "args.A"),
        ("/Probe/Mul", "{", 400, "invalid_argument"),
    ] {
        let answer = http.call(&post(path, "", body)).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.body.contains(text), "{path} {answer:?}");
        assert!(!answer.body.contains("secret"), "{answer:?}");
    }
    for (fields, path, body, status, text) in [
        ("X-Timeout-Ms: 20\r\n", "/Probe/Sleep", "60000", 504, "deadline"),
        ("X-Timeout-Ms: 0\r\n", "/Probe/Mul", MUL, 504, "deadline"),
        ("X-Timeout-Ms: 90000\r\n", "/Probe/Left", "", 200, "89"),
        ("X-Timeout-Ms: 18446744073709551615\r\n", "/Probe/Mul", MUL, 200, "42"),
        ("X-Timeout-Ms: 18446744073709551616\r\n", "/Probe/Mul", MUL, 400, "X-Timeout-Ms"),
        ("", "/Probe/Left", "", 200, "null"),
        ("X-Timeout-Ms: soon\r\n", "/Probe/Left", "", 400, "X-Timeout-Ms"),
    ] {
        let answer = http.call(&post(path, fields, body)).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.body.starts_with(text) || answer.body.contains(text), "{answer:?}");
    }
    let answer = http.call("GET /Probe/Mul HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.status, answer.field("allow")), (405, Some("POST")));
    http.head = true;
    let answer = http.call("HEAD /Probe/Mul HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.status, &*answer.body), (405, ""));
    http.head = false;
    assert_eq!(http.call(&post("/Probe/Mul", "", MUL)).await.body, "{\"C\":42}");
    unharmed(&running.url).await
}

#[tokio::test]
async fn the_list_is_there_when_asked_for() {
    let running = Running::start(probe(Limits::default()).list_services()).await;
    let mut http = Http::connect(&running.url).await;
    let page = http.call("GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("curl -d null http://127.0.0.1:1/Probe/Mul\n"), "{}", page.body);
    // And so may those who were wrong be told.
    for (path, hint) in
        [("/probe/mul", "; /Probe/Mul is there"), ("/Probe/X", "; GET / lists what there is")]
    {
        let answer = http.call(&post(path, "", "")).await;
        assert_eq!(answer.status, 404);
        assert!(answer.body.contains(hint), "{answer:?}");
    }
}

#[tokio::test]
async fn old_clients_are_told_the_end() {
    let running = Running::start(probe(Limits::default())).await;
    let body = format!("Content-Length: {}\r\n\r\n{MUL}", MUL.len());
    let mut http = Http::connect(&running.url).await;
    let answer = http.call(&format!("POST /Probe/Mul HTTP/1.0\r\n{body}")).await;
    assert_eq!((&*answer.body, answer.field("connection")), ("{\"C\":42}", Some("close")));
    assert!(http.receive().await.is_none());
    let mut http = Http::connect(&running.url).await;
    for _ in 0..3 {
        let kept = format!("POST /Probe/Mul HTTP/1.0\r\nConnection: keep-alive\r\n{body}");
        assert_eq!(http.call(&kept).await.field("connection"), Some("keep-alive"));
    }
    // A peer that has said all it wants still reads its answers.
    let mut http = Http::connect(&running.url).await;
    http.send((post("/Probe/Sleep", "", "50") + &post("/Probe/Mul", "", MUL)).as_bytes()).await;
    http.finish().await;
    assert_eq!(http.receive().await.expect("an answer").status, 200);
    assert_eq!(http.receive().await.expect("an answer").body, "{\"C\":42}");
    assert!(http.receive().await.is_none());
}

/// The answer is there to read although the body is still being written.
#[tokio::test]
async fn what_is_too_large_is_refused_and_the_refusal_arrives() -> Result<()> {
    let limits = Limits { message_bytes: 100_000, ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    let chunk = format!("{:x}\r\n{}\r\n", 20_000, "x".repeat(20_000));
    let start = "POST /Probe/Bytes HTTP/1.1\r\nHost: h\r\n";
    let chunked = format!("{start}Transfer-Encoding: chunked\r\n\r\n");
    let fixed = format!("{start}Content-Length: 20000000\r\n\r\n");
    let fields: String = (0..200).map(|n| format!("A{n}: b\r\n")).collect();
    for (head, part, status, text) in [
        (&chunked, &chunk, 413, "Limits::message_bytes"),
        (&fixed, &chunk, 413, "Limits::message_bytes"),
        (&format!("{start}{fields}\r\n"), &chunk, 431, "Limits::head_fields"),
        (&format!("{start}A: "), &"x".repeat(20_000), 431, "Limits::head_bytes"),
    ] {
        let mut http = Http::connect(&running.url).await;
        http.send(head.as_bytes()).await;
        for _ in 0..500 {
            assert!(http.send(part.as_bytes()).await, "{text}: the connection was reset");
        }
        let answer = http.receive().await.expect(text);
        assert_eq!((answer.status, answer.field("connection")), (status, Some("close")));
        assert!(answer.body.contains(text), "{answer:?}");
        assert!(http.receive().await.is_none());
    }
    unharmed(&running.url).await
}

#[tokio::test]
async fn what_is_ambiguous_is_refused_and_nothing_behind_it_is_served() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let hidden = post("/Probe/Count", "", "0");
    let length = "Content-Length: 4\r\n";
    let coding = "Transfer-Encoding: chunked\r\n";
    for fields in [
        format!("{length}{coding}"),
        format!("{coding}{length}"),
        format!("{length}Content-Length: 5\r\n"),
        format!("Transfer-Encoding: xchunked\r\n{length}"),
        format!("Transfer-Encoding : chunked\r\n{length}"),
        "Content-Length: +4\r\n".to_owned(),
        format!("{length}A: b\n"),
        format!("{length} {coding}"),
    ] {
        // An earlier call of the same connection is answered first.
        let request = format!(
            "{}POST /Probe/Mul HTTP/1.1\r\nHost: h\r\n{fields}\r\n0\r\n\r\n{hidden}",
            post("/Probe/Sleep", "", "20")
        );
        let mut http = Http::connect(&running.url).await;
        http.send(request.as_bytes()).await;
        assert_eq!(http.receive().await.expect("the call before").status, 200);
        let answer = http.receive().await.expect("a refusal");
        assert!(matches!(answer.status, 400 | 501), "{fields:?} {answer:?}");
        assert!(http.receive().await.is_none(), "{fields:?}");
    }
    let client = ProbeClient::connect(&running.url).await?;
    assert_eq!(client.count(0).await?, 0, "a smuggled call was served");
    unharmed(&running.url).await
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_are_cut_off() -> Result<()> {
    let limits = Limits { head_time: Duration::from_millis(100), ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    for start in
        ["P", "POST /Pro", "POST /Probe/Mul HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"]
    {
        let mut http = Http::connect(&running.url).await;
        http.send(start.as_bytes()).await;
        assert!(http.receive().await.is_none(), "{start}");
    }
    // Chunks that trickle are taken off the input as they come, and are no progress for that.
    let mut http = Http::connect(&running.url).await;
    let head = "POST /Probe/Bytes HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    http.send(head.as_bytes()).await;
    let mut sent = 0;
    while http.send(b"1\r\nx\r\n").await {
        sent += 1;
        assert!(sent < 1000, "a trickle goes on for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unharmed(&running.url).await
}

/// Pages are longer than the requests for them: who does not read them is not served more, and is
/// cut off.
#[tokio::test]
async fn who_does_not_read_is_cut_off() -> Result<()> {
    let write_stall = Duration::from_millis(200);
    let limits = Limits { output_bytes: 64 * 1024, write_stall, ..Limits::default() };
    let running = Running::start(probe(limits).list_services()).await;
    for slow in ["", &post("/Probe/Sleep", "", "100")] {
        let mut http = Http::connect(&running.url).await;
        let pages = format!("{slow}{}", "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000));
        let mut sent = 0;
        while let Ok(true) = timeout(Duration::from_secs(10), http.send(pages.as_bytes())).await {
            sent += 1;
            assert!(sent < 10_000, "it reads for ever");
        }
        assert!(!http.send(b"G").await, "the connection is still open");
    }
    unharmed(&running.url).await
}

#[tokio::test]
async fn draining_answers_what_runs() -> Result<()> {
    let mut running = Running::start(probe(Limits::default())).await;
    let mut idle = Http::connect(&running.url).await;
    assert_eq!(idle.call(&post("/Probe/Mul", "", MUL)).await.status, 200);
    let mut busy = Http::connect(&running.url).await;
    busy.send(post("/Probe/Sleep", "", "150").as_bytes()).await;
    let mut half = Http::connect(&running.url).await;
    let request = post("/Probe/Mul", "", MUL);
    half.send(&request.as_bytes()[..request.len() - 3]).await;
    let client = ProbeClient::connect(&running.url).await?;
    while client.sleep(0).await? < 2 {}
    running.stop();
    half.send(&request.as_bytes()[request.len() - 3..]).await;
    assert_eq!(half.receive().await.expect("what has begun is served").body, "{\"C\":42}");
    assert!(half.receive().await.is_none());
    assert_eq!(busy.receive().await.expect("an answer").status, 200);
    assert!(busy.receive().await.is_none() && idle.receive().await.is_none());
    (&mut running.task).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_calls() {
    if !there("curl") {
        return;
    }
    let limits = Limits { message_bytes: 100_000, ..Limits::default() };
    let running = Running::start(probe(limits).list_services()).await;
    let url = |path: &str| format!("{}{path}", running.url.replace("rpcx://", "http://"));
    let big = "x".repeat(120_000);
    let mul = url("/Probe/Mul");
    let posted = r#"{"method":"Probe.Mul","params":[{"A":6,"B":7}],"id":1}"#;
    for (args, expected) in [
        (&["-d", MUL, &mul][..], "{\"C\":42} 200"),
        (&["-d", MUL, &mul, "-d", MUL, &mul], "{\"C\":42} 200{\"C\":42} 200"),
        (&["--json", MUL, &mul], "{\"C\":42} 200"),
        (&["-0", "-d", MUL, &mul], "{\"C\":42} 200"),
        (&["-X", "POST", &mul], "{\"C\":0} 200"),
        (&["-H", "Transfer-Encoding: chunked", "-d", MUL, &mul], "{\"C\":42} 200"),
        (&["-H", "Expect: 100-continue", "-d", MUL, &mul], "{\"C\":42} 200"),
        (&["-o", "-", "-I", &url("/")], " 200"),
        (&["-F", "a=b", &mul], " 415"),
        (&["-d", &big, &mul], " 413"),
        (&["-H", "Expect:", "-d", &big, &mul], " 413"),
        (&["-d", "{}", &url("/Probe/Nope")], " 404"),
        (
            &["--data", posted, &url("/jsonrpc")],
            "{\"id\":1,\"result\":{\"C\":42},\"error\":null}\n 200",
        ),
        (&["-X", "CONNECT", "--request-target", "/nowhere", &mul], " 405"),
        (&["--http2-prior-knowledge", "-d", MUL, &mul], "000"),
        (&["--http2", "-d", MUL, &mul], "{\"C\":42} 200"),
    ] {
        let said = run("curl", &[&["-s", "-w", " %{http_code}"], args].concat()).await;
        assert!(said.ends_with(expected), "{args:?} gave {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_calls() {
    if !there("python3") {
        return;
    }
    let running = Running::start(probe(Limits::default())).await;
    let address = running.url.replace("rpcx://", "");
    let script = r#"
import http.client, json, sys
c = http.client.HTTPConnection(sys.argv[1])
for n in range(20):
    c.request("POST", "/Probe/Mul", json.dumps({"A": 6, "B": n}), {"X-Timeout-Ms": "9000"})
    r = c.getresponse()
    assert (r.status, json.loads(r.read())) == (200, {"C": 6 * n}), r.status
c.request("POST", "/Probe/Mul", iter([b'{"A":6', b',"B":7}']), encode_chunked=True,
          headers={"Transfer-Encoding": "chunked"})
assert json.loads(c.getresponse().read()) == {"C": 42}
c.request("HEAD", "/Probe/Mul")
r = c.getresponse()
assert (r.status, r.read()) == (405, b"")
c.request("POST", "/Probe/Nope", "{}")
r = c.getresponse()
assert r.status == 404 and "no method" in json.loads(r.read())["error"]["message"]
c.request("POST", "/Probe/Meta", "", {"X-Tenant": "blue"})
r = c.getresponse()
assert r.read() == b"{}" and r.headers["x-tenant"] == "blue"
print("right")
"#;
    assert_eq!(run("python3", &["-c", script, &address]).await.trim(), "right");
}

/// Whether a program is installed; says loudly if not.
fn there(program: &str) -> bool {
    let mut version = Command::new(program);
    let found = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        eprintln!("SKIPPED: `{program}` is not installed, so nothing was checked with it");
    }
    found.is_ok()
}

/// What a program prints.
async fn run(program: &str, args: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(args);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
    let output = output.expect("it runs");
    let err = String::from_utf8_lossy(&output.stderr);
    if !err.is_empty() {
        eprintln!("{err}");
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}
