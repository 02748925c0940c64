//! What users of rpcx add to a server or a client of their own, with the real rpcx at the other
//! end: codecs, handlers of bytes, raw messages, aliases, tokens, and paths of `CONNECT`.

use crate::go_peer::{GoServer, calls, program};
use bytes::Bytes;
use farcall::{
    Bounds, Client, Code, Codec, Compress, Cx, Format, Origin, Result, Server, Token, Value,
    format::{decode_within, encode_to_vec},
    json,
};
use farcall_cli::services::{
    self, Args, ArithClient, EchoClient, HelloServiceClient, Quotient, SleepArgs,
};
use farcall_it::{certs::Authority, services::Running, who::Folder};
use std::{path::Path, sync::Arc, time::Duration};

/// The codec that the Go peer has under this number: JSON, every byte of it changed.
const MASKED: Format = Format::Other(11);

struct Masked;

impl Codec for Masked {
    fn encode(&self, value: &Value, out: &mut Vec<u8>) -> std::result::Result<(), String> {
        let text = encode_to_vec(Format::Json, value).map_err(|fault| fault.to_string())?;
        out.extend(text.into_iter().map(|byte| byte ^ 0x55));
        Ok(())
    }

    fn decode(&self, body: &[u8], bounds: Bounds) -> std::result::Result<Value, String> {
        let text: Vec<u8> = body.iter().map(|byte| byte ^ 0x55).collect();
        decode_within(Format::Json, text, bounds).map_err(|fault| fault.to_string())
    }
}

/// Our server with all of it.
fn server() -> Server {
    services::all(1).codec(11, Masked).alias("Calc", "Times", "Arith", "Mul").handle(
        "Raw",
        "Back",
        |cx: Arc<Cx>, body: Bytes| async move {
            if let Some(text) = cx.meta().get("fail") {
                return Err(text.into());
            }
            let args: Args = cx.decode(&body)?;
            cx.encode(&Args { a: args.b, b: body.len() as i64 })
        },
    )
}

const GROUPS: [(&str, usize); 4] = [("codec", 3), ("sendraw", 3), ("alias", 1), ("handler", 4)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_ours() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let folder = Folder::new();
    let socket = folder.join("own.sock");
    let running = Running::start(server().rpcx_at("/frames/here")).await;
    let secure = Running::start(server().tls(pair.tls())).await;
    let address = format!("unix://{}", socket.display());
    let _unix = Running::start_on(server(), &address).await.expect("a socket");
    fn text(path: &Path) -> &str {
        path.to_str().expect("UTF-8")
    }
    let plain = running.url.trim_start_matches("rpcx://");
    for (address, flags) in [
        (plain, &[][..]),
        (plain, &["-connect", "/frames/here"]),
        (secure.url.trim_start_matches("tls://"), &["-ca", text(&authority.ca)]),
        (text(&socket), &["-unix"]),
    ] {
        for (group, at_least) in GROUPS {
            let flags = [flags, &["-timeout", "50s", "-case", group]].concat();
            calls("rpcx-peer", address, "-addr", &flags, &[], at_least).await;
        }
    }
    // Where nothing was moved to.
    let elsewhere = ArithClient::connect(running.url.replace("://", "+http://")).await;
    let status = elsewhere.map(drop).expect_err("another path");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_ours_through_connect() {
    services::expect_panics();
    let running = Running::start(services::all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    for (group, at_least) in [
        ("mul", 12),
        ("bytes", 36),
        ("kinds", 25),
        ("error", 18),
        ("meta", 6),
        ("oneway", 3),
        ("concurrent", 3),
        ("heartbeat", 1),
        ("push", 3),
        ("deadline", 5),
    ] {
        let flags = ["-connect", "/_rpcx_", "-timeout", "50s", "-case", group];
        calls("rpcx-peer", address, "-addr", &flags, &[], at_least).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_ours_with_a_token() {
    let running = Running::start(services::all(1).auth(Token::new("letmein"))).await;
    let address = running.url.trim_start_matches("rpcx://");
    let flags = ["-timeout", "50s", "-case", "auth"];
    calls("rpcx-peer", address, "-addr", &flags, &[], 5).await;
}

#[tokio::test]
async fn we_call_gos() -> Result<()> {
    let go = GoServer::start();
    for path in ["", "/another/path"] {
        let moved = match path {
            "" => None,
            path => Some(GoServer::of(&program(), &["-path", path], "rpcx+http")),
        };
        let url = moved.as_ref().map_or(go.url.clone(), |go| format!("{}?path={path}", go.url));
        let client = Client::builder(&url).codec(11, Masked).build().await?;
        for compress in [Compress::None, Compress::Gzip] {
            let own = client.clone().format(MASKED).compress(compress);
            let arith = ArithClient::from_client(own.clone());
            assert_eq!(arith.mul(Args { a: 6, b: -7 }).await?.c, -42);
            let divided = arith.divide(Args { a: 17, b: 5 }).await?;
            assert_eq!(divided, Quotient { quo: 3, rem: 2 });
            let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
            assert_eq!((status.text(), status.origin()), ("divide by zero", Origin::Remote));
            let hello = HelloServiceClient::from_client(own.clone());
            let long = "Gö <&> ".repeat(1000);
            assert_eq!(hello.say_hello(long.clone()).await?, format!("Hello World:{long}"));
            let back = own.call("Raw.Back", json!({"A": 1, "B": 77})).await?;
            assert_eq!(back.get("A").and_then(Value::as_i64), Some(77));
        }
        for format in [Format::Json, Format::MsgPack] {
            let back = client.call("Raw.Back", json!({"A": 1, "B": 77})).format(format).await?;
            assert_eq!(back.get("A").and_then(Value::as_i64), Some(77));
            let failing = client.call("Raw.Back", json!({})).format(format).meta("fail", "asked");
            assert_eq!(failing.await.expect_err("a failure").text(), "asked");
        }
        // Bytes as they are, of any format: what rpcx-go calls SendRaw.
        let raw = client.call_raw("Arith.Mul", &br#"{"A":6,"B":7}"#[..]).format(Format::Json);
        assert_eq!(raw.await?, &br#"{"C":42}"#[..]);
        let masked: Vec<u8> = br#"{"A":6,"B":7}"#.iter().map(|byte| byte ^ 0x55).collect();
        let back = client.call_raw("Arith.Mul", masked).format(MASKED).await?;
        assert_eq!(back.iter().map(|byte| byte ^ 0x55).collect::<Vec<_>>(), br#"{"C":42}"#);
        let raw = client.call_raw("Arith.Divide", &br#"{"A":6}"#[..]).format(Format::Json);
        assert_eq!(raw.await.expect_err("by zero").text(), "divide by zero");
        assert_eq!(client.call("Calc.Times", json!({"A": 2, "B": 3})).await?, json!({"C": 6}));
        // A number that Go knows nothing of.
        let status = client.call_raw("Arith.Mul", &b"?"[..]).format(Format::Other(12)).await;
        assert_eq!(status.expect_err("unknown").text(), "can not find codec for 12");
    }
    Ok(())
}

#[tokio::test]
async fn we_bring_gos_token() -> Result<()> {
    let go = GoServer::of(&program(), &["-token", "letmein"], "rpcx");
    let client = Client::connect(&go.url).await?;
    for wrong in [client.clone(), client.clone().auth("guess")] {
        let status = ArithClient::from_client(wrong).mul(Args { a: 1, b: 2 }).await;
        assert_eq!(status.expect_err("a stranger").text(), "invalid token");
    }
    // Go closes a connection whose caller it refused; the client opens another.
    let known = client.auth("letmein");
    let (arith, echo) = (ArithClient::from_client(known.clone()), EchoClient::from_client(known));
    for round in 0..20 {
        assert_eq!(arith.mul(Args { a: round, b: 3 }).await?.c, 3 * round);
    }
    // The deadline reaches Go's context: its handler says so, and not our timer.
    let short = echo.sleep(SleepArgs { ms: 60_000 }).no_deadline().meta("__ServerTimeout", "80");
    let status = tokio::time::timeout(Duration::from_secs(20), short).await.expect("in time");
    let status = status.expect_err("too late");
    assert_eq!((status.text(), status.origin()), ("context deadline exceeded", Origin::Remote));
    Ok(())
}
