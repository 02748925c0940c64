//! What users of rpcx expect of a server beside its methods: a fallback and the proxy that it
//! makes, aliases, and compressions of their own.

use bytes::Bytes;
use farcall::{
    Bounds, Client, Code, Codec, Compress, Compressor, Cx, Format, Limits, Result, Server, Status,
    Unfold, Value, format, json,
};
use farcall_cli::services::{Args, ArithClient, EchoClient, FailArgs, all};
use farcall_it::services::Running;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Passes every call on to this server.
fn proxy(client: Client) -> Server {
    Server::new().fallback(move |cx: Arc<Cx>, body: Bytes| {
        let name = format!("{}.{}", cx.service(), cx.method());
        let mut call = client.call_raw(name, body).format(cx.format());
        for (key, value) in cx.meta().pairs().into_iter().filter(|(key, _)| key == "tenant") {
            call = call.meta(key, value);
        }
        async move {
            // What the server behind says may be told here: it is this server's to say.
            let pass = |status: Status| Status::new(status.code(), status.text().to_owned());
            let (body, meta) = call.with_meta().await.map_err(pass)?;
            meta.pairs().into_iter().for_each(|(key, value)| cx.set_meta(key, value));
            Ok(body)
        }
    })
}

#[tokio::test]
async fn a_proxy_passes_rpcx_on_as_it_came() -> Result<()> {
    let behind = Running::start(all(1)).await;
    let front = Running::start(proxy(Client::connect(&behind.url).await?)).await;
    for url in [front.url.clone(), front.url.replace("rpcx://", "rpcx+http://")] {
        let client = Client::connect(&url).await?;
        for format in [Format::Json, Format::MsgPack, Format::Protobuf] {
            for compress in [Compress::None, Compress::Gzip] {
                let client = client.clone().format(format).compress(compress);
                let arith = ArithClient::from_client(client.clone());
                assert_eq!(arith.mul(Args { a: 6, b: 7 }).await?.c, 42);
                let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
                assert_eq!(status.text(), "divide by zero");
                let echo = EchoClient::from_client(client.clone());
                let body = Bytes::from(vec![b'z'; 5000]);
                assert_eq!(echo.bytes(body.clone()).await?, body);
                let call = echo.echo_meta().meta("tenant", "blau");
                let ((), meta) = call.with_meta().await?;
                assert_eq!(meta.get("tenant").as_deref(), Some("blau"));
                let status = client.call("Nobody.Home", json!({})).format(Format::Json).await;
                let status = status.expect_err("nobody");
                assert_eq!(status.text(), "rpcx: can't find service Nobody");
            }
        }
        let echo = EchoClient::from_client(client.clone());
        echo.fail(FailArgs { code: 5, message: "no".into() }).oneway().await?;
        let raw = client.call_raw("Echo.Bytes", &b"as it is"[..]).await?;
        assert_eq!(raw, "as it is");
        let text = client.call_raw("Arith.Mul", &br#"{"A":6,"B":7}"#[..]).format(Format::Json);
        assert_eq!(text.await?, &br#"{"C":42}"#[..]);
    }
    Ok(())
}

/// What is asked for, in its own words.
fn says() -> Server {
    all(1).fallback(|cx: Arc<Cx>, body: Bytes| async move {
        let said = match cx.method() {
            "Wrong" => "no JSON".to_owned(),
            "Panic" => panic!("asked to"),
            "Slow" => {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                "\"slow\"".to_owned()
            }
            method => {
                let text = String::from_utf8_lossy(&body).replace('"', "'");
                format!("\"{}.{method} {} {text}\"", cx.service(), cx.format())
            }
        };
        Ok(said.into())
    })
}

#[tokio::test]
async fn a_fallback_serves_every_protocol_but_gob() -> Result<()> {
    let running = Running::start(says()).await;
    let url = |name: &str| running.url.replace("rpcx://", name);
    for (name, params) in [
        ("rpcx://", "{'A':1}"),
        ("http://", "{'A':1}"),
        ("jsonrpc://", "{'A':1}"),
        ("jsonrpc+http://", "{'A':1}"),
    ] {
        let Ok(client) = Client::connect(url(name)).await else {
            assert_eq!(name, "jsonrpc+http://");
            continue;
        };
        let client = client.format(Format::Json);
        let said = client.call("No.Thing", json!({"A": 1})).await?;
        let said = said.as_str().expect("a text").replace(": ", ":");
        assert_eq!(said, format!("No.Thing json {params}"), "{name}");
        // Of a service that exists, and later.
        let said = client.call("Arith.Slow", json!({})).await?;
        assert_eq!(said.as_str(), Some("slow"), "{name}");
        assert_eq!(client.call("Arith.Mul", json!({"A": 6, "B": 7})).await?, json!({"C": 42}));
        let status = client.call("No.Panic", json!({})).await.expect_err("a panic");
        assert_eq!(status.code(), Code::Internal, "{name}: {status}");
        if name != "rpcx://" {
            let status = client.call("No.Wrong", json!({})).await.expect_err("no JSON");
            assert!(status.text().contains("not JSON"), "{name}: {status}");
        }
        assert_eq!(client.call("Arith.Mul", json!({"A": 2, "B": 3})).await?, json!({"C": 6}));
    }
    let client = Client::connect(url("netrpc://")).await?;
    let status = client.call("No.Thing", json!({"A": 1})).await.expect_err("gob");
    assert!(status.text().contains("gob"), "{status}");
    assert_eq!(client.call("Arith.Mul", json!({"A": 2, "B": 3})).await?, json!({"C": 6}));
    Ok(())
}

#[tokio::test]
async fn a_fallback_is_behind_the_gate() -> Result<()> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::new().auth(farcall::Token::new("letmein")).fallback(move |_, body| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { Ok(body) }
    });
    let running = Running::start(server).await;
    for name in ["rpcx", "http"] {
        let client = Client::connect(running.url.replace("rpcx", name)).await?;
        let client = client.format(Format::Json);
        let status = client.call("No.Thing", json!({})).await.expect_err("a stranger");
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        let known = client.auth("letmein");
        assert_eq!(known.call("No.Thing", json!({"A": [1]})).await?, json!({"A": [1]}));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    Ok(())
}

#[tokio::test]
async fn an_alias_is_the_method_itself() -> Result<()> {
    let server =
        all(1).alias("Calc", "Times", "Arith", "Mul").alias("Arith", "Product", "Arith", "Mul");
    let running = Running::start(server).await;
    for name in ["rpcx", "netrpc", "jsonrpc", "http"] {
        let client = Client::connect(running.url.replace("rpcx", name)).await?;
        for method in ["Calc.Times", "Arith.Product", "Arith.Mul"] {
            let reply = client.call(method, json!({"A": 6, "B": 7})).await?;
            assert_eq!(reply, json!({"C": 42}), "{name} {method}");
        }
        let status = client.call("Calc.Mul", json!({})).await.expect_err("no such method");
        assert_eq!(status.code(), Code::Unimplemented, "{name}: {status}");
        if name == "rpcx" {
            assert_eq!(status.text(), "rpcx: can't find method Mul");
        }
    }
    for (server, text) in [
        (all(1).alias("A", "b", "Arith", "No"), "A.b is to be an alias of Arith.No"),
        (all(1).alias("Arith", "Mul", "Arith", "Mul"), "Arith.Mul is registered twice"),
        (
            all(1).alias("A", "b", "Arith", "Mul").alias("A", "b", "Echo", "Meta"),
            "A.b is registered twice",
        ),
    ] {
        let status = server.listen("tcp://127.0.0.1:0").await.map(drop).expect_err("refused");
        assert!(status.text().starts_with(text), "{status}");
    }
    Ok(())
}

/// Keeps how often a byte comes in a row.
struct Rows(Arc<AtomicUsize>);

impl Compressor for Rows {
    fn fold(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let rows = plain.chunk_by(|a, b| a == b).flat_map(|row| row.chunks(255));
        Some(rows.flat_map(|row| [row.len() as u8, row[0]]).collect())
    }

    fn unfold(&self, body: &[u8], limit: usize) -> Result<Vec<u8>, Unfold> {
        let mut plain = Vec::new();
        for row in body.chunks(2) {
            let &[count, byte] = row else { return Err(Unfold::Corrupt("half a row".into())) };
            plain.resize(plain.len() + usize::from(count), byte);
            if plain.len() > limit {
                return Err(Unfold::TooLarge { limit });
            }
        }
        Ok(plain)
    }
}

#[tokio::test]
async fn compressions_of_ones_own_go_both_ways() -> Result<()> {
    let [there, here] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let limits = Limits { unfolded_bytes: 100_000, ..Limits::default() };
    let server = all(1).limits(limits).compressor(4, Rows(Arc::clone(&there)));
    let running = Running::start(server).await;
    for (round, scheme) in (1..).zip(["rpcx://", "rpcx+http://"]) {
        let url = running.url.replace("rpcx://", scheme);
        let builder = Client::builder(&url).compressor(4, Rows(Arc::clone(&here)));
        let client = builder.connections(2).build().await?.format(Format::Raw);
        let four = EchoClient::from_client(client.clone().compress(Compress::Other(4)));
        let body = Bytes::from(vec![b'r'; 50_000]);
        assert_eq!(four.bytes(body.clone()).await?, body);
        assert_eq!((here.load(Ordering::SeqCst), there.load(Ordering::SeqCst)), (round, round));
        // More than the server unfolds.
        let status = four.bytes(vec![b'r'; 200_000].into()).await.expect_err("too large");
        assert!(status.text().contains("Limits::unfolded_bytes"), "{status}");
        here.store(round, Ordering::SeqCst);
        // What this client does not know goes plain.
        let five = EchoClient::from_client(client.clone().compress(Compress::Other(5)));
        assert_eq!(five.bytes(body.clone()).await?, body);
    }
    // A server that does not know it says so, and goes on.
    let plain = Running::start(all(1)).await;
    let builder = Client::builder(&plain.url).compressor(4, Rows(here));
    let client = builder.compress(Compress::Other(4)).format(Format::Raw).build().await?;
    let echo = EchoClient::from_client(client);
    let status = echo.bytes(vec![b'r'; 5000].into()).await.expect_err("unknown");
    assert!(status.text().starts_with("unsupported compressor"), "{status}");
    assert_eq!(echo.bytes(Bytes::from_static(b"short")).await?, "short");

    let status = all(1).compressor(1, Rows(there)).listen("tcp://127.0.0.1:0").await;
    assert!(status.map(drop).expect_err("gzip is there").text().contains("from 2 to 7"));
    Ok(())
}

/// JSON from the last byte to the first.
struct Backwards;

impl Codec for Backwards {
    fn encode(&self, value: &Value, out: &mut Vec<u8>) -> std::result::Result<(), String> {
        let text = format::encode_to_vec(Format::Json, value).map_err(|e| e.to_string())?;
        out.extend(text.into_iter().rev());
        Ok(())
    }

    fn decode(&self, body: &[u8], bounds: Bounds) -> std::result::Result<Value, String> {
        let text: Vec<u8> = body.iter().rev().copied().collect();
        format::decode_within(Format::Json, text, bounds).map_err(|e| e.to_string())
    }
}

#[tokio::test]
async fn formats_of_ones_own_go_both_ways() -> Result<()> {
    let nine = Format::Other(9);
    let server = all(1).codec(9, Backwards).handle("Raw", "Swap", |cx: Arc<Cx>, body| async move {
        let args: Args = cx.decode(&body)?;
        cx.encode(&Args { a: args.b, b: args.a })
    });
    let running = Running::start(server).await;
    for scheme in ["rpcx://", "rpcx+http://"] {
        let url = running.url.replace("rpcx://", scheme);
        let client = Client::builder(&url).codec(9, Backwards).format(nine).build().await?;
        let arith = ArithClient::from_client(client.clone());
        assert_eq!(arith.mul(Args { a: 6, b: 7 }).await?.c, 42);
        let status = arith.divide(Args { a: 6, b: 0 }).await.expect_err("by zero");
        assert_eq!(status.text(), "divide by zero");
        let status = client.call("Arith.Mul", json!({"A": "six"})).await.expect_err("a text");
        assert!(status.text().contains("format 9 argument cannot be read"), "{status}");
        let raw = client.call_raw("Arith.Mul", &b"}7:\"B\",6:\"A\"{"[..]).format(nine).await?;
        assert_eq!(raw, &b"}24:\"C\"{"[..]);
        for format in [nine, Format::Json, Format::MsgPack, Format::Protobuf] {
            let call = client.call_as::<Args, Args>("Raw.Swap", Args { a: 1, b: 2 });
            assert_eq!(call.format(format).await?, Args { a: 2, b: 1 }, "{format}");
        }
        // Whoever has no such codec says so, at either end.
        let plain = ArithClient::connect(&url).await?;
        let status = plain.mul(Args { a: 6, b: 7 }).format(nine).await.expect_err("unknown");
        assert!(status.text().contains("no codec"), "{status}");
        let call = client.call_raw("Arith.Mul", &b"?"[..]).format(Format::Other(10));
        assert_eq!(call.await.expect_err("unknown").text(), "can not find codec for 10");
    }
    let json = Client::connect(running.url.replace("rpcx", "http")).await?;
    assert_eq!(json.call("Raw.Swap", json!({"A": 1, "B": 2})).await?, json!({"A": 2, "B": 1}));
    let status = all(1).codec(4, Backwards).listen("tcp://127.0.0.1:0").await;
    assert!(status.map(drop).expect_err("thrift").text().contains("from 5 to 15"));
    Ok(())
}

#[tokio::test]
async fn reflection_tells_what_is_said_of_services() -> Result<()> {
    let server = all(1).reflection().describe("Arith", "weight=5&group=blue");
    let bound = server.listen("tcp://127.0.0.1:0").await?;
    let services = bound.services();
    assert_eq!(services[0], ("Arith".to_owned(), "weight=5&group=blue".to_owned()));
    assert_eq!(services.last(), Some(&("Reflection".to_owned(), String::new())));
    let url = bound.addresses()[0].replace("tcp://", "rpcx://");
    tokio::spawn(bound.run());
    let client = Client::connect(&url).await?;
    let told = client.call_as::<String, String>("Reflection.GetService", "Arith".into()).await?;
    let want = "package services\n\n// Arith: weight=5&group=blue\ntype Arith struct{}\n\n\
                type Args struct {\n\tA int64\n\tB int64\n}\n\n\
                type Reply struct {\n\tC int64\n}\n\n\
                func (s *Arith) Mul(ctx context.Context, arg *Args, reply *Reply) error {\n\
                \treturn nil\n}\n";
    assert!(told.starts_with(want), "{told}");
    let told = client.call_as::<String, String>("Reflection.GetService", "Echo".into()).await?;
    assert!(told.contains("type BenchmarkMessage struct"), "{told}");
    let status = all(1).describe("No", "x").listen("tcp://127.0.0.1:0").await.map(drop);
    assert!(status.expect_err("no such service").text().contains("does not exist"));
    Ok(())
}
