//! Listeners: accept, count, hand over; back off when the system refuses.

use super::{Shared, conns::Refused};
use crate::net::{self, MemoryListener, Stream};
use farcall_core::Limits;
use farcall_wire::sniff::Spoken;
use std::{fmt, future::poll_fn, io, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// The first pause after accepting failed; each further failure in a row doubles it up to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Something that accepts connections.
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener),
    #[cfg(feature = "tls")]
    Tls(tokio::net::TcpListener, net::tls::TlsHandle),
    #[cfg(unix)]
    Unix(net::UnixListener),
    Memory(MemoryListener),
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listener::Tcp(listener) => write_address(f, "tcp", listener),
            #[cfg(feature = "tls")]
            Listener::Tls(listener, _) => write_address(f, "tls", listener),
            #[cfg(unix)]
            Listener::Unix(listener) => write!(f, "unix://{}", listener.path().display()),
            Listener::Memory(listener) => write!(f, "mem://{}", listener.name()),
        }
    }
}

fn write_address(
    f: &mut fmt::Formatter<'_>,
    scheme: &str,
    listener: &tokio::net::TcpListener,
) -> fmt::Result {
    match listener.local_addr() {
        Ok(address) => write!(f, "{scheme}://{address}"),
        Err(error) => write!(f, "{scheme}://? ({error})"),
    }
}

impl Listener {
    /// The next connection; none if it was lost while it was accepted.
    async fn accept(&self, limits: &Limits) -> io::Result<Option<Stream>> {
        let _ = limits; // for those transports that shake hands
        match self {
            #[cfg(feature = "tls")]
            Listener::Tls(listener, tls) => {
                let stream = net::adopt(listener.accept().await?.0).ok();
                Ok(stream.and_then(|stream| tls.over(stream, limits)))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => listener.accept().await.map(Some),
            Listener::Tcp(listener) => Ok(net::adopt(listener.accept().await?.0).ok()),
            Listener::Memory(listener) => Ok(Some(poll_fn(|cx| listener.poll_accept(cx)).await)),
        }
    }
}

/// Accepts on all listeners, for ever.
pub(super) async fn accept(listeners: Vec<(Listener, Spoken)>, shared: Arc<Shared>) {
    let mut loops = JoinSet::new();
    for (listener, spoken) in listeners {
        loops.spawn(accept_on(listener, spoken, Arc::clone(&shared)));
    }
    while loops.join_next().await.is_some() {}
}

async fn accept_on(listener: Listener, spoken: Spoken, shared: Arc<Shared>) {
    let mut pause = BACK_OFF.0;
    loop {
        match listener.accept(&shared.limits).await {
            Ok(None) => {}
            Ok(Some(stream)) => {
                pause = BACK_OFF.0;
                let peer = stream.peer.clone();
                match shared.admit(stream, spoken) {
                    Ok(conn) => drop(tokio::spawn(conn)),
                    Err(Refused::Plugin(status)) => {
                        tracing::info!(%peer, why = %status, "connection refused");
                    }
                    Err(Refused::Full) => {
                        tracing::warn!(%peer, "connection refused (Limits::connections)");
                    }
                    Err(Refused::Leaving) => {}
                }
            }
            // A peer that left between connecting and being accepted is no reason to pause.
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                tracing::error!(%error, pause_ms = pause.as_millis() as u64, "accepting failed");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACK_OFF.1);
            }
        }
    }
}

fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

/// Waits for SIGINT or SIGTERM; for ever where signals cannot be had.
#[cfg(unix)]
pub(super) async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Waits for Ctrl-C; for ever where it cannot be had.
#[cfg(not(unix))]
pub(super) async fn signalled() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
