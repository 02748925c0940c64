//! TLS, mutual TLS and Unix sockets with the real rpcx and the real net/rpc, in both directions.

use crate::{
    go_peer::{GoServer, named},
    jsonrpc::LENIENT,
};
use farcall::{Code, Result, Sent};
use farcall_cli::services::{Args, ArithClient, EchoClient};
use farcall_it::{
    certs::{Authority, Pair},
    services::Running,
    who::Folder,
};
use std::path::Path;
use tokio::process::Command;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The matrix of a Go client.
async fn matrix(program: &str, flags: &[&str], least: usize) {
    let run =
        Command::new(named(program)).args(["client", "-timeout", "100s"]).args(flags).output();
    let output = run.await.expect("the Go client runs");
    let report = String::from_utf8_lossy(&output.stdout);
    let failed = report.lines().filter(|line| line.starts_with("FAIL") && *line != LENIENT);
    let failed: Vec<_> = failed.collect();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(failed.is_empty(), "{}\n{said}", failed.join("\n"));
    let passed = report.lines().filter(|line| line.starts_with("PASS")).count();
    println!("{program} {}: {passed} cases passed", flags.join(" "));
    assert!(passed >= least, "the matrix has shrunk: {passed} cases");
}

/// What a Go program is told to show.
fn shown(pair: &Pair) -> [&str; 4] {
    ["-tls-cert", text(&pair.cert), "-tls-key", text(&pair.key)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_us_over_tls() {
    farcall_cli::services::expect_panics();
    let authority = Authority::new();
    let server = authority.pair("server", &["127.0.0.1"]);
    let client = authority.pair("client", &["gopher.test"]);
    for mutual in [false, true] {
        let mut tls = server.tls();
        let mut flags = vec!["-ca", text(&authority.ca)];
        if mutual {
            tls = tls.client_ca(&authority.ca);
            flags.extend(shown(&client));
        }
        let running = Running::start(farcall_cli::services::all(1).tls(tls)).await;
        flags.extend(["-addr", running.url.trim_start_matches("tls://")]);
        matrix("rpcx-peer", &flags, 146).await;
        matrix("netrpc-peer", &flags, 60).await;
        flags.extend(["-codec", "json"]);
        matrix("netrpc-peer", &flags, 60).await;
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_calls_us_over_unix() {
    farcall_cli::services::expect_panics();
    let folder = Folder::new();
    let path = folder.join("us.sock");
    let server = farcall_cli::services::all(1);
    let address = format!("unix://{}", path.display());
    let _running = Running::start_on(server, &address).await.expect("a socket");
    let flags = ["-unix", "-addr", text(&path)];
    matrix("rpcx-peer", &flags, 146).await;
    matrix("netrpc-peer", &flags, 60).await;
    matrix("netrpc-peer", &[&flags[..], &["-codec", "json"]].concat(), 60).await;
}

/// A few calls of every size.
async fn calls(url: &str) -> Result<()> {
    let (arith, echo) = (ArithClient::connect(url).await?, EchoClient::connect(url).await?);
    for round in 0..50 {
        assert_eq!(arith.mul(Args { a: round, b: 7 }).await?.c, round * 7);
    }
    for size in [0, 1, 16_384, 4 << 20] {
        let body: bytes::Bytes = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        assert!(echo.bytes(body.clone()).await? == body, "{size} bytes");
    }
    let calls: Vec<_> = (0..500).map(|b| tokio::spawn(arith.mul(Args { a: 3, b }))).collect();
    for (b, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic")?.c, 3 * b as i64);
    }
    Ok(())
}

const GO: [(&str, &str, &[&str]); 3] = [
    ("rpcx-peer", "rpcx", &[]),
    ("netrpc-peer", "netrpc", &[]),
    ("netrpc-peer", "jsonrpc", &["-codec", "json"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_go_over_tls() -> Result<()> {
    let authority = Authority::new();
    let server = authority.pair("server", &["127.0.0.1"]);
    let client = authority.pair("client", &["rustacean.test"]);
    for (program, protocol, flags) in GO {
        for mutual in [false, true] {
            let mut flags = [&shown(&server)[..], flags].concat();
            if mutual {
                flags.extend(["-ca", text(&authority.ca)]);
            }
            let go = GoServer::of(&named(program), &flags, protocol);
            let version = if protocol == "jsonrpc" { "&version=1" } else { "" };
            let url = go.url.replace("://", "+tls://") + &authority.option() + version;
            if mutual {
                let refused = match ArithClient::connect(&url).await {
                    Ok(arith) => arith.mul(Args { a: 1, b: 2 }).await.expect_err("refused"),
                    Err(status) => status,
                };
                assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
                assert_eq!(refused.sent(), Sent::No, "{refused}");
                assert!(refused.text().contains("wants a client certificate"), "{refused}");
            }
            calls(&(url + if mutual { client.option() } else { String::new() }.as_str())).await?;
            println!("farcall called {program} over TLS: {protocol}, mutual: {mutual}");
        }
    }
    Ok(())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_go_over_unix() -> Result<()> {
    let folder = Folder::new();
    for (program, protocol, flags) in GO {
        let path = folder.join(format!("{protocol}.sock"));
        let flags = [&["-unix", "-addr", text(&path)], flags].concat();
        let _go = GoServer::of(&named(program), &flags, protocol);
        let version = if protocol == "jsonrpc" { "?version=1" } else { "" };
        let host = text(&path).replace('/', "%2F");
        calls(&format!("{protocol}+unix://{host}{version}")).await?;
        println!("farcall called {program} over a Unix socket: {protocol}");
    }
    Ok(())
}
