//! What can be wrong, each with words of its own; whether the call left is told rightly too.

use super::{blocking, service, start};
use farcall::{Client, ClientTls, Code, Result, Sent, Server, Status, Tls};
use farcall_it::{
    certs::{Authority, Kind},
    http::Http,
    raw::{self, Options},
    services::{ProbeClient, Running},
    who::Folder,
};
use std::io::Read;

/// The failure of the first call, or of connecting.
async fn failure(url: &str) -> Status {
    match ProbeClient::connect(url).await {
        Ok(client) => client.add(1, 2).await.expect_err(url),
        Err(status) => status,
    }
}

fn check(status: &Status, code: Code, words: &str) {
    assert!(status.text().contains(words), "not `{words}`: {status}");
    assert_eq!(status.code(), code, "{status}");
    assert_eq!(status.sent(), Sent::No, "{status}");
    assert!(status.peer().is_some(), "{status}");
}

#[tokio::test]
async fn the_servers_certificate() {
    let authority = Authority::new();
    let other = Authority::new();
    for (names, kind, words) in [
        (&["elsewhere.test"][..], Kind::Good, "is not for 127.0.0.1"),
        (&["127.0.0.1"], Kind::Expired, "the server's certificate has expired"),
        (&["127.0.0.1"], Kind::Future, "is not valid yet"),
        (&["127.0.0.1"], Kind::ClientOnly, "is not meant for a server"),
    ] {
        let pair = authority.pair_of("server", names, kind);
        let (_running, place) = start(service().tls(pair.tls())).await;
        for protocol in super::PROTOCOLS {
            let url = format!("{protocol}+tls://{place}{}", authority.option());
            check(&failure(&url).await, Code::Unavailable, words);
        }
    }
    let pair = authority.pair("good", &["127.0.0.1"]);
    let (_running, place) = start(service().tls(pair.tls())).await;
    let unknown = failure(&format!("rpcx+tls://{place}{}", other.option())).await;
    check(&unknown, Code::Unavailable, "no authority that is trusted vouches");
    assert!(unknown.hint().is_some_and(|hint| hint.contains("?ca=")), "{unknown}");
    let name = format!("rpcx+tls://{place}{}&server_name=x.test", authority.option());
    check(&failure(&name).await, Code::Unavailable, "is not for x.test");
}

#[tokio::test]
async fn the_clients_certificate() {
    let authority = Authority::new();
    let other = Authority::new();
    let server = authority.pair("server", &["127.0.0.1"]);
    let tls = server.tls().client_ca(&authority.ca);
    let (_running, place) = start(service().tls(tls)).await;
    let url = format!("+tls://{place}{}", authority.option());
    let pairs = [
        (String::new(), "the server wants a client certificate, and there is none"),
        (other.pair("other", &["c.test"]).option(), "it knows no authority that vouches for it"),
        (
            authority.pair_of("old", &["c.test"], Kind::Expired).option(),
            "it has expired, or is not valid yet",
        ),
        (
            authority.pair_of("server-only", &["c.test"], Kind::ServerOnly).option(),
            "the server refused the client certificate",
        ),
    ];
    for protocol in super::PROTOCOLS {
        for (option, words) in &pairs {
            // In version 1.3 the client believes itself connected, and is refused meanwhile: the
            // order of events is another each time, the outcome is not.
            for _ in 0..20 {
                let status = failure(&format!("{protocol}{url}{option}")).await;
                check(&status, Code::Unauthenticated, words);
            }
        }
    }
    let good = authority.pair("good", &["c.test"]);
    let client = ProbeClient::connect(format!("rpcx{url}{}", good.option())).await;
    assert_eq!(client.expect("let in").add(1, 2).await, Ok(3));
}

#[tokio::test]
async fn one_end_is_plain() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let (_secure, secure) = start(service().tls(pair.tls())).await;
    let plain = Running::start(service()).await;
    let plain = plain.url.trim_start_matches("rpcx://");
    for protocol in super::PROTOCOLS {
        let url = format!("{protocol}+tls://{plain}{}", authority.option());
        let status = failure(&url).await;
        assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No), "{status}");
        assert!(status.to_string().contains("speak TLS"), "{status}");
        if protocol == "http" {
            continue; // is answered in plain, see below
        }
        let status = failure(&format!("{protocol}://{secure}")).await;
        assert!(status.text().contains("the server speaks TLS"), "{status}");
        assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No), "{status}");
    }
    let mut http = Http::connect(&secure).await;
    http.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let answer = http.receive().await.expect("an answer in plain");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("speaks TLS"), "{answer:?}");
    assert!(http.receive().await.is_none());
}

#[tokio::test]
async fn versions() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let (_running, place) = start(service().tls(pair.tls())).await;
    // A hello of version 1.1: record and message say so, and nothing newer is offered.
    let hello = |version: u8| {
        let mut hello = vec![22, 3, 1, 0, 0, 1, 0, 0, 0, 3, version];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
        let length = hello.len();
        hello[4] = (length - 5) as u8;
        hello[8] = (length - 9) as u8;
        hello
    };
    for version in [1, 2] {
        let (place, hello) = (place.clone(), hello(version));
        let answer = blocking(move || {
            use std::io::Write;
            let mut socket = std::net::TcpStream::connect(place)?;
            socket.write_all(&hello)?;
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        });
        let answer = answer.await.expect("an alert");
        // A fatal alert: protocol_version, or handshake_failure for want of extensions.
        assert!(matches!(answer[..], [21, 3, _, 0, 2, 2, 40 | 70]), "{answer:?}");
    }
    for version in rustls::ALL_VERSIONS {
        let options = Options { versions: vec![version], ..Options::default() };
        let raw = raw::connect(&place, raw::config(&authority, options));
        let answer = blocking(move || super::ask(raw, "GET / HTTP/1.0\r\n\r\n")).await;
        assert!(answer.expect("an answer").starts_with("HTTP/1.1 404"));
    }
}

#[tokio::test]
async fn what_is_said_when_building() -> Result<()> {
    let authority = Authority::new();
    let (one, two) = (authority.pair("one", &["a.test"]), authority.pair("two", &["a.test"]));
    let folder = Folder::new();
    let empty = folder.join("empty.pem");
    std::fs::write(&empty, "").expect("written");
    let gone = folder.join("gone.pem");
    for (tls, words) in [
        (Tls::files(&gone, &one.key), "gone.pem` cannot be used: "),
        (Tls::files(&one.cert, &gone), "gone.pem` cannot be used: "),
        (Tls::files(&empty, &one.key), "it holds no certificate in PEM"),
        (Tls::files(&one.cert, &empty), "it holds no private key in PEM"),
        (Tls::files(&one.cert, &one.cert), "it holds no private key in PEM"),
        (Tls::files(&one.cert, &two.key), "two-key.pem` is not that of the certificate"),
        (one.tls().client_ca(&empty), "it holds no certificate in PEM"),
        (Tls::pem("-----BEGIN CERTIFICATE-----\nAA", "x"), "the PEM text cannot be used"),
    ] {
        let status = Server::new().tls(tls).listen("tcp://127.0.0.1:0").await.expect_err(words);
        assert!(status.text().contains(words), "{status}");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    let status = Server::new().listen("tls://127.0.0.1:0").await.expect_err("no certificate");
    assert!(status.text().contains("has no certificate"), "{status}");
    for (url, words) in [
        (format!("rpcx+tls://h:1?ca={}", gone.display()), "gone.pem` cannot be used"),
        (format!("rpcx+tls://h:1{}&cert=x", authority.option()), "without its `key`"),
        (format!("rpcx+tls://h:1{}&key=x", authority.option()), "without its `cert`"),
        (format!("rpcx+tls://h:1{}&server_name=a b", authority.option()), "no name that"),
        ("rpcx://h:1?ca=x".to_owned(), "option `ca`"),
    ] {
        let status = Client::lazy(&url).expect_err(&url);
        assert!(status.text().contains(words), "{status}");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    let plain = Client::builder("rpcx://h:1").tls(ClientTls::new()).lazy();
    assert!(plain.expect_err("plain").text().contains("does not go over TLS"));
    // The URL goes before the builder.
    let tls = ClientTls::new().ca(&gone).server_name("b.test").identity(&one.cert, &one.key);
    let (_running, place) = start(service().tls(one.tls().client_ca(&authority.ca))).await;
    let url = format!("rpcx+tls://{place}{}&server_name=a.test", authority.option());
    let client = ProbeClient::builder(url).tls(tls).build().await?;
    assert_eq!(client.add(1, 2).await?, 3);
    Ok(())
}
