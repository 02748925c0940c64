//! S3: bodies of a million levels, in every format and wherever nesting can stand. To be run in a
//! debug build, whose frames on the stack are the largest; workers have stacks of 2 MiB.

use super::{
    Run,
    bombs::{gob_messages, warm},
};
use crate::{
    Done,
    peers::{Heard, hear, recorded},
    process::Start,
    service::ProofClient,
    verdict::Verdict,
};
use farcall::Format;
use farcall_it::{
    frames::{Frame, Raw},
    services::{Args, Tree},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const LEVELS: usize = 1_000_000;
const JSON: u8 = 1;
const PROTOBUF: u8 = 2;
const MSGPACK: u8 = 3;

/// Message in message, each in the field of this tag; written from the inside.
fn protobuf(tag: u8) -> Vec<u8> {
    let mut backwards = Vec::with_capacity(LEVELS * 5);
    for _ in 0..LEVELS {
        let mut length = backwards.len();
        let mut bytes = Vec::new();
        loop {
            let low = (length & 0x7f) as u8;
            length >>= 7;
            bytes.push(if length > 0 { low | 0x80 } else { low });
            if length == 0 {
                break;
            }
        }
        backwards.extend(bytes.into_iter().rev());
        backwards.push(tag);
    }
    backwards.reverse();
    backwards
}

/// Bodies of rpcx, and their formats.
fn bodies() -> Vec<(&'static str, u8, Vec<u8>)> {
    let deep = |start: &[u8], level: &[u8]| [start, &level.repeat(LEVELS)].concat();
    vec![
        ("json", JSON, deep(b"", b"{\"next\":")),
        ("json_list", JSON, deep(b"{\"kids\":", b"[{\"kids\":")),
        ("json_unknown", JSON, deep(b"{\"x\":", b"[")),
        ("json_wrong_type", JSON, deep(b"{\"name\":", b"[")),
        ("msgpack", MSGPACK, deep(b"", b"\x81\xa4next")),
        ("msgpack_list", MSGPACK, deep(b"", b"\x81\xa4kids\x91")),
        ("msgpack_unknown", MSGPACK, deep(b"\x81\xa1x", b"\x91")),
        ("msgpack_key", MSGPACK, deep(b"", b"\x81")),
        ("protobuf", PROTOBUF, protobuf(0x1a)),
        ("protobuf_list", PROTOBUF, protobuf(0x12)),
        ("protobuf_group", PROTOBUF, deep(b"", b"\x7b")),
        ("protobuf_known_as_group", PROTOBUF, deep(b"", b"\x1b")),
    ]
}

/// S3.
pub(super) async fn nesting(_: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    verdict.note("debug_build", cfg!(debug_assertions));
    let process = warm(&Start::serve()).await?;
    let good = Frame::call(8, "Proof", "Mul", MSGPACK, b"\x82\xa1A\x06\xa1B\x07");
    let mut raw = Raw::connect(&process.url("rpcx")).await;
    for (what, format, body) in bodies() {
        let answer = raw.call(&Frame::call(7, "Proof", "Tree", format, &body)).await;
        let error = answer.and_then(|answer| answer.error());
        verdict.holds(format!("{what}.error"), error.is_some());
        let answer = raw.call(&good).await;
        verdict.holds(format!("{what}.usable"), answer.is_some_and(|a| a.error().is_none()));
    }
    for (what, bytes) in texts().into_iter().chain([("gob", gob().await?)]) {
        let mut socket = TcpStream::connect(process.place()).await?;
        // The server may close before all is said.
        let _ = socket.write_all(&bytes).await;
        let heard = hear(&mut socket, Duration::from_secs(30)).await;
        verdict.holds(format!("{what}.told_or_closed"), heard != Heard::Nothing);
        let fresh = ProofClient::connect(process.url("rpcx")).await?;
        verdict.holds(format!("{what}.alive"), fresh.mul(Args { a: 6, b: 7 }).await?.c == 42);
    }
    client(&mut verdict).await?;
    let fresh = ProofClient::connect(process.url("rpcx")).await?;
    verdict.none("panics", fresh.state().await?[1]);
    Ok(verdict)
}

/// What is said over JSON-RPC and HTTP.
fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let call = |rest: &str| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"Proof.Tree\",{rest}");
    let deep =
        |start: String, level: &str| [start.into_bytes(), level.repeat(LEVELS).into()].concat();
    let http = |body: &[u8]| {
        let head = format!(
            "POST /Proof/Tree HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let posted = |body: &[u8]| {
        let head =
            format!("POST /jsonrpc HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    vec![
        ("jsonrpc_params", deep(call("\"id\":1,\"params\":"), "[")),
        ("jsonrpc_params_object", deep(call("\"id\":1,\"params\":"), "{\"next\":")),
        ("jsonrpc_id", deep(call("\"id\":"), "[")),
        ("jsonrpc_unknown", deep(call("\"x\":"), "{\"x\":")),
        ("jsonrpc_batch", b"[".repeat(LEVELS)),
        ("http", http(&b"{\"next\":".repeat(LEVELS))),
        ("http_jsonrpc", posted(&deep(call("\"id\":1,\"params\":"), "["))),
    ]
}

/// A value of a recursive type, one in the other.
async fn gob() -> Done<Vec<u8>> {
    let leaf = || Tree { name: String::new(), kids: Vec::new(), next: None };
    let tree = Tree { next: Some(Box::new(leaf())), ..leaf() };
    let said = recorded("netrpc", |client| async move { client.tree(tree).await }).await?;
    let (last, content) = *gob_messages(&said).last().ok_or("net/rpc says nothing")?;
    // The third field, and in it nothing, is what the value ends with.
    let Some(start) = said[content..].strip_suffix(b"\x03\x00\x00") else {
        return Err(format!("not the tree that was expected: {:x?}", &said[content..]).into());
    };
    let value = [start, &b"\x03".repeat(LEVELS), &b"\x00".repeat(LEVELS + 1)].concat();
    let mut bytes = said[..last].to_vec();
    bytes.push(0xfc);
    bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&value);
    Ok(bytes)
}

/// The same as answers, to a client.
async fn client(verdict: &mut Verdict) -> Done {
    for (what, format, body) in bodies() {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("rpcx://{}", listener.local_addr()?);
        let rogue = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await?;
            let (mut input, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
            loop {
                let read = socket.read(&mut piece).await?;
                if read == 0 {
                    return std::io::Result::Ok(());
                }
                input.extend_from_slice(&piece[..read]);
                while let Some((frame, length)) = Frame::cut(&input) {
                    input.drain(..length);
                    let body = body.clone();
                    socket.write_all(&Frame { flags: 0x80, body, ..frame }.bytes()).await?;
                }
            }
        });
        let client = ProofClient::connect(&url).await?;
        let format = match format {
            JSON => Format::Json,
            PROTOBUF => Format::Protobuf,
            _ => Format::MsgPack,
        };
        let leaf = Tree { name: String::new(), kids: Vec::new(), next: None };
        let answer = client.tree(leaf).format(format).deadline(Duration::from_secs(60)).await;
        verdict.holds(format!("client.{what}.error"), answer.is_err());
        rogue.abort();
    }
    Ok(())
}
