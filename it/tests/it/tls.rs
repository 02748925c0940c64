//! TLS: every protocol, both ends' certificates, and everything that can be wrong with them.

use farcall::{Code, Limits, Result, Sent, Server, Status};
use farcall_it::{
    certs::{Authority, Kind, Pair},
    services::{Args, ProbeClient, Running, probe},
    who::{Teller, WhoClient, WhoServer},
};
use std::time::Duration;

const PROTOCOLS: [&str; 3] = ["rpcx", "netrpc", "jsonrpc"];

fn service() -> Server {
    probe(Limits::default()).add(WhoServer::new(Teller))
}

/// A server on a free port, and its `127.0.0.1:PORT`.
async fn start(server: Server) -> (Running, String) {
    let running = Running::start(server).await;
    let place = running.url.trim_start_matches("tls://").to_owned();
    (running, place)
}

fn body(size: usize) -> bytes::Bytes {
    (0..size).map(|i| (i * 7 % 251) as u8).collect()
}

#[tokio::test]
async fn every_protocol() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1", "farcall.test"]);
    let (running, place) = start(service().tls(pair.tls())).await;
    assert!(running.url.starts_with("tls://127.0.0.1:"), "{}", running.url);
    for protocol in PROTOCOLS {
        for more in ["", "&server_name=farcall.test"] {
            let url = format!("{protocol}+tls://{place}{}{more}", authority.option());
            let client = ProbeClient::connect(&url).await?;
            assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42, "{protocol}");
            for size in [0, 1, 16_384, 65_537, 4 << 20] {
                assert!(client.bytes(body(size)).await? == body(size), "{protocol}, {size}");
            }
            let calls: Vec<_> = (0..300).map(|i| tokio::spawn(client.add(i, 1))).collect();
            for (i, call) in calls.into_iter().enumerate() {
                assert_eq!(call.await.expect("no panic")?, i as i64 + 1);
            }
            let who = WhoClient::connect(&url).await?;
            assert_eq!(who.names().await?, [protocol], "nobody asked for a certificate");
            assert!(who.peer().await?.starts_with("127.0.0.1:"));
            client.client().close().await?;
        }
    }
    Ok(())
}
