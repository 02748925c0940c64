//! The stops that are made over HTTP, by hand: what `curl` would send, and what it would show.

use super::Report;
use crate::services::{Args, ArithClient};
use farcall::{Client, Format, Value, format::decode_from};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// What was seen, or what was wrong.
type Seen = Result<String, String>;

/// Makes every stop at `HOST:PORT`.
pub(super) async fn tour(place: &str, report: &mut Report) {
    let over = || "http+tcp json".to_owned();
    report.time("plain JSON", over(), plain(place)).await;
    report.time("errors", over(), errors(place)).await;
    report.time("a pipeline", over(), pipeline(place)).await;
    report.time("the list of services", over(), list(place)).await;
    report.time("two lengths", over(), ambiguous(place)).await;
    report.time("posted JSON-RPC", "http+tcp jsonrpc".to_owned(), posted(place)).await;
    report.time("rpcx's gateway", "http+tcp rpcx".to_owned(), gateway(place)).await;
    report.time("CONNECT", "http+tcp netrpc".to_owned(), connect(place)).await;
    report.time("pages", over(), pages(place)).await;
}

/// A call, and another on the same connection.
async fn plain(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    for _ in 0..2 {
        peer.send(&post("/Arith/Mul", "", r#"{"A":6,"B":7}"#)).await?;
        expect(peer.answer().await?, 200, r#"{"C":42}"#)?;
    }
    Ok("POST /Arith/Mul {\"A\":6,\"B\":7} gave {\"C\":42}".to_owned())
}

async fn errors(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    for (path, fields, body, status, text) in [
        ("/Arith/Divide", "", r#"{"A":1}"#, 400, "divide by zero"),
        ("/Arith/NoSuchMethod", "", "{}", 404, "has no method"),
        ("/Echo/Panic", "", "", 500, "internal"),
        ("/Echo/Sleep", "X-Timeout-Ms: 20\r\n", r#"{"Ms":10000}"#, 504, "deadline"),
    ] {
        peer.send(&post(path, fields, body)).await?;
        let answer = peer.answer().await?;
        if answer.0 != status || !answer.1.contains(text) {
            return Err(format!("{path} gave {} {}", answer.0, answer.1));
        }
        let error: Result<Value, _> = decode_from(Format::Json, answer.1.as_bytes());
        if !error.is_ok_and(|error| error.get("error").is_some()) {
            return Err(format!("{path} gave {}", answer.1));
        }
    }
    Ok("400, 404, 500 and 504, each with a JSON body".to_owned())
}

/// Answers come in the order of their requests, though the first takes longest.
async fn pipeline(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    let mut requests = post("/Echo/Sleep", "", r#"{"Ms":50}"#);
    for n in 0..100 {
        requests += &post("/Arith/Multiply", "", &format!("{{\"A\":2,\"B\":{n}}}"));
    }
    peer.send(&requests).await?;
    expect(peer.answer().await?, 200, "{}")?;
    for n in 0..100 {
        expect(peer.answer().await?, 200, &(2 * n).to_string())?;
    }
    Ok("101 requests at once, answered in order".to_owned())
}

async fn list(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    peer.send(&format!("GET / HTTP/1.1\r\nHost: {place}\r\n\r\n")).await?;
    let (status, page) = peer.answer().await?;
    let line = format!("http://{place}/Arith/Mul");
    match status == 200 && page.contains(&line) {
        true => Ok("GET / has a curl line for each method".to_owned()),
        false => Err(format!("GET / gave {status} {page}")),
    }
}

/// A request that two readers would read differently is refused, and what hides behind it is not
/// read.
async fn ambiguous(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    let hidden = post("/Arith/Mul", "", r#"{"A":6,"B":7}"#);
    let fields = "Transfer-Encoding: chunked\r\n";
    peer.send(&(post("/Arith/Mul", fields, "0\r\n\r\n") + &hidden)).await?;
    let (status, text) = peer.answer().await?;
    match (status, peer.answer().await) {
        (400, Err(_)) => Ok("refused, and the connection closed".to_owned()),
        _ => Err(format!("{status} {text}")),
    }
}

/// A call of 1.0 as `curl` posts it, a batch of 2.0 and a notification.
async fn posted(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let hello = r#"{"method":"HelloService.SayHello","params":["x"],"id":1}"#;
    peer.send(&post("/jsonrpc", form, hello)).await?;
    let (status, body) = peer.answer().await?;
    expect((status, body.trim_end().to_owned()), 200, HELLO)?;
    let mul = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":6,"B":7},"id":2}"#;
    let notice = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":6,"B":7}}"#;
    peer.send(&post("/jsonrpc", "", &format!("[{mul},{notice}]"))).await?;
    let (status, body) = peer.answer().await?;
    let answer = r#"[{"jsonrpc":"2.0","result":{"C":42},"id":2}]"#;
    expect((status, body.trim_end().to_owned()), 200, answer)?;
    peer.send(&post("/jsonrpc", "", notice)).await?;
    expect(peer.answer().await?, 204, "")?;
    Ok("1.0, a batch of 2.0, and a notification answered by 204".to_owned())
}

const HELLO: &str = r#"{"id":1,"result":"Hello World:x","error":null}"#;

async fn gateway(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    let fields = "X-RPCX-ServiceMethod: Mul\r\nX-RPCX-SerializeType: 1\r\n";
    peer.send(&post("/Arith", fields, r#"{"A":6,"B":7}"#)).await?;
    expect(peer.answer().await?, 200, r#"{"C":42}"#)?;
    let body = r#"{"method":"Arith.Mul","params":{"A":6,"B":7},"id":1}"#;
    peer.send(&post("/", "X-JSONRPC-2.0: true\r\n", body)).await?;
    let (status, body) = peer.answer().await?;
    let answer = r#"{"jsonrpc":"2.0","result":{"C":42},"id":1}"#;
    expect((status, body.trim_end().to_owned()), 200, answer)?;
    Ok("X-RPCX-* and X-JSONRPC-2.0 gave {\"C\":42}".to_owned())
}

/// Go's way to net/rpc through HTTP: its exact words, and then a call in gob.
async fn connect(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    peer.send("CONNECT /_goRPC_ HTTP/1.0\n\n").await?;
    let mut said = vec![0; CONNECTED.len()];
    let read = timeout(Duration::from_secs(10), peer.0.read_exact(&mut said)).await;
    read.map_err(|_| "no answer in 10 s".to_owned())?.map_err(|error| error.to_string())?;
    if said != CONNECTED.as_bytes() {
        return Err(String::from_utf8_lossy(&said).into_owned());
    }
    let client = Client::over_as("netrpc", peer.0.into_inner()).map_err(|e| e.to_string())?;
    let reply = ArithClient::from_client(client).mul(Args { a: 6, b: 7 }).await;
    match reply.map_err(|error| error.to_string())?.c {
        42 => Ok(CONNECTED.trim_end().to_owned()),
        other => Err(format!("6 times 7 gave {other}")),
    }
}

const CONNECTED: &str = "HTTP/1.0 200 Connected to Go RPC\n\n";

async fn pages(place: &str) -> Seen {
    let mut peer = Peer::connect(place).await?;
    for (path, part) in [("/debug/rpc", "Service Arith"), ("/healthz", "ok\n")] {
        peer.send(&format!("GET {path} HTTP/1.1\r\nHost: {place}\r\n\r\n")).await?;
        let (status, page) = peer.answer().await?;
        if status != 200 || !page.contains(part) {
            return Err(format!("GET {path} gave {status} {page}"));
        }
    }
    Ok("net/rpc's /debug/rpc, and /healthz".to_owned())
}

fn post(path: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: demo\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

fn expect((status, body): (u16, String), want: u16, text: &str) -> Result<(), String> {
    match status == want && body == text {
        true => Ok(()),
        false => Err(format!("{status} {body} came, not {want} {text}")),
    }
}

/// The other end of a connection.
struct Peer(BufReader<TcpStream>);

impl Peer {
    async fn connect(place: &str) -> Result<Peer, String> {
        let stream = TcpStream::connect(place).await.map_err(|error| error.to_string())?;
        Ok(Peer(BufReader::new(stream)))
    }

    async fn send(&mut self, text: &str) -> Result<(), String> {
        self.0.write_all(text.as_bytes()).await.map_err(|error| error.to_string())
    }

    /// The next answer: its status and its body.
    async fn answer(&mut self) -> Result<(u16, String), String> {
        let read = timeout(Duration::from_secs(10), self.read()).await;
        read.map_err(|_| "no answer in 10 s".to_owned())?.map_err(|error| error.to_string())
    }

    async fn read(&mut self) -> io::Result<(u16, String)> {
        let strange = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            match (status, line.split_once(':')) {
                (None, _) => {
                    let digits = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
                    let number = digits.and_then(|digits| digits.parse().ok());
                    status = Some(number.ok_or_else(|| strange(line))?);
                }
                (Some(status), _) if line.is_empty() => {
                    let mut body = vec![0; length];
                    self.0.read_exact(&mut body).await?;
                    return Ok((status, String::from_utf8_lossy(&body).into_owned()));
                }
                (_, Some(("Content-Length", value))) => {
                    length = value.trim().parse().map_err(|_| strange(line))?;
                }
                _ => {}
            }
        }
    }
}
