//! What users of rpcx add to a server or a client of their own, with the real rpcx at the other
//! end: codecs, handlers of bytes, raw messages, aliases, tokens, and paths of `CONNECT`.

use crate::go_peer::{GoServer, calls, program};
use bytes::Bytes;
use farcall::{
    Bounds, Client, Code, Codec, Cx, Format, Result, Server, Value,
    format::{decode_within, encode_to_vec},
};
use farcall_cli::services::{self, Args, ArithClient};
use farcall_it::services::Running;
use std::sync::Arc;

/// The codec that the Go peer has under this number: JSON, every byte of it changed.
pub(crate) const MASKED: Format = Format::Other(11);

pub(crate) struct Masked;

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
pub(crate) fn server() -> Server {
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

/// What frames are behind `CONNECT` to another path.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_ours_at_another_path() {
    let running = Running::start(server().rpcx_at("/frames/here")).await;
    let address = running.url.trim_start_matches("rpcx://");
    for (group, at_least) in [("codec", 3), ("sendraw", 3), ("alias", 1), ("handler", 4)] {
        let flags = ["-connect", "/frames/here", "-timeout", "50s", "-case", group];
        calls("rpcx-peer", address, "-addr", &flags, &[], at_least).await;
    }
    // Where nothing was moved to.
    let elsewhere = ArithClient::connect(running.url.replace("://", "+http://")).await;
    let status = elsewhere.map(drop).expect_err("another path");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn we_call_gos_at_another_path() -> Result<()> {
    let go = GoServer::of(&program(), &["-path", "/another/path"], "rpcx+http");
    let url = format!("{}?path=/another/path", go.url);
    let arith = ArithClient::connect(&url).await?;
    assert_eq!(arith.mul(Args { a: 6, b: -7 }).await?.c, -42);
    let status = arith.divide(Args { a: 1, b: 0 }).await.expect_err("by zero");
    assert_eq!(status.text(), "divide by zero");
    Ok(())
}

/// A server of ours tells of itself what Go's does, and nothing unless it is asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reflection_of_ours() -> Result<()> {
    let telling = Running::start(services::all(1).reflection()).await;
    crate::cells::reflection(&telling.url).await?;
    let silent = Running::start(services::all(1)).await;
    let client = Client::connect(&silent.url).await?;
    let status = client.call_as::<String, String>("Reflection.GetServices", String::new()).await;
    assert_eq!(status.expect_err("off").code(), Code::Unimplemented);
    Ok(())
}
