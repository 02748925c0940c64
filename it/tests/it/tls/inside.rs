//! What else goes on inside of TLS: HTTP's ways, the gate, pages, listeners that choose.

use super::{blocking, service, start};
use farcall::{
    Auth, Cx, Deny, HttpRequest, HttpResponse, Identity, Limits, Result, Server, Status,
};
use farcall_it::{
    certs::Authority,
    http::{Http, post},
    raw::{self, Options},
    services::{Args, ProbeClient, probe},
    who::{Teller, WhoClient, WhoServer},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Everything that a client can say of its way, and the protocol that the handler sees.
const WAYS: [(&str, &str); 8] = [
    ("rpcx+tls", "rpcx"),
    ("netrpc+tls", "netrpc"),
    ("jsonrpc+tls", "jsonrpc"),
    ("http+tls", "http"),
    ("https", "http"),
    ("rpcx+https", "rpcx"),
    ("netrpc+https", "netrpc"),
    ("jsonrpc+https", "jsonrpc"),
];

/// Lets in whoever has this name.
struct Named(&'static str);

impl Auth for Named {
    type User = Identity;
    async fn check(&self, cx: &Cx) -> Result<Identity> {
        let known = cx.identity().filter(|identity| identity.has_name(self.0));
        known.cloned().ok_or_else(|| Status::unauthenticated("the certificate is not known"))
    }
}

#[tokio::test]
async fn checks_see_the_certificate_on_every_way() -> Result<()> {
    let authority = Authority::new();
    let server = authority.pair("server", &["127.0.0.1"]);
    let known = authority.pair("known", &["billing.test"]);
    let other = authority.pair("other", &["other.test"]);
    let tls = server.tls().client_ca(&authority.ca).client_optional();
    let whoever = |request: HttpRequest| async move {
        HttpResponse::text(request.cx().identity().map(ToString::to_string).unwrap_or_default())
    };
    let server = service().auth(Named("billing.test")).mount("/whoever", whoever).tls(tls);
    let (_running, place) = start(server).await;
    for (way, protocol) in WAYS {
        let url = format!("{way}://{place}{}", authority.option());
        let who = WhoClient::connect(url.clone() + &known.option()).await?;
        assert_eq!(who.names().await?, [protocol, "billing.test"], "{way}");
        for stranger in [String::new(), other.option()] {
            let who = WhoClient::connect(url.clone() + &stranger).await?;
            let status = who.names().await.expect_err(way);
            assert!(status.text().contains("the certificate is not known"), "{way}: {status}");
        }
    }
    for (pair, status, text) in
        [(Some(known), "200", "billing.test"), (Some(other), "401", "not known"), (None, "401", "")]
    {
        let raw =
            raw::connect(&place, raw::config(&authority, Options { pair, ..Options::default() }));
        let request = "GET /whoever HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let answer = blocking(move || super::ask(raw, request)).await.expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains(text), "{answer}");
    }
    Ok(())
}

/// Reads until the other end closes; an end by reset is one too.
async fn until_the_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let end = timeout(Duration::from_secs(60), socket.read_to_end(&mut all)).await;
    let _ = end.expect("it is closed");
    all
}

#[tokio::test]
async fn addresses_are_looked_at_before_hands_are_shaken() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let deny = Deny::new(["127.0.0.0/8"]).expect("a range");
    let (_running, place) = start(service().plug(deny).tls(pair.tls())).await;
    // On a port that listens to the first bytes, these would be answered in plain.
    let mut socket = TcpStream::connect(&place).await.expect("accepted");
    let _ = socket.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(until_the_end(&mut socket).await, b"");
}

#[tokio::test]
async fn who_has_not_shaken_hands_is_silent() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let limits = Limits { connections: 1, ..Limits::default() };
    let (_running, place) = start(probe(limits).tls(pair.tls())).await;
    for begin in [&b""[..], &[22, 3, 1, 2, 0, 1]] {
        let mut silent = TcpStream::connect(&place).await.expect("accepted");
        silent.write_all(begin).await.expect("written");
        let client =
            ProbeClient::connect(format!("rpcx+tls://{place}{}", authority.option())).await?;
        assert_eq!(client.add(1, 2).await?, 3, "it was made room for");
        assert_eq!(until_the_end(&mut silent).await, b"");
        client.client().close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn listeners_choose_inside() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let server = Server::new().add(WhoServer::new(Teller)).tls(pair.tls());
    let bound = server.listen("tls://127.0.0.1:0?speak=http,netrpc").await?;
    let place = bound.addresses()[0].trim_start_matches("tls://").to_owned();
    let running = tokio::spawn(bound.run());
    let option = authority.option();
    for (way, protocol) in WAYS {
        let who = WhoClient::connect(format!("{way}://{place}{option}")).await?;
        match who.names().await {
            Ok(names) => assert_eq!(names, [protocol], "{way}"),
            Err(status) => assert!(matches!(protocol, "rpcx" | "jsonrpc"), "{way}: {status}"),
        }
    }
    running.abort();
    Ok(())
}

#[tokio::test]
async fn tunnels_name_the_end_that_is_plain() {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let (_running, place) = start(service().tls(pair.tls())).await;
    for way in ["rpcx+http", "netrpc+http", "jsonrpc+http", "http"] {
        let client = ProbeClient::builder(format!("{way}://{place}")).lazy().expect("a good one");
        let status = client.mul(Args { a: 6, b: 7 }).await.expect_err(way);
        assert!(status.to_string().contains("speaks TLS"), "{way}: {status}");
    }
    let mut http = Http::connect(&place).await;
    http.send(post("/Probe/Mul", "", "{}").as_bytes()).await;
    assert_eq!(http.receive().await.expect("an answer in plain").status, 400);
}
