//! Slow, silent, half closed, and many: what happens to connections, and what is left of them.

use super::{blocking, body, service, start};
use farcall::{Limits, Result};
use farcall_it::{
    certs::Authority,
    raw::{self, Options},
    services::{Args, ProbeClient, probe},
};
use std::{
    io::{Read, Write},
    net::Shutdown,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"Probe.Mul","params":{"A":6,"B":7}}"#;

/// No test waits longer.
const CAP: Duration = Duration::from_secs(60);

#[tokio::test]
async fn byte_by_byte() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let own = authority.pair("client", &["c.test"]);
    let tls = pair.tls().client_ca(&authority.ca);
    // Two busy cores may take long for so many small steps.
    let limits = Limits { handshake_time: CAP, connect_time: CAP, ..Limits::default() };
    let (_running, place) = start(probe(limits.clone()).tls(tls)).await;
    let place = raw::dribble(&place).await;
    for protocol in super::PROTOCOLS {
        let url = format!("{protocol}+tls://{place}{}{}", authority.option(), own.option());
        let builder = ProbeClient::builder(url).limits(limits.clone()).deadline(CAP);
        let client = builder.build().await?;
        assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42, "{protocol}");
        assert!(client.bytes(body(20_000)).await? == body(20_000), "{protocol}");
    }
    Ok(())
}

#[tokio::test]
async fn handshakes_end_in_time() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let limits = Limits { handshake_time: Duration::from_millis(100), ..Limits::default() };
    let (_running, place) = start(probe(limits).tls(pair.tls())).await;
    // Nothing, a part of a record, and a byte now and then.
    for begin in [&b""[..], &[22, 3, 1, 2, 0, 1]] {
        let mut socket = TcpStream::connect(&place).await.expect("accepted");
        socket.write_all(begin).await.expect("written");
        let end = timeout(CAP, socket.read_to_end(&mut Vec::new())).await;
        let _ = end.expect("the server gives up");
    }
    let (mut read, mut write) = TcpStream::connect(&place).await.expect("accepted").into_split();
    let drip = tokio::spawn(async move {
        let record = [&[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0][..], &[0; 16_000]].concat();
        for byte in record {
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let end = timeout(CAP, read.read_to_end(&mut Vec::new())).await;
    let _ = end.expect("the server gives up");
    drip.abort();
}

#[tokio::test]
async fn silence_counts_inside_too() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let limits = Limits { silence: Duration::from_millis(300), ..Limits::default() };
    let (_running, place) = start(probe(limits).tls(pair.tls())).await;
    let mut raw = raw::connect(&place, raw::config(&authority, Options::default()));
    let end = blocking(move || {
        raw.flush()?;
        raw.read_to_end(&mut Vec::new())
    });
    assert_eq!(end.await.expect("a goodbye, not just an end"), 0);
}

#[tokio::test]
async fn half_closed() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let (_running, place) = start(service().tls(pair.tls())).await;
    for version in rustls::ALL_VERSIONS {
        for goodbye in [true, false] {
            let options = Options { versions: vec![version], ..Options::default() };
            let mut raw = raw::connect(&place, raw::config(&authority, options));
            let answer = blocking(move || {
                raw.write_all(CALL.as_bytes())?;
                if goodbye {
                    raw.conn.send_close_notify();
                }
                raw.flush()?;
                raw.sock.shutdown(Shutdown::Write)?;
                let mut answer = String::new();
                raw.read_to_string(&mut answer)?;
                Ok::<_, std::io::Error>(answer)
            });
            let answer = answer.await.expect("the answer, and a goodbye");
            assert!(answer.contains("42"), "{version:?}, {goodbye}: {answer}");
        }
    }
}

#[tokio::test]
async fn half_a_message_is_no_message() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let (_running, place) = start(service().tls(pair.tls())).await;
    let config = raw::config(&authority, Options::default());
    let count = CALL.replace("Probe.Mul", "Probe.Count").replace(r#"{"A":6,"B":7}"#, "[0]");
    for length in [1, count.len() / 2, count.len() - 1] {
        let (mut raw, part) = (raw::connect(&place, config.clone()), count[..length].to_owned());
        let end = blocking(move || {
            raw.write_all(part.as_bytes())?;
            raw.flush()?;
            raw.sock.shutdown(Shutdown::Write)?;
            raw.read_to_end(&mut Vec::new())
        });
        assert_eq!(end.await.expect("an end"), 0);
    }
    let url = format!("rpcx+tls://{place}{}", authority.option());
    assert_eq!(ProbeClient::connect(url).await?.count(0).await?, 0, "none of them was called");
    Ok(())
}

#[tokio::test]
async fn a_thousand_connections_leave_nothing() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let own = authority.pair("client", &["c.test"]);
    let (mut running, place) = start(service().tls(pair.tls().client_ca(&authority.ca))).await;
    let url = format!("rpcx+tls://{place}{}{}", authority.option(), own.option());
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
    // Somebody who has not said a word does not hold the server up.
    let _silent = TcpStream::connect(&place).await.expect("accepted");
    let client = ProbeClient::connect(&url).await?;
    assert_eq!(client.add(1, 2).await?, 3);
    running.stop();
    timeout(CAP, &mut running.task).await.expect("drained").expect("no panic")
}
