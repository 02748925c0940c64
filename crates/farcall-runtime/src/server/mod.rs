//! The server: build it, add services, listen, run.

mod accept;
mod cx;
mod method;
mod reply;
mod router;

pub(crate) use cx::ConnInfo;
pub use cx::Cx;
pub(crate) use method::Running;
pub use method::{MethodInfo, Methods, Service, block_on};
pub(crate) use reply::{Reply, Rules};

use crate::{
    conn::{Close, Conn, Late, Stop},
    limits::sane,
    net::{self, Stream, Tcp},
    target::Listen,
};
use accept::Listener;
use farcall_core::{Limits, Status};
use farcall_wire::{Protocol, sniff};
use router::{Entry, Router};
use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

/// A server that is being built.
///
/// Every protocol is on unless [`speak`](Server::speak) names fewer. Errors of building (two
/// methods of one name, an unknown protocol) come out of [`listen`](Server::listen).
#[derive(Default)]
pub struct Server {
    entries: Vec<Entry>,
    limits: Limits,
    protocols: Option<Vec<String>>,
    spawn: bool,
    listed: bool,
    tcp: Tcp,
    #[cfg(feature = "tls")]
    tls: Option<net::tls::Tls>,
}

impl Server {
    /// A server without services.
    pub fn new() -> Server {
        Server::default()
    }

    /// Adds a service.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "nobody adds a service to a server with `+`")]
    pub fn add(mut self, service: impl Service) -> Server {
        let mut methods = Methods { service: service.name().to_owned(), entries: Vec::new() };
        service.register(&mut methods);
        self.entries.append(&mut methods.entries);
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Server {
        self.limits = limits;
        self
    }

    /// Speaks only these protocols.
    #[must_use]
    pub fn speak<N: Into<String>>(mut self, protocols: impl IntoIterator<Item = N>) -> Server {
        self.protocols = Some(protocols.into_iter().map(Into::into).collect());
        self
    }

    /// Makes every handler a task from the start, instead of polling it first where the bytes
    /// arrived: for code that computes long or blocks.
    #[must_use]
    pub fn spawn_handlers(mut self) -> Server {
        self.spawn = true;
        self
    }

    /// Lets peers read the names of all services and methods: `GET /` lists them, with a curl line
    /// each. Off unless it is asked for.
    #[must_use]
    pub fn list_services(mut self) -> Server {
        self.listed = true;
        self
    }

    /// Sets what is asked of TCP sockets.
    #[must_use]
    pub fn tcp(mut self, settings: Tcp) -> Server {
        self.tcp = settings;
        self
    }

    /// Speaks TLS, and nothing else, on every TCP listener of this server; protocols are told apart
    /// inside of it. Unix sockets, `mem://` and streams of the caller's stay as they are.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: net::tls::Tls) -> Server {
        self.tls = Some(tls);
        self
    }

    /// Binds an address: `tcp://HOST:PORT` (port 0 takes a free one), `tls://HOST:PORT` (the same,
    /// and an error where the server has no certificate), `unix:///PATH` or `mem://NAME`.
    ///
    /// A socket file gets its permissions from the process's umask: it is the folder that should
    /// say who may connect. The file goes with its listener; one that was left behind, so that
    /// nobody listens on it, is replaced.
    pub async fn listen(self, url: impl AsRef<str>) -> Result<Bound, Status> {
        Bound::new(self.freeze()?).listen(url).await
    }

    /// Serves a listener that was bound elsewhere.
    pub fn serve_listener(self, listener: tokio::net::TcpListener) -> Result<Bound, Status> {
        Bound::new(self.freeze()?).serve_listener(listener)
    }

    /// Serves one connection on a stream of the caller's, until it ends.
    pub async fn serve_stream<T>(self, io: T) -> Result<(), Status>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        let shared = self.freeze()?;
        if let Some(conn) = shared.admit(net::wrap(io)) {
            conn.await;
        }
        Ok(())
    }

    /// Serves in this process, without a port: `ArithClient::over(server.memory())`.
    ///
    /// # Panics
    /// When two methods have one name, or [`speak`](Server::speak) named a protocol that is not
    /// built: [`listen`](Server::listen) reports the same as an error.
    pub fn memory(self) -> Memory {
        match self.freeze() {
            Ok(shared) => Memory { shared },
            Err(status) => panic!("{status}"),
        }
    }

    fn freeze(self) -> Result<Arc<Shared>, Status> {
        let protocols = match self.protocols {
            None => sniff::PROTOCOLS.to_vec(),
            Some(names) => {
                let named = names.iter().map(|name| {
                    sniff::by_name(name).ok_or_else(|| {
                        Status::invalid_argument(format!("protocol `{name}` is not built"))
                    })
                });
                named.collect::<Result<_, _>>()?
            }
        };
        let limits = sane(self.limits);
        let rules = Rules {
            bounds: limits.bounds(),
            unfolded_bytes: limits.unfolded_bytes,
            message_bytes: limits.message_bytes,
            meta_bytes: limits.meta_bytes,
        };
        #[cfg(feature = "tls")]
        let tls = self.tls.map(net::tls::Tls::handle).transpose()?;
        Ok(Arc::new(Shared {
            tcp: self.tcp,
            #[cfg(feature = "tls")]
            tls,
            router: Arc::new(Router::new(self.entries, self.listed)?),
            limits,
            rules,
            protocols,
            spawn: self.spawn,
            away: Arc::default(),
            conns: Mutex::default(),
            held: AtomicUsize::new(0),
        }))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.entries.iter().map(|e| format!("{}.{}", e.service, e.name));
        f.debug_tuple("Server").field(&names.collect::<Vec<_>>()).finish()
    }
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) limits: Limits,
    pub(crate) rules: Rules,
    pub(crate) protocols: Vec<&'static dyn Protocol>,
    pub(crate) spawn: bool,
    tcp: Tcp,
    #[cfg(feature = "tls")]
    tls: Option<net::tls::TlsHandle>,
    /// Handlers that are away from their connections.
    pub(crate) away: Arc<AtomicUsize>,
    conns: Mutex<Conns>,
    /// How often a handler held its worker too long.
    held: AtomicUsize,
}

#[derive(Default)]
struct Conns {
    next: u64,
    open: HashMap<u64, Arc<Late>>,
    draining: bool,
}

impl Shared {
    fn conns(&self) -> MutexGuard<'_, Conns> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Takes a TCP listener, for TLS if the server has a certificate.
    fn listener(&self, listener: tokio::net::TcpListener) -> Listener {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Listener::Tls(listener, tls.clone());
        }
        Listener::Tcp(listener)
    }

    /// The connection's task, or none where the server is full or leaving.
    fn admit(self: &Arc<Self>, stream: Stream) -> Option<impl Future<Output = ()> + Send + use<>> {
        let shared = Arc::clone(self);
        let conn = {
            let mut conns = self.conns();
            if conns.draining || conns.open.len() >= self.limits.connections {
                return None;
            }
            let id = conns.next;
            conns.next += 1;
            let conn = Conn::new(stream, Arc::clone(self));
            conns.open.insert(id, Arc::clone(conn.late()));
            Registered { conn, shared, id }
        };
        Some(async move {
            let mut conn = conn;
            (&mut conn.conn).await;
        })
    }

    /// Tells all connections to finish and to close, or to close now, and lets no more in.
    fn stop(&self, how: Stop) {
        let mut conns = self.conns();
        conns.draining = true;
        let open: Vec<_> = conns.open.values().cloned().collect();
        drop(conns);
        open.into_iter().for_each(|late| late.stop(how));
    }

    /// A connection has ended.
    pub(crate) fn closed(&self, info: &ConnInfo, close: &Close) {
        match close {
            Close::Done => tracing::debug!(peer = %info.peer, "connection closed"),
            close => tracing::info!(peer = %info.peer, why = %close, "connection closed"),
        }
    }

    /// A handler held its worker too long.
    #[cold]
    pub(crate) fn held(&self, entry: &Entry, held: Duration) {
        let count = self.held.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::warn!(
            service = entry.service,
            method = entry.name,
            held_ms = held.as_millis() as u64,
            count,
            "a handler held its worker; #[method(spawn)] or #[method(blocking)] lets others run"
        );
    }
}

/// A connection that takes itself off the list.
struct Registered {
    conn: Conn,
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.conns().open.remove(&self.id);
    }
}

/// A server that is bound and can run.
pub struct Bound {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
    stop: Arc<watch::Sender<bool>>,
}

impl Bound {
    fn new(shared: Arc<Shared>) -> Bound {
        Bound { shared, listeners: Vec::new(), stop: Arc::new(watch::Sender::new(false)) }
    }

    /// Binds one more address.
    pub async fn listen(mut self, url: impl AsRef<str>) -> Result<Bound, Status> {
        let url = url.as_ref();
        let failed = |e: io::Error| {
            Status::unavailable(format!("cannot listen on {url}: {e}"))
                .with_hint("another process may have the address; port 0 takes a free one")
        };
        let listener = match Listen::parse(url)? {
            Listen::Tls(_) if !self.shared.has_tls() => {
                let text = format!("cannot listen on {url}: the server has no certificate");
                return Err(Status::invalid_argument(text)
                    .with_hint("Server::tls gives it one; it takes the cargo feature `tls`"));
            }
            Listen::Tcp(address) | Listen::Tls(address) => self
                .shared
                .listener(net::bind_tcp(&address, &self.shared.tcp).await.map_err(failed)?),
            #[cfg(unix)]
            Listen::Unix(path) => {
                let backlog = self.shared.tcp.backlog;
                Listener::Unix(net::UnixListener::bind(&path, backlog).map_err(failed)?)
            }
            #[cfg(not(unix))]
            Listen::Unix(_) => return Err(failed(io::ErrorKind::Unsupported.into())),
            Listen::Memory(name) => {
                Listener::Memory(net::MemoryListener::bind(&name).map_err(failed)?)
            }
        };
        self.listeners.push(listener);
        Ok(self)
    }

    /// Serves one more listener that was bound elsewhere.
    pub fn serve_listener(mut self, listener: tokio::net::TcpListener) -> Result<Bound, Status> {
        let listener = self.shared.listener(listener);
        self.listeners.push(listener);
        Ok(self)
    }

    /// Reads the certificates anew when told to; none where the server has none. They are also
    /// looked at by themselves, see [`Tls::files`](crate::Tls::files).
    #[cfg(feature = "tls")]
    pub fn tls_handle(&self) -> Option<net::tls::TlsHandle> {
        self.shared.tls.clone()
    }

    /// The bound addresses, as URLs to listen on: `tcp://127.0.0.1:8972`.
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(|l| l.to_string()).collect()
    }

    /// Stops the server from elsewhere.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.stop))
    }

    /// Serves until SIGINT, SIGTERM or [`ShutdownHandle::shutdown`]; then stops accepting, lets
    /// running calls finish for at most `Limits::drain_time`, cuts what is left, and returns.
    pub async fn run(self) -> Result<(), Status> {
        let mut stopped = self.stop.subscribe();
        // Dropping the set stops accepting, also when this future is dropped.
        let leave = Leave(&self.shared);
        let mut accepting = tokio::task::JoinSet::new();
        accepting.spawn(accept::accept(self.listeners, Arc::clone(&self.shared)));
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            () = accept::signalled() => {}
        }
        drop(accepting);
        drop(leave);
        let drained = async {
            while !self.shared.conns().open.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(self.shared.limits.drain_time, drained).await {
            Ok(()) => Ok(()),
            Err(_) => {
                let busy = self.shared.conns().open.len();
                self.shared.stop(Stop::Cut);
                Err(Status::deadline_exceeded(format!(
                    "{busy} connections were still busy after Limits::drain_time"
                )))
            }
        }
    }
}

/// Tells the connections to finish when the server ends, also when its future is dropped.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.stop(Stop::Drain);
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.addresses()).finish()
    }
}

/// Stops a server from elsewhere.
#[derive(Clone, Debug)]
pub struct ShutdownHandle(Arc<watch::Sender<bool>>);

impl ShutdownHandle {
    /// Tells [`Bound::run`] to drain and return. More calls change nothing.
    pub fn shutdown(&self) {
        self.0.send_replace(true);
    }
}

/// A server in this process, reached without a port; give it to a client's `over`.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
}

impl Memory {
    /// A new connection to the server; its task runs on the current tokio runtime.
    pub(crate) fn dial(&self) -> io::Result<Stream> {
        let (ours, theirs) = net::pair();
        match self.shared.admit(theirs) {
            Some(conn) => drop(tokio::spawn(conn)),
            None => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
        Ok(ours)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}
