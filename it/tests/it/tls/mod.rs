//! TLS: every protocol, both ends' certificates, and everything that can be wrong with them.

mod inside;
mod reload;
mod rough;
mod wrong;

use bytes::Bytes;
use farcall::{Limits, Result, Server};
use farcall_it::{
    certs::Authority,
    http::post,
    raw::{self, Options},
    services::{Args, ProbeClient, Running, probe},
    who::{Folder, Teller, WhoClient, WhoServer},
};
use std::io::{Read, Write};

const PROTOCOLS: [&str; 4] = ["rpcx", "netrpc", "jsonrpc", "http"];

fn service() -> Server {
    probe(Limits::default()).add(WhoServer::new(Teller))
}

/// A server on a free port, and its `127.0.0.1:PORT`.
async fn start(server: Server) -> (Running, String) {
    let running = Running::start(server).await;
    let place = running.url.trim_start_matches("tls://").to_owned();
    (running, place)
}

fn body(size: usize) -> Bytes {
    (0..size).map(|i| (i * 7 % 251) as u8).collect()
}

/// Runs what blocks.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

/// What a raw connection gets for a request, until its end.
fn ask(mut raw: raw::Raw, request: &str) -> std::io::Result<String> {
    raw.write_all(request.as_bytes())?;
    raw.flush()?;
    let mut answer = String::new();
    raw.read_to_string(&mut answer)?;
    Ok(answer)
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

#[tokio::test]
async fn big_bodies_cross() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let (_running, place) = start(service().tls(pair.tls())).await;
    let url = format!("rpcx+tls://{place}{}", authority.option());
    let client = ProbeClient::connect(&url).await?;
    // Both directions are full at once, and small calls find their way between.
    let big: Vec<_> = (0..8).map(|_| tokio::spawn(client.bytes(body(4 << 20)))).collect();
    for i in 0..200 {
        assert_eq!(client.add(i, 1).await?, i + 1);
    }
    for call in big {
        assert!(call.await.expect("no panic")? == body(4 << 20));
    }
    Ok(())
}

#[tokio::test]
async fn handlers_see_who_calls() -> Result<()> {
    let authority = Authority::new();
    let server = authority.pair("server", &["127.0.0.1"]);
    let names = ["billing.test", "spiffe://farcall.test/billing"];
    let own = authority.pair("client", &names);
    for optional in [false, true] {
        let mut tls = server.tls().client_ca(&authority.ca);
        if optional {
            tls = tls.client_optional();
        }
        let (_running, place) = start(service().tls(tls)).await;
        for protocol in PROTOCOLS {
            let url = format!("{protocol}+tls://{place}{}", authority.option());
            let who = WhoClient::connect(url.clone() + &own.option()).await?;
            assert_eq!(who.names().await?, [protocol, names[0], names[1]]);
            if optional {
                let who = WhoClient::connect(url).await?;
                assert_eq!(who.names().await?, [protocol]);
            }
        }
        for version in rustls::ALL_VERSIONS {
            let options =
                Options { versions: vec![version], pair: Some(own.clone()), ..Options::default() };
            let config = raw::config(&authority, options);
            // The second connection resumes the first one's session: the identity comes with it.
            for _ in 0..2 {
                let raw = raw::connect(&place, config.clone());
                let request = post("/Who/Names", "Connection: close\r\n", "");
                let answer = blocking(move || ask(raw, &request)).await.expect("an answer");
                let told = format!("[\"http\",\"{}\",\"{}\"]", names[0], names[1]);
                assert!(answer.ends_with(&told), "{answer}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_spoken_inside() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let (_running, place) = start(service().tls(pair.tls())).await;
    let request = post("/Probe/Mul", "Connection: close\r\n", r#"{"A":6,"B":7}"#);
    for (offered, agreed) in [
        (vec![], None),
        (vec!["http/1.1"], Some("http/1.1")),
        (vec!["h2", "http/1.1"], Some("http/1.1")),
    ] {
        let alpn = offered.into_iter().map(|name| name.as_bytes().to_vec()).collect();
        let config = raw::config(&authority, Options { alpn, ..Options::default() });
        let (mut raw, request) = (raw::connect(&place, config), request.clone());
        let (answer, spoken) = blocking(move || {
            raw.write_all(request.as_bytes())?;
            let mut answer = String::new();
            raw.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>((answer, raw.conn.alpn_protocol().map(<[u8]>::to_vec)))
        })
        .await
        .expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("42"), "{answer}");
        assert_eq!(spoken.as_deref(), agreed.map(str::as_bytes));
    }
    let options = Options { alpn: vec![b"imap".to_vec()], ..Options::default() };
    let raw = raw::connect(&place, raw::config(&authority, options));
    let error = blocking(move || ask(raw, &request)).await.expect_err("nothing in common");
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}
