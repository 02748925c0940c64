//! rpcx's own crates for Rust, `rpcx_client` and `rpcx_server`, in both directions. What is here is
//! what they have: see peers/README.md.

use crate::go_peer::{GoServer, calls, introduce, named};
use bytes::Bytes;
use farcall::{Client, Compress, Format, Result, Token, Value, json};
use farcall_cli::services::{self, HelloServiceClient};
use farcall_it::services::Running;

const PEER: &str = "rpcxrs-peer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rpcx_rs_calls_us() {
    let running = Running::start(services::all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    calls(PEER, address, "-addr", &[], &[], 18).await;
    let strict = Running::start(services::all(1).auth(Token::new("letmein"))).await;
    let address = strict.url.trim_start_matches("rpcx://");
    calls(PEER, address, "-addr", &["-case", "auth"], &[], 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rpcx_rs_calls_several_of_ours() {
    let servers = [Running::start(services::all(1)).await, Running::start(services::all(1)).await];
    let addresses: Vec<_> =
        servers.iter().map(|running| running.url.trim_start_matches("rpcx://")).collect();
    calls(PEER, &addresses.join(","), "-addr", &["-case", "many"], &[], 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_rpcx_rs() -> Result<()> {
    introduce(PEER);
    let peer = GoServer::of(&named(PEER), &[], "rpcx");
    let client = Client::connect(&peer.url).await?;
    for compress in [Compress::None, Compress::Gzip] {
        let json = client.clone().format(Format::Json).compress(compress);
        let hello = HelloServiceClient::from_client(json.clone());
        for name in ["", "Gö <&>"] {
            assert_eq!(hello.say_hello(name.to_owned()).await?, format!("Hello World:{name}"));
        }
        // Structs are maps in JSON, as everywhere, and lists in its MessagePack.
        for (format, as_list) in [(Format::Json, false), (Format::MsgPack, true)] {
            let client = client.clone().format(format).compress(compress);
            for a in 0..20 {
                let reply = client.call("Arith.Mul", json!({"A": a, "B": 7})).await?;
                let c = match &reply {
                    Value::List(items) if as_list => items.first().and_then(Value::as_i64),
                    reply => reply.get("C").and_then(Value::as_i64),
                };
                assert_eq!(c, Some(7 * a), "{reply:?}");
            }
            let divided = client.call("Arith.Divide", json!({"A": 17, "B": 5})).await?;
            let quotient = match &divided {
                Value::List(items) => items.first().and_then(Value::as_i64),
                reply => reply.get("Quo").and_then(Value::as_i64),
            };
            assert_eq!(quotient, Some(3), "{divided:?}");
        }
        let bytes = client.clone().format(Format::Raw).compress(compress);
        for size in [1usize, 100, 1000] {
            let body: Bytes = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            let back = bytes.call_raw("Echo.Bytes", body.clone()).format(Format::Raw).await?;
            assert_eq!(back, body);
        }
    }
    // Many on one connection, each with its own answer.
    let client = client.format(Format::Json);
    let calls: Vec<_> = (0..20)
        .map(|a| tokio::spawn(client.call("Arith.Mul", json!({"A": a, "B": 3})).into_future()))
        .collect();
    for (a, call) in calls.into_iter().enumerate() {
        let reply = call.await.expect("no panic")?;
        assert_eq!(reply.get("C").and_then(Value::as_i64), Some(3 * a as i64));
    }
    Ok(())
}
