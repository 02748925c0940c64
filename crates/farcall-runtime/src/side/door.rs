//! The listener: every connection brings its token in a task of its own.

use super::{
    TOKEN,
    host::{Asked, Given, Host},
    tokens::{Start, Tokens},
};
use farcall_core::{Limits, Status};
use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::AbortHandle,
    time::{sleep, timeout},
};

/// A listener for connections beside those of the calls, for [`Server::files`] and
/// [`Server::side_streams`]. It listens as long as it or such a server is there.
///
/// Who may connect is asked of the server's plugins, `Allow` and `Deny` among them, before a byte
/// is read; where several servers share a listener, of those of all. These connections count among
/// the server's `Limits::connections`. A server that ends waits for what was begun here, and cuts
/// what is left after `Limits::drain_time`: transfers of files by a reset, so that nobody takes a
/// part for the whole.
///
/// These connections are plain TCP, as in rpcx, whatever the calls go over: tokens and bytes can be
/// read and changed on the way. Where that matters, send them as arguments.
///
/// [`Server::files`]: crate::Server::files
/// [`Server::side_streams`]: crate::Server::side_streams
#[derive(Clone)]
pub struct Side {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) tokens: Tokens,
    pub(super) limits: Limits,
    /// Servers that give tokens for this listener.
    hosts: Mutex<Vec<Weak<Host>>>,
    /// What clients are told to dial.
    address: String,
    local: SocketAddr,
    /// Gone with this.
    _alive: oneshot::Sender<()>,
}

impl Side {
    /// Listens at `tcp://HOST:PORT`; port 0 takes a free one. Clients are told to dial what it is
    /// bound to, or `?advertise=HOST:PORT`, which there must be where the host is `0.0.0.0` or
    /// `[::]`.
    ///
    /// `Limits::side_connections`, `side_wait`, `write_stall` and `file_bytes` hold here.
    ///
    /// # Errors
    /// `InvalidArgument` for another URL, `Unavailable` where it cannot be bound.
    pub async fn listen(url: impl AsRef<str>, limits: &Limits) -> Result<Side, Status> {
        let url = url.as_ref();
        let wrong = |why: &str| Status::invalid_argument(format!("`{url}`: {why}"));
        let place = url.strip_prefix("tcp://").ok_or_else(|| wrong("say tcp://HOST:PORT"))?;
        let (place, advertised) = match place.split_once('?') {
            None => (place, None),
            Some((place, option)) => match option.strip_prefix("advertise=") {
                Some(address) if address.contains(':') => (place, Some(address.to_owned())),
                _ => return Err(wrong("the only option is ?advertise=HOST:PORT")),
            },
        };
        let bound = TcpListener::bind(place).await;
        let cannot = |error| Status::unavailable(format!("cannot listen on `{url}`: {error}"));
        let listener = bound.map_err(cannot)?;
        let local = listener.local_addr().map_err(cannot)?;
        if advertised.is_none() && local.ip().is_unspecified() {
            return Err(wrong("nobody can dial that: add ?advertise=HOST:PORT"));
        }
        let (alive, gone) = oneshot::channel();
        let inner = Arc::new(Inner {
            tokens: Tokens::new(limits),
            limits: limits.clone(),
            hosts: Mutex::default(),
            address: advertised.unwrap_or_else(|| local.to_string()),
            local,
            _alive: alive,
        });
        tokio::spawn(accept(listener, Arc::downgrade(&inner), gone));
        Ok(Side { inner })
    }

    /// What it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local
    }

    /// What clients are told to dial: `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Takes back what was kept for tokens that nobody brought.
    pub(super) fn sweep(&self) {
        self.inner.tokens.sweep(tokio::time::Instant::now());
    }

    pub(super) fn give(&self, host: &Arc<Host>, start: Start) -> Result<[u8; TOKEN], Status> {
        self.inner.tokens.give(Given::new(host), start)
    }

    /// A server will give tokens for this.
    pub(super) fn join(&self, host: &Arc<Host>) {
        let mut hosts = self.inner.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|known| known.strong_count() > 0);
        if !hosts.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(host))) {
            hosts.push(Arc::downgrade(host));
        }
    }
}

impl Inner {
    fn hosts(&self) -> Vec<Arc<Host>> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Side").field(&self.inner.local).finish()
    }
}

/// Time to wait when the system gives no connection: it is short of something.
const PAUSE: Duration = Duration::from_millis(100);

async fn accept(listener: TcpListener, inner: Weak<Inner>, mut gone: oneshot::Receiver<()>) {
    // Those that have brought no token yet, the oldest first.
    let mut strangers: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut gone => return,
        };
        let Ok((stream, peer)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        let Some(inner) = inner.upgrade() else { return };
        if strangers.len() >= inner.tokens.strangers() {
            strangers.retain(|stranger| !stranger.is_finished());
            if strangers.len() >= inner.tokens.strangers()
                && let Some(oldest) = strangers.pop_front()
            {
                oldest.abort();
            }
        }
        strangers.push_back(tokio::spawn(greet(inner, stream, peer)).abort_handle());
    }
}

/// Asks who may connect, and reads the token. What it leads to is a task of its own, which nobody
/// aborts but the server's end.
async fn greet(inner: Arc<Inner>, mut stream: TcpStream, peer: SocketAddr) {
    let mut visits = Vec::new();
    for host in inner.hosts() {
        match host.ask(peer).await {
            Asked::In(visit) => visits.push(visit),
            Asked::Nobody => {}
            Asked::Refused => return,
        }
    }
    let mut token = [0; TOKEN];
    let read = timeout(inner.tokens.time(), stream.read_exact(&mut token)).await;
    let Ok(Ok(_)) = read else {
        return tracing::debug!(%peer, "a connection for a transfer brought no token");
    };
    let Some(brought) = inner.tokens.take(&token) else {
        return tracing::info!(%peer, "a connection for a transfer brought no token of ours");
    };
    let host = Arc::clone(brought.given.host());
    visits.retain(|visit| visit.is_of(&host));
    if visits.is_empty() {
        // Its server came after it.
        match host.ask(peer).await {
            Asked::In(visit) => visits.push(visit),
            Asked::Nobody | Asked::Refused => return,
        }
    }
    let _ = stream.set_nodelay(true);
    tokio::spawn(async move {
        let running = brought.given.brought();
        (brought.start)(stream, host.ending()).await;
        drop((running, brought.permit, visits));
    });
}
