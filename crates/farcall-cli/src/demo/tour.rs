//! The stops of the tour: each calls something, checks what came back, and says what it saw.

use super::NotesClient;
use crate::{
    kinds::Kinds,
    message581::BenchmarkMessage,
    services::{
        Args, ArithClient, EchoClient, FailArgs, HelloServiceClient, Quotient, Reply, SleepArgs,
    },
};
use bytes::Bytes;
use farcall::{Client, Code, Format, Status, Value, json};
use std::{
    fmt::Debug,
    pin::Pin,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// What was seen, or what was wrong.
type Seen = Result<String, String>;

fn same<T: Debug + PartialEq>(what: &str, got: &T, want: &T) -> Result<(), String> {
    match got == want {
        true => Ok(()),
        false => Err(format!("{what} gave {got:?}, not {want:?}")),
    }
}

fn failed(what: &'static str) -> impl Fn(Status) -> String {
    move |status| format!("{what} failed: {status}")
}

/// Every method that answers, once.
pub(super) async fn every_method(client: &Client) -> Seen {
    let arith = ArithClient::from_client(client.clone());
    let args = Args { a: 17, b: 5 };
    let reply = arith.mul(args).await.map_err(failed("Arith.Mul"))?;
    same("Arith.Mul", &reply, &Reply { c: 85 })?;
    let product = arith.multiply(args).await.map_err(failed("Arith.Multiply"))?;
    same("Arith.Multiply", &product, &85)?;
    let quotient = arith.divide(args).await.map_err(failed("Arith.Divide"))?;
    same("Arith.Divide", &quotient, &Quotient { quo: 3, rem: 2 })?;

    let hello = HelloServiceClient::from_client(client.clone());
    let greeting = hello.say_hello("gopher 许多".to_owned()).await;
    let greeting = greeting.map_err(failed("HelloService.SayHello"))?;
    same("HelloService.SayHello", &greeting, &"Hello World:gopher 许多".to_owned())?;

    let echo = EchoClient::from_client(client.clone());
    let mut message = BenchmarkMessage::sample();
    let same_message = echo.echo(message.clone()).await.map_err(failed("Echo.Echo"))?;
    same("Echo.Echo", &same_message, &message)?;
    // Long enough that compressing is worth it, in both directions.
    message.field1 = message.field1.repeat(100);
    message.field5 = vec![0, 1, u64::MAX];
    let same_message = echo.echo(message.clone()).await.map_err(failed("Echo.Echo, long"))?;
    same("Echo.Echo, long", &same_message, &message)?;
    let bytes = body(100_000);
    let same_bytes = echo.bytes(bytes.clone()).await.map_err(failed("Echo.Bytes"))?;
    same("whether Echo.Bytes gives them back", &(same_bytes == bytes), &true)?;
    let kinds = Kinds::sample();
    let same_kinds = echo.kinds(kinds.clone()).await.map_err(failed("Echo.Kinds"))?;
    same("Echo.Kinds", &same_kinds, &kinds)?;
    echo.sleep(SleepArgs { ms: 1 }).await.map_err(failed("Echo.Sleep"))?;
    echo.echo_meta().await.map_err(failed("Echo.Meta"))?;
    Ok("10 calls answered right".to_owned())
}

/// Bytes without a codec.
pub(super) async fn raw(client: &Client) -> Seen {
    let echo = EchoClient::from_client(client.clone());
    for length in [0, 1, 1024, 1025, 300_000] {
        let bytes = body(length);
        let same_bytes = echo.bytes(bytes.clone()).await.map_err(failed("Echo.Bytes"))?;
        same("whether Echo.Bytes gives them back", &(same_bytes == bytes), &true)?;
    }
    Ok("5 bodies up to 300 kB came back as they were".to_owned())
}

/// Bytes of which the first half compresses and the second does not.
fn body(length: usize) -> Bytes {
    let mut state = length as u32 | 1;
    let bytes = (0..length).map(|i| {
        // Marsaglia's xorshift: as good as random to a compressor.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        if i < length / 2 { b'f' } else { state as u8 }
    });
    bytes.collect()
}

/// What is not about codecs: each once on every way to the server.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    ByName,
    Metadata,
    Error,
    Unknown,
    Panic,
    Deadline,
    Oneway,
    Callers,
    Cancelled,
    NoServer,
}

impl Stop {
    pub(super) const ALL: [Stop; 10] = [
        Stop::ByName,
        Stop::Metadata,
        Stop::Error,
        Stop::Unknown,
        Stop::Panic,
        Stop::Deadline,
        Stop::Oneway,
        Stop::Callers,
        Stop::Cancelled,
        Stop::NoServer,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Stop::ByName => "calls by name",
            Stop::Metadata => "metadata",
            Stop::Error => "errors",
            Stop::Unknown => "unknown names",
            Stop::Panic => "a panic",
            Stop::Deadline => "a deadline",
            Stop::Oneway => "one way",
            Stop::Callers => "64 callers",
            Stop::Cancelled => "giving up",
            Stop::NoServer => "no server",
        }
    }

    pub(super) fn visit<'a>(
        self,
        client: &'a Client,
        url: &'a str,
        noted: &'a AtomicI64,
    ) -> Pin<Box<dyn Future<Output = Seen> + Send + 'a>> {
        match self {
            Stop::ByName => Box::pin(by_name(client)),
            Stop::Metadata => Box::pin(metadata(client)),
            Stop::Error => Box::pin(errors(client)),
            Stop::Unknown => Box::pin(unknown(client)),
            Stop::Panic => Box::pin(panics(client)),
            Stop::Deadline => Box::pin(deadline(client)),
            Stop::Oneway => Box::pin(oneway(client, noted)),
            Stop::Callers => Box::pin(callers(client)),
            Stop::Cancelled => Box::pin(giving_up(client)),
            Stop::NoServer => Box::pin(no_server(url)),
        }
    }
}

/// Without types, in the formats that describe themselves.
async fn by_name(client: &Client) -> Seen {
    let protocol = client.target().protocol;
    for format in [Format::Json, Format::MsgPack, Format::Gob] {
        if !protocol.carries(format) {
            continue;
        }
        let call = client.call("Arith.Mul", json!({"A": 6, "B": 7})).format(format);
        let reply = call.await.map_err(failed("Arith.Mul"))?;
        same("Arith.Mul", &reply, &json!({"C": 42}))?;
        let call = client.call("HelloService.SayHello", Value::from("you")).format(format);
        let reply = call.await.map_err(failed("HelloService.SayHello"))?;
        same("HelloService.SayHello", &reply, &Value::from("Hello World:you"))?;
    }
    Ok("{\"A\":6,\"B\":7} gave {\"C\":42}".to_owned())
}

async fn metadata(client: &Client) -> Seen {
    let echo = EchoClient::from_client(client.clone());
    // Fields of HTTP are plain text; servers see the rest as one field.
    let (key, value) = match client.target().protocol.name() {
        "http" => ("size", "many"),
        _ => ("größe", "许多"),
    };
    let call = echo.echo_meta().meta("tenant", "blue").meta(key, value);
    let ((), meta) = call.with_meta().await.map_err(failed("Echo.Meta"))?;
    same("tenant", &meta.get("tenant").as_deref(), &Some("blue"))?;
    same(key, &meta.get(key).as_deref(), &Some(value))?;
    Ok("tenant=blue went there and came back".to_owned())
}

/// A failure keeps its text, and the connection goes on.
async fn errors(client: &Client) -> Seen {
    let arith = ArithClient::from_client(client.clone());
    let status = fault("Arith.Divide", arith.divide(Args { a: 1, b: 0 }).await)?;
    same("the text", &status.text(), &"divide by zero")?;
    let echo = EchoClient::from_client(client.clone());
    let text = "größer than 许多, \"quoted\"";
    let args = FailArgs { code: Code::NotFound as i64, message: text.to_owned() };
    let status = fault("Echo.Fail", echo.fail(args).await)?;
    same("the text", &status.text(), &text)?;
    still_right(client).await?;
    Ok("1/0 said: divide by zero".to_owned())
}

async fn unknown(client: &Client) -> Seen {
    // In the words of rpcx-go, and of Go's net/rpc; HTTP has none of its own.
    let (service, method) = match client.target().protocol.name() {
        "rpcx" => {
            ("rpcx: can't find service NoSuchService", "rpcx: can't find method NoSuchMethod")
        }
        "http" => (
            "there is no service `NoSuchService`; call by POST /Service/Method; GET / lists what \
             there is",
            "service `Arith` has no method `NoSuchMethod`; GET / lists what there is",
        ),
        _ => (
            "rpc: can't find service NoSuchService.Mul",
            "rpc: can't find method Arith.NoSuchMethod",
        ),
    };
    let status = fault("a call", client.call("NoSuchService.Mul", json!({})).await)?;
    same("the text", &status.text(), &service)?;
    let status = fault("a call", client.call("Arith.NoSuchMethod", json!({})).await)?;
    same("the text", &status.text(), &method)?;
    still_right(client).await?;
    Ok("a missing service and a missing method were named".to_owned())
}

/// A handler that panics fails its call and nothing else.
async fn panics(client: &Client) -> Seen {
    let echo = EchoClient::from_client(client.clone());
    fault("Echo.Panic", echo.panic().await)?;
    still_right(client).await?;
    Ok("the call failed, the connection went on".to_owned())
}

async fn deadline(client: &Client) -> Seen {
    let echo = EchoClient::from_client(client.clone());
    let began = Instant::now();
    let call = echo.sleep(SleepArgs { ms: 10_000 }).deadline(Duration::from_millis(50));
    let status = fault("Echo.Sleep", call.await)?;
    same("the code", &status.code(), &Code::DeadlineExceeded)?;
    let took = began.elapsed();
    same("whether it ended early", &(took < Duration::from_secs(5)), &true)?;
    still_right(client).await?;
    Ok(format!("10 s of sleep were given up after {} ms", took.as_millis()))
}

/// Nothing comes back, so the service is asked by other means what arrived.
async fn oneway(client: &Client, noted: &AtomicI64) -> Seen {
    let notes = NotesClient::from_client(client.clone());
    let before = noted.load(Ordering::SeqCst);
    for number in 1..=100 {
        notes.note(number).oneway().await.map_err(failed("Notes.Note"))?;
    }
    let patience = Instant::now() + Duration::from_secs(5);
    while noted.load(Ordering::SeqCst) - before < 5050 && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    same("the sum of what arrived", &(noted.load(Ordering::SeqCst) - before), &5050)?;
    Ok("100 calls arrived, none was answered".to_owned())
}

/// Many at once on one connection: everyone gets the answer to their own question.
async fn callers(client: &Client) -> Seen {
    const EACH: i64 = 50;
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let arith = ArithClient::from_client(client.clone());
        callers.spawn(async move {
            for call in 0..EACH {
                let args = Args { a: caller, b: call };
                let reply = arith.mul(args).await.map_err(failed("Arith.Mul"))?;
                same("Arith.Mul", &reply, &Reply { c: caller * call })?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(format!("{} answers, each to its question", 64 * EACH))
}

/// A call that is dropped leaves nothing behind that could disturb others.
async fn giving_up(client: &Client) -> Seen {
    let echo = EchoClient::from_client(client.clone());
    for _ in 0..10 {
        let call = echo.sleep(SleepArgs { ms: 200 });
        // Long enough to be sent, too short to be answered.
        let gave_up = tokio::time::timeout(Duration::from_millis(2), call).await.is_err();
        same("whether the call was given up", &gave_up, &true)?;
        still_right(client).await?;
    }
    Ok("10 dropped calls, and others went on".to_owned())
}

/// A failure to connect says what to try.
async fn no_server(url: &str) -> Seen {
    let (way, place) = url.split_once("://").unwrap_or((url, ""));
    let url = match way.rsplit_once('+') {
        Some((_, "mem" | "unix")) => format!("{way}://nobody-listens-here"),
        _ => {
            // A port that was free a moment ago.
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
            let address = listener.and_then(|listener| listener.local_addr());
            let options = place.split_once('?').map_or("", |(_, options)| options);
            let address = address.map_err(|error| error.to_string())?;
            format!("{way}://{address}?{options}")
        }
    };
    let status = fault("connecting", Client::connect(&url).await)?;
    same("the code", &status.code(), &Code::Unavailable)?;
    Ok(status.hint().unwrap_or("unavailable").to_owned())
}

fn fault<T>(what: &str, result: Result<T, Status>) -> Result<Status, String> {
    match result {
        Ok(_) => Err(format!("{what} should have failed, and did not")),
        Err(status) => Ok(status),
    }
}

/// Whether the connection still works.
async fn still_right(client: &Client) -> Result<(), String> {
    let arith = ArithClient::from_client(client.clone());
    let reply = arith.mul(Args { a: 6, b: 7 }).await.map_err(failed("the next call"))?;
    same("the next call", &reply, &Reply { c: 42 })
}
