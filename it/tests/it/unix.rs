//! Unix sockets: every protocol, the socket file, and who calls.
#![cfg(unix)]

use farcall::{Code, Limits, Result};
use farcall_it::{
    services::{Args, ProbeClient, Running, probe},
    who::{Folder, Teller, WhoClient, WhoServer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// A path in a host's place.
fn escaped(path: &std::path::Path) -> String {
    path.to_str().expect("UTF-8").replace('/', "%2F")
}

#[tokio::test]
async fn every_protocol() -> Result<()> {
    let folder = Folder::new();
    let path = folder.join("all.sock");
    let server = probe(Limits::default()).add(WhoServer::new(Teller));
    let address = format!("unix://{}", path.display());
    let mut running = Running::start_on(server, &address).await?;
    assert_eq!(running.url, address);
    for protocol in ["rpcx", "netrpc", "jsonrpc"] {
        let url = format!("{protocol}+unix://{}", escaped(&path));
        let client = ProbeClient::connect(&url).await?;
        assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42);
        let body: Vec<u8> = (0..4 << 20).map(|i| (i * 7 % 251) as u8).collect();
        assert!(client.bytes(body.clone().into()).await? == body, "{protocol}");
        let peer = WhoClient::connect(&url).await?.peer().await?;
        assert!(peer.contains(&format!("pid={}", std::process::id())), "{peer}");
        assert!(peer.contains(":uid="), "{peer}");
    }
    let mut socket = UnixStream::connect(&path).await.expect("it listens");
    let request = farcall_it::http::post("/Probe/Mul", "Connection: close\r\n", r#"{"A":6,"B":7}"#);
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("42"), "{answer}");

    let taken = Running::start_on(probe(Limits::default()), &address).await;
    let taken = taken.expect_err("it is live");
    assert!(taken.text().contains("another process listens"), "{taken}");
    running.stop();
    (&mut running.task).await.expect("no panic")?;
    assert!(!path.exists(), "the file goes with the server");
    let url = format!("rpcx+unix://{}", escaped(&path));
    let gone = ProbeClient::connect(&url).await.expect_err("nobody listens");
    assert_eq!(gone.code(), Code::Unavailable, "{gone}");
    assert!(gone.to_string().contains("all.sock"), "{gone}");
    Ok(())
}

#[tokio::test]
async fn a_thousand_connections_leave_nothing() -> Result<()> {
    let folder = Folder::new();
    let path = folder.join("many.sock");
    let address = format!("unix://{}", path.display());
    let _running = Running::start_on(probe(Limits::default()), &address).await?;
    let url = format!("rpcx+unix://{}", escaped(&path));
    let open = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let mut before = 0;
    for round in 0..1000 {
        let client = ProbeClient::connect(&url).await?;
        assert_eq!(client.add(round, 1).await?, round + 1);
        client.client().close().await?;
        if round == 0 {
            before = open();
        }
    }
    // Other tests of this process hold descriptors too, but not a thousand more.
    assert!(open() < before + 500, "{before} descriptors, then {}", open());
    Ok(())
}
