//! Listeners: accept, count, hand over; back off when the system refuses.

use super::{Shared, conns::Refused, cores::Cores};
use crate::net::{self, MemoryListener, Stream, Tcp};
use farcall_core::Limits;
use farcall_wire::sniff::Spoken;
use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

/// The first pause after accepting failed; each further failure in a row doubles it up to the last,
/// which is short enough for accepting to go on within a second.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// Failures are told this far apart, however many there are and on however many listeners.
const TOLD_APART: Duration = Duration::from_secs(1);

/// A listener, and what is known of it.
pub(super) struct Door {
    pub(super) listener: Listener,
    /// What is spoken there.
    pub(super) spoken: Spoken,
    /// It was passed to this process: another may have it too, and what waits in its queue when
    /// this one leaves is not lost.
    pub(super) inherited: bool,
}

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
            Listener::Unix(listener) => {
                let path = listener.path().display().to_string();
                write!(f, "unix://{}", path.replace('%', "%25").replace('?', "%3F"))
            }
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
    /// The next connection.
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Listener::Tcp(listener) => Accepted::Tcp(listener.accept().await?.0),
            #[cfg(feature = "tls")]
            Listener::Tls(listener, tls) => Accepted::Tls(listener.accept().await?.0, tls.clone()),
            #[cfg(unix)]
            Listener::Unix(listener) => Accepted::Unix(listener.accept().await?),
            Listener::Memory(listener) => {
                Accepted::Memory(poll_fn(|cx| listener.poll_accept(cx)).await)
            }
        })
    }
}

/// A connection that was accepted.
enum Accepted {
    Tcp(tokio::net::TcpStream),
    #[cfg(feature = "tls")]
    Tls(tokio::net::TcpStream, net::tls::TlsHandle),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    Memory(Stream),
}

/// Takes a connection to the runtime that it is called on.
type Moved = Box<dyn FnOnce() -> io::Result<Accepted> + Send>;

impl Accepted {
    /// The connection; none if it was lost while it was accepted.
    fn stream(self, limits: &Limits, settings: &Tcp) -> Option<Stream> {
        let _ = limits; // for those transports that shake hands
        match self {
            Accepted::Tcp(socket) => net::adopt(socket, settings).ok(),
            #[cfg(feature = "tls")]
            Accepted::Tls(socket, tls) => tls.over(net::adopt(socket, settings).ok()?, limits),
            #[cfg(unix)]
            Accepted::Unix(socket) => Some(net::adopt_unix(socket, None)),
            Accepted::Memory(stream) => Some(stream),
        }
    }

    /// Lets the system ask after it at a time of its own. What fails here is the peer's to notice.
    fn spread(&self, settings: &Tcp) {
        let _ = match self {
            Accepted::Tcp(socket) => settings.spread(socket.into()),
            #[cfg(feature = "tls")]
            Accepted::Tls(socket, _) => settings.spread(socket.into()),
            #[cfg(unix)]
            Accepted::Unix(_) => Ok(()),
            Accepted::Memory(_) => Ok(()),
        };
    }

    /// Takes the connection off the runtime that it was accepted on.
    fn depart(self) -> io::Result<Moved> {
        Ok(match self {
            Accepted::Tcp(socket) => {
                let socket = socket.into_std()?;
                Box::new(move || tokio::net::TcpStream::from_std(socket).map(Accepted::Tcp))
            }
            #[cfg(feature = "tls")]
            Accepted::Tls(socket, tls) => {
                let socket = socket.into_std()?;
                Box::new(move || Ok(Accepted::Tls(tokio::net::TcpStream::from_std(socket)?, tls)))
            }
            #[cfg(unix)]
            Accepted::Unix(socket) => {
                let socket = socket.into_std()?;
                Box::new(move || tokio::net::UnixStream::from_std(socket).map(Accepted::Unix))
            }
            Accepted::Memory(stream) => Box::new(move || Ok(Accepted::Memory(stream))),
        })
    }
}

/// What was told of failures: when, and how many there were since.
#[derive(Default)]
struct Told(Mutex<(Option<Instant>, u64)>);

impl Told {
    /// One more failure; told unless another was, a moment ago.
    #[cold]
    fn failed(&self, error: &io::Error, pause: Duration) {
        let (at, untold) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if at.is_some_and(|at| at.elapsed() < TOLD_APART) {
            *untold += 1;
            return;
        }
        let (pause_ms, more) = (pause.as_millis() as u64, std::mem::take(untold));
        *at = Some(Instant::now());
        tracing::error!(%error, pause_ms, more, "accepting failed");
    }
}

/// Accepts on all listeners until it is told to stop.
pub(super) async fn accept(doors: Vec<Door>, hall: Hall, closing: watch::Receiver<bool>) {
    let (mut loops, told) = (JoinSet::new(), Arc::<Told>::default());
    for door in doors {
        loops.spawn(accept_on(door, hall.clone(), Arc::clone(&told), closing.clone()));
    }
    while loops.join_next().await.is_some() {}
}

async fn accept_on(door: Door, hall: Hall, told: Arc<Told>, mut closing: watch::Receiver<bool>) {
    let mut pause = BACK_OFF.0;
    loop {
        let accepted = tokio::select! {
            accepted = door.listener.accept() => accepted,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        match accepted {
            Ok(accepted) => {
                pause = BACK_OFF.0;
                hall.receive(accepted, door.spoken);
            }
            // A peer that left between connecting and being accepted is no reason to pause.
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                told.failed(&error, pause);
                if no_descriptors(&error) && hall.shared.let_one_go() {
                    // It takes a moment until that descriptor is free.
                    pause = BACK_OFF.0;
                }
                tokio::select! {
                    () = sleep(pause) => {}
                    _ = closing.wait_for(|closing| *closing) => break,
                }
                pause = (pause * 2).min(BACK_OFF.1);
            }
        }
    }
    // Who waits in the queue of a listener that closes would be reset. They have connected: they
    // are served, as far as there is time. Others find the queue of an inherited one.
    if !door.inherited {
        for _ in 0..hall.shared.limits.connections {
            match at_once(door.listener.accept()).await {
                Some(Ok(accepted)) => hall.receive(accepted, door.spoken),
                Some(Err(error)) if is_peers(&error) => {}
                Some(Err(_)) | None => break,
            }
        }
    }
}

/// Where connections come in, and from where they go to their runtimes.
#[derive(Clone)]
pub(super) struct Hall {
    pub(super) shared: Arc<Shared>,
    /// None: they stay on this one.
    pub(super) cores: Option<Arc<Cores>>,
}

impl Hall {
    fn receive(&self, accepted: Accepted, spoken: Spoken) {
        let shared = Arc::clone(&self.shared);
        let Some(cores) = &self.cores else {
            if let Some(conn) = let_in(accepted, spoken, &shared) {
                tokio::spawn(conn);
            }
            return;
        };
        // A socket that cannot change its runtime was lost, like one that cannot be set.
        let Ok(moved) = accepted.depart() else { return };
        cores.deal(|arriving| async move {
            let conn = moved().ok().and_then(|accepted| let_in(accepted, spoken, &shared));
            drop(arriving);
            if let Some(conn) = conn {
                conn.await;
            }
        });
    }
}

/// The connection's task, if it is let in.
fn let_in(
    accepted: Accepted,
    spoken: Spoken,
    shared: &Arc<Shared>,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    accepted.spread(&shared.tcp);
    let stream = accepted.stream(&shared.limits, &shared.tcp)?;
    let peer = stream.peer.clone();
    match shared.admit(stream, spoken) {
        Ok(conn) => return Some(conn),
        Err(Refused::Plugin(status)) => {
            tracing::info!(%peer, why = %status, "connection refused");
        }
        Err(Refused::Full) => tracing::warn!(%peer, "connection refused (Limits::connections)"),
        Err(Refused::Leaving) => {}
    }
    None
}

/// What is there without waiting.
async fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(tokio::task::coop::unconstrained(future));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Whether this process, or the system, has no descriptor for one more connection.
fn no_descriptors(error: &io::Error) -> bool {
    // ENFILE and EMFILE, which have these numbers on every Unix.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

/// SIGINT and SIGTERM, from the moment this was made.
#[cfg(unix)]
pub(super) struct Signals(Option<[tokio::signal::unix::Signal; 2]>);

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> Signals {
        use tokio::signal::unix::{SignalKind, signal};
        let both = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        Signals(match both {
            (Ok(interrupt), Ok(terminate)) => Some([interrupt, terminate]),
            _ => None,
        })
    }

    /// None will come.
    pub(super) fn none() -> Signals {
        Signals(None)
    }

    /// Waits for the next; for ever where signals cannot be had.
    pub(super) async fn next(&mut self) {
        let Some([interrupt, terminate]) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Ctrl-C, if it is to be heard.
#[cfg(not(unix))]
pub(super) struct Signals(bool);

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> Signals {
        Signals(true)
    }

    /// None will come.
    pub(super) fn none() -> Signals {
        Signals(false)
    }

    /// Waits for the next; for ever where it cannot be had.
    pub(super) async fn next(&mut self) {
        if !self.0 || tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
