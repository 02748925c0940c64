//! What HTTP carries beside plain JSON, over TCP: `CONNECT`, posted JSON-RPC, rpcx's gateway,
//! pages, other origins.

use farcall::{Client, Cors, HttpRequest, HttpResponse, Limits, Result, Server, Status};
use farcall_it::{
    http::{Http, post},
    services::{Args, ProbeClient, Running, probe},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const MUL: &str = r#"{"A":6,"B":7}"#;

/// Connects and says `CONNECT`; what was answered.
async fn connect(url: &str, request: &str, expected: &str) -> TcpStream {
    let mut socket = TcpStream::connect(url.trim_start_matches("rpcx://")).await.expect("accepts");
    socket.write_all(request.as_bytes()).await.expect("is read");
    let mut said = vec![0; expected.len()];
    let read = timeout(Duration::from_secs(10), socket.read_exact(&mut said)).await;
    read.expect("an answer in ten seconds").expect("an answer");
    assert_eq!(String::from_utf8_lossy(&said), expected);
    socket
}

#[tokio::test]
async fn connect_leads_to_other_protocols() -> Result<()> {
    let server = probe(Limits::default()).netrpc_at("/go").rpcx_at("/deep/rpcx");
    let running = Running::start(server).await;
    for (name, path, word) in [("rpcx", "/deep/rpcx", "rpcx"), ("netrpc", "/go", "Go RPC")] {
        let connected = format!("HTTP/1.0 200 Connected to {word}\n\n");
        for request in [
            format!("CONNECT {path} HTTP/1.0\n\n"),
            format!("CONNECT {path} HTTP/1.1\r\nHost: h\r\n\r\n"),
        ] {
            let socket = connect(&running.url, &request, &connected).await;
            let client = Client::over_as(name, socket)?;
            let probe = ProbeClient::from_client(client);
            for n in 0..20 {
                assert_eq!(probe.mul(Args { a: n, b: 2 }).await?.c, 2 * n);
            }
            let (slow, fast) = tokio::join!(probe.sleep(30), probe.mul(Args { a: 6, b: 7 }));
            assert_eq!((slow.is_ok(), fast?.c), (true, 42));
            assert!(probe.fail(5, "no".into()).await.is_err());
        }
    }
    // Requests before it are answered first, however long they take.
    let mut http = Http::connect(&running.url).await;
    let pipeline = [&post("/Probe/Sleep", "", "100"), "CONNECT /deep/rpcx HTTP/1.0\n\n"].concat();
    http.send(pipeline.as_bytes()).await;
    assert_eq!(http.receive().await.expect("the call before").status, 200);
    // What is not there is refused, and nothing behind it is read.
    for path in ["/_goRPC_", "h:80", "/Probe/Mul"] {
        let mut http = Http::connect(&running.url).await;
        http.send(
            format!("CONNECT {path} HTTP/1.0\n\n{}", post("/Probe/Count", "", "0")).as_bytes(),
        )
        .await;
        assert_eq!(http.receive().await.expect("a refusal").status, 405, "{path}");
        assert!(http.receive().await.is_none());
    }
    let probe = ProbeClient::connect(&running.url).await?;
    assert_eq!(probe.count(0).await?, 0, "what hid behind CONNECT was served");
    Ok(())
}

#[tokio::test]
async fn what_is_not_spoken_is_not_reached() {
    let running = Running::start(probe(Limits::default()).speak(["http"])).await;
    for (request, name) in [
        ("CONNECT /_goRPC_ HTTP/1.0\n\n".to_owned(), "netrpc"),
        ("CONNECT /_rpcx_ HTTP/1.0\n\n".to_owned(), "rpcx"),
        (post("/jsonrpc", "", "{}"), "jsonrpc"),
        (post("/", "X-RPCX-ServicePath: Probe\r\n", "{}"), "rpcx"),
        (post("/", "X-JSONRPC-2.0: true\r\n", "{}"), "rpcx"),
    ] {
        let answer = Http::connect(&running.url).await.call(&request).await;
        assert_eq!(answer.status, 404, "{request}");
        assert!(answer.body.contains(&format!("`{name}` is not spoken")), "{answer:?}");
    }
    let answer = Http::connect(&running.url).await.call(&post("/Probe/Mul", "", MUL)).await;
    assert_eq!(answer.body, "{\"C\":42}");
}

#[tokio::test]
async fn json_rpc_is_posted() {
    let running = Running::start(probe(Limits::default()).jsonrpc_at("/rpc")).await;
    let mut http = Http::connect(&running.url).await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let one = r#"{"method":"Probe.Mul","params":[{"A":6,"B":7}],"id":1}"#;
    let two = r#"{"jsonrpc":"2.0","method":"Probe.Mul","params":{"A":6,"B":7},"id":2}"#;
    for path in ["/jsonrpc", "/rpc", "/rpc?x"] {
        let answer = http.call(&post(path, form, one)).await;
        assert_eq!(answer.body.trim(), r#"{"id":1,"result":{"C":42},"error":null}"#);
        let answer = http.call(&post(path, form, two)).await;
        assert_eq!(answer.body.trim(), r#"{"jsonrpc":"2.0","result":{"C":42},"id":2}"#);
    }
    let sleep =
        |ms, id| format!(r#"{{"jsonrpc":"2.0","method":"Probe.Sleep","params":[{ms}],"id":{id}}}"#);
    // Batches whose calls end last to first, and a pipeline of such.
    let batch = format!("[{},{},{two}]", sleep(150, 7), sleep(50, 8));
    let mut requests = String::new();
    for _ in 0..5 {
        requests += &post("/jsonrpc", "", &batch);
        requests += &post("/jsonrpc", "", &sleep(20, 9));
        requests += &post("/jsonrpc", "", r#"{"jsonrpc":"2.0","method":"Probe.Add","params":[]}"#);
        requests += &post("/jsonrpc", "", "{");
        requests += &post("/Probe/Mul", "", MUL);
    }
    http.send(requests.as_bytes()).await;
    for _ in 0..5 {
        let answer = http.receive().await.expect("the batch");
        let at = |id: &str| answer.body.find(&format!("\"id\":{id}}}")).expect(id);
        assert!(at("2") < at("8") && at("8") < at("7"), "{answer:?}");
        assert!(http.receive().await.expect("a call").body.contains("\"id\":9}"));
        let empty = http.receive().await.expect("a notification");
        assert_eq!((empty.status, empty.field("content-length")), (204, None));
        let broken = http.receive().await.expect("an error");
        assert_eq!(broken.status, 200);
        assert!(broken.body.contains("-32700"), "{broken:?}");
        assert_eq!(http.receive().await.expect("plain JSON").body, "{\"C\":42}");
    }
    // Fields are metadata of the call, the caller's patience is heeded, and failures have codes.
    let meta = r#"{"jsonrpc":"2.0","method":"Probe.Meta","id":1}"#;
    let answer = http.call(&post("/jsonrpc", "X-Tenant: blue\r\n", meta)).await;
    assert_eq!(answer.field("x-tenant"), Some("blue"));
    let answer = http.call(&post("/jsonrpc", "X-Timeout-Ms: 20\r\n", &sleep(60_000, 1))).await;
    assert!(answer.body.contains("\"deadline exceeded\""), "{answer:?}");
    let panic = r#"{"jsonrpc":"2.0","method":"Probe.Panic","params":[0],"id":1}"#;
    let answer = http.call(&post("/jsonrpc", "", &format!("[{panic},{two}]"))).await;
    assert!(answer.body.contains("-32603") && answer.body.contains("42"), "{answer:?}");
    assert!(!answer.body.contains("secret"));
    let get = http.call("GET /rpc HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((get.status, get.field("allow")), (405, Some("POST")));
}

/// More calls in a batch than a connection may have at once: the rest waits.
#[tokio::test]
async fn large_batches_take_turns() {
    let limits = Limits { calls_per_connection: 4, ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    let mut http = Http::connect(&running.url).await;
    let calls: Vec<_> = (0..100)
        .map(|id| format!(r#"{{"jsonrpc":"2.0","method":"Probe.Sleep","params":[1],"id":{id}}}"#))
        .collect();
    let answer = http.call(&post("/jsonrpc", "", &format!("[{}]", calls.join(",")))).await;
    let done = answer.body.matches("\"result\"").count();
    assert_eq!((answer.status, done), (200, 100), "{answer:?}");
}

#[tokio::test]
async fn rpcx_gateway() {
    let running = Running::start(probe(Limits::default())).await;
    let mut http = Http::connect(&running.url).await;
    let fields = "X-RPCX-MessageID: 5\r\nX-RPCX-ServiceMethod: Mul\r\nX-RPCX-SerializeType: 1\r\n";
    for path in ["/Probe", "/Probe?x=y"] {
        let answer = http.call(&post(path, fields, MUL)).await;
        assert_eq!((answer.status, &*answer.body), (200, "{\"C\":42}"));
        assert_eq!(answer.field("X-RPCX-MessageID"), Some("5"));
        assert_eq!(answer.field("X-RPCX-Meta"), Some(""));
    }
    let answer = http.call(&post("/Nobody", fields, MUL)).await;
    assert_eq!((answer.status, &*answer.body), (500, ""));
    let said = answer.field("X-RPCX-ErrorMessage");
    assert_eq!(said, Some("rpcx: can't find service Nobody"));
    let method = |name: &str| fields.replace("Mul", name);
    let answer = http.call(&post("/Probe", &method("Plain"), "null")).await;
    assert_eq!(answer.field("X-RPCX-ErrorMessage"), Some("a plain text"));
    let answer = http.call(&post("/Probe", &fields.replace("Type: 1", "Type: 9"), "x")).await;
    assert_eq!(answer.field("X-RPCX-ErrorMessage"), Some("can not find codec for 9"));
    let meta = method("Meta") + "X-RPCX-Meta: tenant=a%26b\r\n";
    let answer = http.call(&post("/Probe", &meta, "null")).await;
    assert_eq!(answer.field("X-RPCX-Meta"), Some("tenant=a%26b"));
    // One way: the answer says nothing, the call runs.
    let oneway = method("Count") + "X-RPCX-Oneway: true\r\n";
    let answer = http.call(&post("/Probe", &oneway, "20")).await;
    assert_eq!((answer.status, &*answer.body), (200, ""));
    let mut tries = 0;
    while http.call(&post("/Probe/Count", "", "0")).await.body == "0" {
        tries += 1;
        assert!(tries < 2, "the one-way call never ran");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let body = r#"{"method":"Probe.Mul","params":{"A":6,"B":7},"id":"a"}"#;
    let answer = http.call(&post("/any/where", "X-JSONRPC-2.0: true\r\n", body)).await;
    assert_eq!(answer.body.trim(), r#"{"jsonrpc":"2.0","result":{"C":42},"id":"a"}"#);
}

fn pages() -> Server {
    let about = |request: HttpRequest| async move {
        let (method, rest, query) = (request.method(), request.rest(), request.query());
        let field = request.field("x-a").unwrap_or_default();
        let body = String::from_utf8_lossy(request.body());
        HttpResponse::text(format!("{method} [{rest}] [{query}] [{field}] [{body}]"))
            .field("X-Path", request.path())
            .field("Connection", "upgrade")
    };
    let slow = |request: HttpRequest| async move {
        let ms = request.query().parse().unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        HttpResponse::new(204)
    };
    probe(Limits { message_bytes: 100_000, ..Limits::default() })
        .mount("/about", about)
        .mount("/about/slow", slow)
        .mount("/panic", |_: HttpRequest| async { panic!("secret") })
        .mount("/large", |_: HttpRequest| async { HttpResponse::text("x".repeat(200_000)) })
        .mount("/Probe/Own", |_: HttpRequest| async { HttpResponse::html("<b>") })
}

#[tokio::test]
async fn mounts_answer() -> Result<()> {
    let running = Running::start(pages()).await;
    let mut http = Http::connect(&running.url).await;
    let request =
        "PUT /about/a%20b/?q=1?2 HTTP/1.1\r\nHost: h\r\nX-A: 7\r\nContent-Length: 2\r\n\r\nhi";
    let answer = http.call(request).await;
    assert_eq!((answer.status, &*answer.body), (200, "PUT [/a%20b/] [q=1?2] [7] [hi]"));
    assert_eq!((answer.field("x-path"), answer.field("connection")), (Some("/about/a%20b/"), None));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    for (path, status, body) in [
        ("/about", 200, "GET [] [] [] []"),
        ("/about?", 200, "GET [] [] [] []"),
        ("/aboutx", 404, "nothing is here"),
        ("/about/slow?1", 204, ""),
        ("/about/slower", 200, "[/slower]"),
        ("/panic", 500, "the handler panicked"),
        ("/large", 429, "Limits::message_bytes"),
        ("/Probe/Own", 200, "<b>"),
    ] {
        let answer = http.call(&get(path)).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.body.contains(body) && !answer.body.contains("secret"), "{answer:?}");
    }
    // In one pipeline with calls; the slow ones keep nobody but those behind them.
    let pipeline =
        [get("/about/slow?80"), post("/Probe/Mul", "", MUL), get("/about/x"), get("/panic")];
    http.send(pipeline.concat().as_bytes()).await;
    for (status, body) in [(204, ""), (200, "{\"C\":42}"), (200, "GET [/x]"), (500, "panicked")] {
        let answer = http.receive().await.expect("an answer");
        assert_eq!(answer.status, status);
        assert!(answer.body.contains(body), "{answer:?}");
    }
    http.head = true;
    let head = http.call("HEAD /about HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((head.status, head.field("content-length")), (200, Some("16")));
    // Of the root, what nothing else takes.
    let all = |request: HttpRequest| async move { HttpResponse::text(request.rest()) };
    let running = Running::start(probe(Limits::default()).mount("/", all).health()).await;
    let mut http = Http::connect(&running.url).await;
    for (request, body) in [
        (get("/"), "/"),
        (get("/a/b/c"), "/a/b/c"),
        (post("/Nope/Nope", "", ""), "/Nope/Nope"),
        (post("/Probe/Mul", "", MUL), "{\"C\":42}"),
        (get("/healthz"), "ok\n"),
    ] {
        assert_eq!(http.call(&request).await.body, body, "{request}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_mounted_is_told() {
    let page = |_: HttpRequest| async { HttpResponse::new(200) };
    let server = || probe(Limits::default());
    let wrong: [(Server, &str); 8] = [
        (server().mount("about", page), "`about` is not a path"),
        (server().mount("/about/", page), "`/about/` is not a path"),
        (server().mount("/a b", page), "is not a path"),
        (server().mount("/a?b", page), "is not a path"),
        (server().mount("/a", page).mount("/a", page), "/a is taken twice"),
        (server().mount("/", page).mount("/", page), "/ is taken twice"),
        (server().mount("/healthz", page).health(), "/healthz is taken twice"),
        (server().cors(Cors::any().credentials()), "CORS with credentials"),
    ];
    for (server, text) in wrong {
        let status: Status = server.listen("tcp://127.0.0.1:0").await.expect_err(text);
        assert!(status.text().contains(text), "{status}");
    }
    // JSON-RPC's usual place may be taken by a page.
    let running = Running::start(server().mount("/jsonrpc", page)).await;
    let answer = Http::connect(&running.url).await.call(&post("/jsonrpc", "", "{")).await;
    assert_eq!((answer.status, &*answer.body), (200, ""));
}

#[tokio::test]
async fn the_servers_own_pages() -> Result<()> {
    let running = Running::start(probe(Limits::default()).debug_rpc().health()).await;
    let client = ProbeClient::connect(&running.url).await?;
    for n in 0..3 {
        client.mul(Args { a: n, b: 1 }).await?;
    }
    let mut http = Http::connect(&running.url).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    let page = http.call(&get("/debug/rpc")).await;
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    for part in [
        "<title>Services</title>",
        "\t<hr>\n\tService Probe\n\t<hr>\n",
        "<td align=left font=fixed>Mul(Args, *Reply) error</td>\n\t\t\t<td align=center>3</td>",
        "Bytes([]uint8, *[]uint8) error</td>\n\t\t\t<td align=center>0</td>",
    ] {
        assert!(page.body.contains(part), "{part} is not in {}", page.body);
    }
    assert_eq!(http.call(&get("/healthz")).await.body, "ok\n");
    let answer = http.call(&post("/healthz", "", "")).await;
    assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(http.call(&get("/")).await.status, 404, "the list was not asked for");
    // A request that had begun when the server was told to stop is told so.
    let request = get("/healthz");
    http.send(&request.as_bytes()[..10]).await;
    let mut busy = Http::connect(&running.url).await;
    busy.send(post("/Probe/Sleep", "", "400").as_bytes()).await;
    while client.sleep(0).await? < 2 {}
    running.stop();
    assert_eq!(busy.receive().await.expect("an answer").status, 200);
    http.send(&request.as_bytes()[10..]).await;
    let answer = http.receive().await.expect("an answer");
    assert_eq!((answer.status, &*answer.body), (503, "draining\n"));
    let plain = Running::start(probe(Limits::default())).await;
    let mut http = Http::connect(&plain.url).await;
    for path in ["/debug/rpc", "/healthz", "/"] {
        assert_eq!(http.call(&get(path)).await.status, 404, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn pages_of_other_origins_call_where_they_may() {
    let cors = Cors::origins(["https://app.example"]);
    let running = Running::start(probe(Limits::default()).cors(cors)).await;
    let mut http = Http::connect(&running.url).await;
    let asks = "OPTIONS /Probe/Mul HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\n\
        Access-Control-Request-Method: POST\r\n\
        Access-Control-Request-Headers: content-type\r\n\r\n";
    let answer = http.call(asks).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.field("access-control-allow-headers"), Some("content-type"));
    for (path, status) in [("/Probe/Mul", 200), ("/Probe/Plain", 500), ("/jsonrpc", 200)] {
        let answer = http.call(&post(path, "Origin: https://app.example\r\n", MUL)).await;
        assert_eq!(answer.status, status);
        let origin = answer.field("access-control-allow-origin");
        assert_eq!((origin, answer.field("vary")), (Some("https://app.example"), Some("Origin")));
        let answer = http.call(&post(path, "Origin: https://evil.example\r\n", MUL)).await;
        assert_eq!((answer.status, answer.field("access-control-allow-origin")), (403, None));
    }
}

/// Heads that never end are cut off whatever they would have been.
#[tokio::test]
async fn slow_heads_are_cut_off() {
    let limits = Limits { head_time: Duration::from_millis(100), ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    for start in [
        "CONNECT /_rpcx_ HTTP/1.0\n",
        "POST /jsonrpc HTTP/1.1\r\nHost: h\r\nX-A: ",
        "POST / HTTP/1.1\r\nHost: h\r\nX-RPCX-ServicePath: Probe\r\n",
        "CONNECT /_rpcx_ HTTP/1.0\n\n\u{8}",
    ] {
        let mut http = Http::connect(&running.url).await;
        http.send(start.as_bytes()).await;
        // One byte at a time is no progress either.
        let mut sent = 0;
        while http.send(b"x").await {
            sent += 1;
            assert!(sent < 1000, "{start:?} goes on for ever");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
