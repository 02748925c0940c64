//! The cells in which the real rpcx calls us.

use super::{
    Feature,
    place::{Carrier, Place, Reached, text},
};
use crate::{
    go_peer::{calls, program},
    own,
};
use farcall::{
    Bound, Cx, Files, Limits, Result, Server, ShutdownHandle, Side, SideCall, Status, Token,
};
use farcall_cli::services;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    task::JoinHandle,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(60);

/// A server of ours behind a carrier, and what Go does with it.
pub(super) struct Theirs<'a> {
    place: &'a Place,
    carrier: Carrier,
    /// Has everything but what needs a server of its own.
    all: Reached,
    files: PathBuf,
}

impl<'a> Theirs<'a> {
    pub(super) async fn start(place: &'a Place, carrier: Carrier) -> Result<Theirs<'a>> {
        let files = place.fresh("files");
        std::fs::create_dir(&files).expect("a folder");
        let server = with_sides(own::server().reflection(), &files).await?;
        let all = place.ours(carrier, server).await?;
        Ok(Theirs { place, carrier, all, files })
    }

    /// Groups of the peer's cases, and how many there are at least.
    fn cases(feature: Feature) -> &'static [(&'static str, usize)] {
        match feature {
            Feature::Codecs => &[
                ("mul,mul-zero,mul-range,divide,multiply", 22),
                ("echo581,echo-long,empty-struct", 16),
                ("hello,kinds", 27),
            ],
            Feature::OwnCodec => &[("codec", 3)],
            Feature::Oneway => &[("oneway", 3)],
            Feature::Heartbeats => &[("heartbeat", 1)],
            Feature::Metadata => &[("meta", 6)],
            Feature::Errors => &[("error", 18)],
            Feature::Push => &[("push", 3)],
            Feature::SendRaw => &[("sendraw", 3)],
            Feature::Handlers => &[("handler,alias", 5)],
            Feature::Auth => &[("auth", 5)],
            Feature::Deadlines => &[("deadline,timeout", 6)],
            Feature::Bodies => &[("bytes", 36)],
            Feature::Crowds => &[("concurrent,many-connections", 4)],
            Feature::Drain => &[],
            Feature::Reflection => &[("reflection", 1)],
            Feature::Files => &[("files", 9)],
            Feature::Streams => &[("stream", 2)],
            Feature::Frames => &[("raw", 12)],
            Feature::Gateway => &[("http", 16)],
        }
    }

    pub(super) async fn run(&self, feature: Feature) -> Result<()> {
        let cases = Theirs::cases(feature);
        match feature {
            Feature::Auth => {
                let server = services::all(1).auth(Token::new("letmein"));
                let strict = self.place.ours(self.carrier, server).await?;
                run_on(&strict, cases).await;
            }
            Feature::Drain => roll(self.place, self.carrier).await,
            Feature::Files => {
                run_on(&self.all, cases).await;
                // What Go was refused has left nothing behind, and what it sent is whole.
                let sizes = [0, 1, 1024, 1025, 100_000, 5 << 20];
                for size in sizes {
                    let sent = self.files.join(format!("go-{size}.bin"));
                    assert_eq!(std::fs::metadata(sent).expect("it").len(), size);
                }
                let there = std::fs::read_dir(&self.files).expect("the folder").count();
                assert_eq!(there, sizes.len() + 1);
            }
            _ => run_on(&self.all, cases).await,
        }
        Ok(())
    }
}

async fn run_on(server: &Reached, cases: &[(&str, usize)]) {
    for (group, at_least) in cases {
        let mut flags: Vec<&str> = server.flags.iter().map(String::as_str).collect();
        flags.extend(["-timeout", "100s", "-case", group]);
        calls("rpcx-peer", &server.address, "-addr", &flags, &[], *at_least).await;
    }
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

async fn with_sides(server: Server, folder: &Path) -> Result<Server> {
    let side = Side::listen("tcp://127.0.0.1:0", &Limits::default()).await?;
    let files = Files::of(folder)?.take_up_to(1 << 30);
    Ok(server.files(&side, files).side_streams(&side, accept, echo))
}

/// Where servers of ours follow each other.
enum Spot {
    Port(std::net::TcpListener),
    Socket(PathBuf),
}

impl Spot {
    fn new(place: &Place, carrier: Carrier) -> Spot {
        if carrier == Carrier::Unix {
            return Spot::Socket(place.fresh("roll"));
        }
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a socket");
        Spot::Port(socket)
    }

    fn address(&self) -> String {
        match self {
            Spot::Port(socket) => socket.local_addr().expect("an address").to_string(),
            Spot::Socket(path) => text(path).to_owned(),
        }
    }

    /// The next server; the one before still listens.
    async fn serve(
        &self,
        place: &Place,
        carrier: Carrier,
    ) -> (ShutdownHandle, JoinHandle<Result<()>>) {
        let server = services::all(1);
        let server = if carrier == Carrier::Tls { server.tls(place.tls()) } else { server };
        let bound: Bound = match self {
            Spot::Port(socket) => {
                let listener = socket.try_clone().expect("a copy");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                server.serve_listener(listener).expect("a server")
            }
            Spot::Socket(path) => {
                // A name that is replaced is never missing.
                let fresh = place.fresh("sock");
                let bound = server.listen(format!("unix://{}", text(&fresh))).await;
                std::fs::rename(fresh, path).expect("the socket's place");
                bound.expect("a server")
            }
        };
        let handle = bound.shutdown_handle();
        (handle, tokio::spawn(bound.run()))
    }
}

/// Go's pooled clients go on calling while servers at one address leave one after the other: each
/// drains while its successor already listens.
async fn roll(place: &Place, carrier: Carrier) {
    let spot = Spot::new(place, carrier);
    let mut serving = spot.serve(place, carrier).await;
    let mut go = Command::new(program());
    go.args(["roll", "-addr", &spot.address()]).args(place.flags(carrier)).kill_on_drop(true);
    go.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = go.spawn().expect("the client");
    let mut said = tokio::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    let heard = tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line);
    timeout(SOON, heard).await.expect("in time").expect("a line");
    assert_eq!(line.trim(), "calling");
    for _ in 0..5 {
        let next = spot.serve(place, carrier).await;
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
