//! The server's end: calls that give tokens, and the bytes that follow.

use super::{
    CHUNK, KEPT, STREAMS, Side,
    files::{Coming, Files, Root},
    host::{Ending, Host, until},
    tokens::Start,
    words::{Asked, Given},
};
use crate::server::{Cx, Finding, Server};
use bytes::Bytes;
use farcall_core::{Limits, Status, Value};
use std::{fs::File, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch::Receiver,
    task::spawn_blocking,
    time::timeout,
};

/// Who asked for a stream, and with which words.
#[derive(Clone, Debug)]
pub struct SideCall {
    meta: Vec<(String, String)>,
    peer: Option<SocketAddr>,
    ending: Option<Receiver<Ending>>,
}

impl SideCall {
    /// What the caller says of the stream, by its key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.meta.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// All of it.
    pub fn meta(&self) -> &[(String, String)] {
        &self.meta
    }

    /// The other end of the connection, once there is one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Waits until the server was told to end. A stream has `Limits::drain_time` from then on; then
    /// its future is dropped. Never ready before there is a connection.
    pub async fn leaving(&self) {
        match &self.ending {
            Some(ending) => until(ending.clone(), Ending::Leaving).await,
            None => std::future::pending().await,
        }
    }
}

impl Server {
    /// Gives and takes files as rpcx's file transfer does (`EnableFileTransfer`): methods of
    /// `_filetransfer` that give tokens for connections to `side`. These calls pass the gate as all
    /// others; connections need their token, which is good for one use.
    ///
    /// A file is kept if exactly as many bytes came as were declared. `Limits` are those that
    /// `side` was given.
    #[must_use]
    pub fn files(self, side: &Side, files: Files) -> Server {
        let mut server = self.shows_side(side);
        let host = Arc::clone(server.host());
        side.join(&host);
        let takes = (side.clone(), host, files.clone());
        let gives = takes.clone();
        if files.takes {
            server = server.handle(&files.service, "TransferFile", move |cx, body| {
                answer(takes.clone(), cx, body, take)
            });
        }
        if files.gives {
            server = server.handle(&files.service, "DownloadFile", move |cx, body| {
                answer(gives.clone(), cx, body, give)
            });
        }
        server
    }

    /// Takes streams of bytes as rpcx's stream service does (`EnableStreamService`): a method
    /// `_streamservice.Stream` that gives tokens for connections to `side`. `accept` says who may
    /// have one, and `run` is given the connection behind the token; both ends have it as it is.
    /// A server that ends waits for `run`, and drops its future after `Limits::drain_time`.
    #[must_use]
    pub fn side_streams<A, F, Fut>(self, side: &Side, accept: A, run: F) -> Server
    where
        A: Fn(&Cx, &SideCall) -> Result<(), Status> + Send + Sync + 'static,
        F: Fn(TcpStream, SideCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let server = self.shows_side(side);
        let host = Arc::clone(server.host());
        side.join(&host);
        let (side, both) = (side.clone(), Arc::new((accept, run)));
        server.handle(STREAMS, "Stream", move |cx: Arc<Cx>, body| {
            let (side, host, both) = (side.clone(), Arc::clone(&host), Arc::clone(&both));
            async move {
                let asked = read(&cx, &body)?;
                let mut call = SideCall { meta: asked.meta, peer: None, ending: None };
                (both.0)(&cx, &call)?;
                let start: Start = Box::new(move |stream, ending| {
                    Box::pin(async move {
                        call.peer = stream.peer_addr().ok();
                        call.ending = Some(ending.clone());
                        tokio::select! {
                            () = (both.1)(stream, call) => {}
                            () = until(ending, Ending::Cut) => {
                                tracing::warn!("a stream was cut (Limits::drain_time)");
                            }
                        }
                    })
                });
                let token = side.give(&host, start)?;
                let address = side.address().to_owned();
                let given = Given { token, address, size: None, confirms: false };
                cx.encode(&given.write(cx.format()))
            }
        })
    }
}

impl Server {
    /// What a review should know of these connections: they are not encrypted, whatever the calls
    /// are.
    fn shows_side(self, side: &Side) -> Server {
        let local = side.local_addr();
        if local.ip().to_canonical().is_loopback() {
            return self;
        }
        self.finding(Finding::new(
            "side-in-the-open",
            format!(
                "files and streams go to {local} without encryption, whatever the calls go over: \
                 they can be read and changed on their way"
            ),
            "let Side::listen (farcall serve --files-listen) have an address of a network that is \
             trusted, or send what must be kept as arguments",
        ))
    }
}

fn read(cx: &Cx, body: &Bytes) -> Result<Asked, Status> {
    Asked::read(&cx.decode::<Value>(body)?)
}

/// Looks at what a call asks for, and gives a token.
type Prepare = fn(&Side, &Arc<Host>, &Arc<Root>, &Asked) -> Result<Given, Status>;

/// A call for a token; what it is for is looked at where blocking is no harm.
async fn answer(
    (side, host, files): (Side, Arc<Host>, Files),
    cx: Arc<Cx>,
    body: Bytes,
    prepare: Prepare,
) -> Result<Bytes, Status> {
    let asked = read(&cx, &body)?;
    let given = spawn_blocking(move || prepare(&side, &host, &files.root, &asked)).await;
    let given = given.map_err(|_| Status::internal("the file could not be looked at"))??;
    cx.encode(&given.write(cx.format()))
}

fn give(side: &Side, host: &Arc<Host>, root: &Arc<Root>, asked: &Asked) -> Result<Given, Status> {
    let (file, size) = root.open(&asked.name)?;
    let stall = side.limits().write_stall;
    let start: Start = Box::new(move |mut stream, ending| {
        Box::pin(async move {
            let sent = or_cut(send(&mut stream, file, size, stall), ending).await;
            if let Err(error) = sent {
                reset(&stream);
                tracing::info!(%error, "a file was not fetched to its end");
            }
        })
    });
    let (token, address) = (side.give(host, start)?, side.address().to_owned());
    Ok(Given { token, address, size: Some(size), confirms: false })
}

fn take(side: &Side, host: &Arc<Host>, root: &Arc<Root>, asked: &Asked) -> Result<Given, Status> {
    let Limits { write_stall: stall, file_bytes, .. } = *side.limits();
    side.sweep();
    let coming = root.reserve(asked, file_bytes)?;
    let start: Start = Box::new(move |mut stream, ending| {
        Box::pin(async move {
            let shown = format!("{coming:?}");
            let received = or_cut(receive(&mut stream, coming, stall), ending).await;
            if let Err(error) = received {
                reset(&stream);
                tracing::info!(file = shown, %error, "a file did not come");
            }
        })
    });
    let (token, address) = (side.give(host, start)?, side.address().to_owned());
    Ok(Given { token, address, size: None, confirms: true })
}

/// A transfer, until the server cuts it.
async fn or_cut(
    transfer: impl Future<Output = io::Result<()>>,
    ending: Receiver<Ending>,
) -> io::Result<()> {
    tokio::select! {
        ended = transfer => ended,
        () = until(ending, Ending::Cut) => {
            Err(io::Error::other("the server has ended (Limits::drain_time)"))
        }
    }
}

/// The bytes of a file, exactly as many as were promised. Who calls this resets the connection
/// after an error, because its end is all that tells Go's client that the file is complete.
async fn send(to: &mut TcpStream, file: File, size: u64, stall: Duration) -> io::Result<()> {
    pour(to, file, size, stall).await?;
    to.shutdown().await?;
    // What was sent is read before it is closed, or a reset may overtake it.
    let mut rest = [0; 64];
    let _ = timeout(stall, to.read(&mut rest)).await;
    Ok(())
}

async fn pour(to: &mut TcpStream, file: File, size: u64, stall: Duration) -> io::Result<()> {
    let (mut file, mut left) = (tokio::fs::File::from_std(file), size);
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let most = chunk.len().min(usize::try_from(left).unwrap_or(CHUNK));
        let read = file.read(&mut chunk[..most]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        timeout(stall, to.write_all(&chunk[..read])).await??;
        left -= read as u64;
    }
    Ok(())
}

/// Takes what was declared, not a byte more or less, and keeps it. The connection is reset after an
/// error, as above.
async fn receive(from: &mut TcpStream, mut coming: Coming, stall: Duration) -> io::Result<()> {
    let begun = spawn_blocking(move || coming.begin().map(|file| (coming, file)));
    let (mut coming, file) = begun.await.map_err(io::Error::other)??;
    let mut file = tokio::fs::File::from_std(file);
    let (mut left, mut chunk) = (coming.size, vec![0; CHUNK]);
    loop {
        // One byte more than is wanted, so that too many are noticed.
        let most = chunk.len().min(usize::try_from(left).unwrap_or(CHUNK).saturating_add(1));
        let read = timeout(stall, from.read(&mut chunk[..most])).await??;
        if read as u64 > left {
            return Err(io::Error::other("more bytes came than were declared"));
        }
        if read == 0 {
            break;
        }
        file.write_all(&chunk[..read]).await?;
        left -= read as u64;
    }
    if left > 0 {
        return Err(io::Error::other("fewer bytes came than were declared"));
    }
    file.flush().await?;
    let file = file.into_std().await;
    spawn_blocking(move || coming.keep(&file)).await.map_err(io::Error::other)??;
    // Go's clients do not wait for it.
    let _ = timeout(stall, from.write_all(&[KEPT])).await;
    Ok(())
}

/// Lets the other end see that this is no good end.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
