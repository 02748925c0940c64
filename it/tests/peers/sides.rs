//! File transfer, streams and reflection with the real rpcx, in both directions.

use crate::go_peer::{GoServer, calls, program};
use farcall::{Client, Code, Cx, Files, Format, Limits, Result, Server, Side, SideCall, Status};
use farcall_cli::services;
use farcall_it::{certs::Authority, services::Running, who::Folder};
use std::{path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(60);

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn accept(_: &Cx, call: &SideCall) -> Result<()> {
    match call.get("refuse") {
        Some(why) => Err(Status::permission_denied(why.to_owned())),
        None => Ok(()),
    }
}

async fn echo(mut stream: TcpStream, call: SideCall) {
    let hello = format!("hello {}\n", call.get("name").unwrap_or_default());
    let _ = stream.write_all(hello.as_bytes()).await;
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn ours(folder: &Path) -> Server {
    std::fs::create_dir_all(folder).expect("a folder");
    let side = Side::listen("tcp://127.0.0.1:0", &Limits::default()).await.expect("a listener");
    let files = Files::of(folder).expect("a folder").take_up_to(1 << 30);
    services::all(1).files(&side, files).side_streams(&side, accept, echo)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_sends_fetches_and_streams() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let plain = Running::start(ours(&folder.join("plain")).await).await;
    let connect = Running::start(ours(&folder.join("connect")).await).await;
    let pair = authority.pair("server", &["127.0.0.1"]);
    let secure = Running::start(ours(&folder.join("secure")).await.tls(pair.tls())).await;
    for (url, flags) in [
        (&plain.url, &[][..]),
        (&connect.url, &["-connect", "/_rpcx_"]),
        (&secure.url, &["-ca", text(&authority.ca)]),
    ] {
        let (_, address) = url.split_once("://").expect("a URL");
        for (group, at_least) in [("files", 9), ("stream", 2)] {
            let flags = [flags, &["-timeout", "100s", "-case", group]].concat();
            calls("rpcx-peer", address, "-addr", &flags, &[], at_least).await;
        }
    }
    // What Go was refused has left nothing behind, and what it sent is whole.
    let sizes = [0, 1, 1024, 1025, 100_000, 5 << 20];
    for size in sizes {
        let sent = folder.join(format!("plain/go-{size}.bin"));
        assert_eq!(std::fs::metadata(sent).expect("it").len(), size);
    }
    assert_eq!(std::fs::read_dir(folder.join("plain")).expect("it").count(), sizes.len() + 1);
}

#[tokio::test]
async fn we_send_fetch_and_stream() -> Result<()> {
    let folder = Folder::new();
    let there = folder.join("there");
    std::fs::create_dir(&there).expect("a folder");
    let go = GoServer::of(&program(), &["-files", text(&there)], "rpcx");
    let client = Client::connect(&go.url).await?;
    for size in [0usize, 1, 65_536, 5 << 20] {
        let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        let (here, name) = (folder.join(format!("{size}.bin")), format!("{size}.bin"));
        std::fs::write(&here, &body).expect("a file");
        let sent = client.transfer().meta("note", "from Rust").send(&here).await?;
        assert_eq!(sent, size as u64);
        assert_eq!(std::fs::read(there.join(&name)).expect("it"), body);
        let note = std::fs::read_to_string(there.join(format!("{name}.meta"))).expect("it");
        assert_eq!(note, format!("{size} from Rust"));
        let back = folder.join(format!("{size}.back"));
        assert_eq!(client.transfer().fetch(&name, &back).await?, size as u64);
        assert_eq!(std::fs::read(back).expect("it"), body);
    }
    let mut stream = client.transfer().meta("name", "Gö").stream().await?;
    let mut hello = [0; "hello Gö\n".len()];
    stream.read_exact(&mut hello).await.expect("a greeting");
    assert_eq!(hello, "hello Gö\n".as_bytes());
    stream.write_all(&[7; 10_000]).await.expect("written");
    stream.shutdown().await.expect("the end");
    let mut back = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut back)).await.expect("in time");
    read.expect("all of it");
    assert_eq!(back, [7; 10_000]);
    let status = client.transfer().meta("refuse", "yes").stream().await.map(drop);
    assert_eq!(status.expect_err("refused").text(), "server refused the connection");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reflection_goes_both_ways() -> Result<()> {
    let go = GoServer::of(&program(), &["-reflect"], "rpcx");
    let running = Running::start(services::all(1).reflection()).await;
    for (url, service) in [(&go.url, "type Arith struct"), (&running.url, "type Arith struct")] {
        let client = Client::connect(url).await?;
        for format in [Format::Json, Format::MsgPack] {
            let ask = |method: &str, name: &str| {
                let (name, method) = (name.to_owned(), format!("Reflection.{method}"));
                client.call_as::<String, String>(method, name).format(format)
            };
            let told = ask("GetService", "Arith").await?;
            assert!(told.contains(service) && !told.contains("Hello"), "{told}");
            for part in ["Mul(ctx context.Context", "type Args struct", "reply *Quotient"] {
                assert!(told.contains(part), "{part}: {told}");
            }
            let told = ask("GetServices", "").await?;
            assert!(told.contains(service) && told.contains("SayHello("), "{told}");
            let status = ask("GetService", "Nobody").await.expect_err("unknown");
            assert_eq!(status.text(), "not found service Nobody");
        }
    }
    // Go reads ours.
    let address = running.url.trim_start_matches("rpcx://");
    let flags = ["-timeout", "50s", "-case", "reflection"];
    calls("rpcx-peer", address, "-addr", &flags, &[], 1).await;
    // And without it there is nothing to read.
    let silent = Running::start(services::all(1)).await;
    let client = Client::connect(&silent.url).await?;
    let status = client.call_as::<String, String>("Reflection.GetServices", String::new()).await;
    assert_eq!(status.expect_err("off").code(), Code::Unimplemented);
    Ok(())
}

/// Go's pooled clients go on calling while servers behind one port leave one after the other: each
/// drains while its successor already listens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_drain_loses_no_call_of_gos() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.set_nonblocking(true).expect("a socket");
    let address = socket.local_addr().expect("an address").to_string();
    let serve = || {
        let listener = tokio::net::TcpListener::from_std(socket.try_clone().expect("a copy"));
        let server = services::all(1).serve_listener(listener.expect("a listener"));
        let bound = server.expect("a server");
        let handle = bound.shutdown_handle();
        (handle, tokio::spawn(bound.run()))
    };
    let mut serving = serve();
    let mut go = Command::new(program());
    go.args(["roll", "-addr", &address]).kill_on_drop(true);
    go.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = go.spawn().expect("the client");
    let mut said = tokio::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    let heard = tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line);
    timeout(SOON, heard).await.expect("in time").expect("a line");
    assert_eq!(line.trim(), "calling");
    for _ in 0..5 {
        let next = serve();
        let (handle, run) = std::mem::replace(&mut serving, next);
        handle.shutdown();
        timeout(SOON, run).await.expect("in time").expect("no panic").expect("drained");
    }
    drop(child.stdin.take());
    let mut rest = String::new();
    timeout(SOON, said.read_to_string(&mut rest)).await.expect("in time").expect("a report");
    println!("{rest}");
    let status = timeout(SOON, child.wait()).await.expect("in time").expect("it ran");
    assert!(status.success(), "{rest}");
}
