//! What users of rpcx add to a server or a client, asked of the real rpcx by our client; each over
//! any carrier.

use crate::{
    go_peer::GoServer,
    own::{MASKED, Masked},
};
use farcall::{Client, Code, Compress, Format, Limits, Origin, Result, Sent, Status, Value, json};
use farcall_cli::services::{
    Args, ArithClient, EchoClient, HelloServiceClient, Quotient, SleepArgs,
};
use farcall_it::who::Folder;
use std::{path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(60);

pub(super) async fn own_codec(url: &str) -> Result<()> {
    let client = Client::builder(url).codec(11, Masked).build().await?;
    for compress in [Compress::None, Compress::Gzip] {
        let own = client.clone().format(MASKED).compress(compress);
        let arith = ArithClient::from_client(own.clone());
        assert_eq!(arith.mul(Args { a: 6, b: -7 }).await?.c, -42);
        let divided = arith.divide(Args { a: 17, b: 5 }).await?;
        assert_eq!(divided, Quotient { quo: 3, rem: 2 });
        let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
        assert_eq!((status.text(), status.origin()), ("divide by zero", Origin::Remote));
        let hello = HelloServiceClient::from_client(own);
        let long = "Gö <&> ".repeat(1000);
        assert_eq!(hello.say_hello(long.clone()).await?, format!("Hello World:{long}"));
    }
    // A number that Go knows nothing of.
    let status = client.call_raw("Arith.Mul", &b"?"[..]).format(Format::Other(12)).await;
    assert_eq!(status.expect_err("unknown").text(), "can not find codec for 12");
    Ok(())
}

pub(super) async fn raw(url: &str) -> Result<()> {
    let client = Client::builder(url).codec(11, Masked).build().await?;
    for _ in 0..10 {
        let raw = client.call_raw("Arith.Mul", &br#"{"A":6,"B":7}"#[..]).format(Format::Json);
        assert_eq!(raw.await?, &br#"{"C":42}"#[..]);
    }
    let masked: Vec<u8> = br#"{"A":6,"B":7}"#.iter().map(|byte| byte ^ 0x55).collect();
    let back = client.call_raw("Arith.Mul", masked).format(MASKED).await?;
    assert_eq!(back.iter().map(|byte| byte ^ 0x55).collect::<Vec<_>>(), br#"{"C":42}"#);
    let raw = client.call_raw("Echo.Meta", &b"{}"[..]).format(Format::Json).meta("k", "v");
    assert_eq!(raw.with_meta().await?.1.get("k").as_deref(), Some("v"));
    let raw = client.call_raw("Arith.Divide", &br#"{"A":6}"#[..]).format(Format::Json);
    assert_eq!(raw.await.expect_err("by zero").text(), "divide by zero");
    client.call_raw("Arith.Mul", &b"{}"[..]).format(Format::Json).oneway().await
}

pub(super) async fn handlers(url: &str) -> Result<()> {
    let client = Client::builder(url).codec(11, Masked).build().await?;
    for format in [Format::Json, Format::MsgPack, MASKED] {
        let back = client.call("Raw.Back", json!({"A": 1, "B": 77})).format(format).await?;
        assert_eq!(back.get("A").and_then(Value::as_i64), Some(77));
        let failing = client.call("Raw.Back", json!({})).format(format).meta("fail", "asked");
        assert_eq!(failing.await.expect_err("a failure").text(), "asked");
    }
    assert_eq!(client.call("Calc.Times", json!({"A": 2, "B": 3})).await?, json!({"C": 6}));
    Ok(())
}

pub(super) async fn auth(url: &str) -> Result<()> {
    let stranger = Client::connect(url).await?;
    let guessing = Client::connect(url).await?.auth("guess");
    for wrong in [stranger.clone(), guessing] {
        let status = ArithClient::from_client(wrong).mul(Args { a: 1, b: 2 }).await;
        assert_eq!(status.expect_err("a stranger").text(), "invalid token");
    }
    let arith = ArithClient::from_client(stranger.auth("letmein"));
    // Go closes a connection whose caller it refused, perhaps only now; the client opens another.
    while let Err(status) = arith.mul(Args { a: 1, b: 2 }).await {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }
    for round in 0..20 {
        assert_eq!(arith.mul(Args { a: round, b: 3 }).await?.c, 3 * round);
    }
    Ok(())
}

/// What Go's plugins saw.
async fn seen(client: &Client, what: &str) -> Result<i64> {
    let counts = client.call("Seen.Counts", json!({})).format(Format::Json).await?;
    Ok(counts.get(what).and_then(Value::as_i64).expect("a number"))
}

/// Our client asks while a call waits, and Go answers: it is asked once per `ping_time`, and a
/// client that missed an answer would have left.
pub(super) async fn heartbeats(url: &str) -> Result<()> {
    let limits = Limits {
        ping_every: Duration::from_millis(20),
        ping_time: Duration::from_secs(4),
        ..Limits::default()
    };
    let client = Client::builder(url).limits(limits).build().await?;
    let echo = EchoClient::from_client(client.clone());
    let before = seen(&client, "Heartbeats").await?;
    let connections = seen(&client, "Connections").await?;
    let asked = async {
        while seen(&client, "Heartbeats").await? < before + 2 {
            echo.sleep(SleepArgs { ms: 300 }).await?;
        }
        Ok::<_, Status>(())
    };
    timeout(SOON, asked).await.expect("in time")?;
    assert_eq!(seen(&client, "Connections").await?, connections, "the connection was left");
    Ok(())
}

/// Go answers what runs and leaves. Who calls then is told that nothing was sent.
pub(super) async fn drain(url: &str, mut go: GoServer) -> Result<()> {
    let client = Client::connect(url).await?;
    let (arith, echo) =
        (ArithClient::from_client(client.clone()), EchoClient::from_client(client.clone()));
    let slow: Vec<_> = (0..20).map(|_| tokio::spawn(echo.sleep(SleepArgs { ms: 700 }))).collect();
    // Requests are read in turn, and a second reading may have been needed.
    while seen(&client, "Read").await? < 1 {
        assert_eq!(arith.mul(Args { a: 6, b: 7 }).await?.c, 42);
    }
    go.stop();
    for call in slow {
        timeout(SOON, call).await.expect("in time").expect("no panic")?;
    }
    assert!(go.ended(), "it ends well");
    // A call may still find the connection before its end is read: what became of that is unknown.
    let refused = async {
        loop {
            let status = arith.mul(Args { a: 6, b: 7 }).await.expect_err("nobody there");
            assert_eq!(status.code(), Code::Unavailable, "{status}");
            if status.sent() == Sent::No {
                break;
            }
        }
    };
    timeout(SOON, refused).await.expect("in time");
    Ok(())
}

/// A server that goes and comes back is called again, by the same client.
pub(super) async fn comes_back(start: impl Fn() -> (GoServer, String)) -> Result<()> {
    let (mut go, url) = start();
    let arith = ArithClient::connect(&url).await?;
    for round in 0..3 {
        let called = async {
            while let Err(status) = arith.mul(Args { a: round, b: 7 }).await {
                assert_eq!(status.code(), Code::Unavailable, "{status}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, called).await.expect("in time");
        go.stop();
        assert!(go.ended(), "it ends well");
        go = start().0;
    }
    Ok(())
}

pub(crate) async fn reflection(url: &str) -> Result<()> {
    let client = Client::connect(url).await?;
    for format in [Format::Json, Format::MsgPack] {
        let ask = |method: &str, name: &str| {
            let (name, method) = (name.to_owned(), format!("Reflection.{method}"));
            client.call_as::<String, String>(method, name).format(format)
        };
        let told = ask("GetService", "Arith").await?;
        assert!(told.contains("type Arith struct") && !told.contains("Hello"), "{told}");
        for part in ["Mul(ctx context.Context", "type Args struct", "reply *Quotient"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let told = ask("GetServices", "").await?;
        assert!(told.contains("type Arith struct") && told.contains("SayHello("), "{told}");
        let status = ask("GetService", "Nobody").await.expect_err("unknown");
        assert_eq!(status.text(), "not found service Nobody");
    }
    Ok(())
}

/// Sends files into a folder of the server's, and fetches them.
pub(super) async fn files(url: &str, there: &Path, folder: &Folder) -> Result<()> {
    let client = Client::connect(url).await?;
    for size in [0usize, 1, 65_536, 5 << 20] {
        let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        let (here, name) = (folder.join(format!("{size}.bin")), format!("{size}.bin"));
        std::fs::write(&here, &body).expect("a file");
        let sent = client.transfer().meta("note", "from Rust").send(&here).await?;
        assert_eq!(sent, size as u64);
        assert_eq!(std::fs::read(there.join(&name)).expect("it"), body);
        let note = std::fs::read_to_string(there.join(format!("{name}.meta"))).expect("it");
        assert_eq!(note, format!("{size} from Rust"));
        let back = folder.join(format!("{size}.back"));
        assert_eq!(client.transfer().fetch(&name, &back).await?, size as u64);
        assert_eq!(std::fs::read(back).expect("it"), body);
    }
    Ok(())
}

pub(super) async fn streams(url: &str) -> Result<()> {
    let client = Client::connect(url).await?;
    let mut stream = client.transfer().meta("name", "Gö").stream().await?;
    let mut hello = [0; "hello Gö\n".len()];
    stream.read_exact(&mut hello).await.expect("a greeting");
    assert_eq!(hello, "hello Gö\n".as_bytes());
    stream.write_all(&[7; 10_000]).await.expect("written");
    stream.shutdown().await.expect("the end");
    let mut back = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut back)).await.expect("in time");
    read.expect("all of it");
    assert_eq!(back, [7; 10_000]);
    let status = client.transfer().meta("refuse", "yes").stream().await.map(drop);
    assert_eq!(status.expect_err("refused").text(), "server refused the connection");
    Ok(())
}
