//! What a server and the connections beside those of its calls know of each other: its plugins and
//! its limit say who may connect, and it waits for what runs when it ends.

use crate::{
    net::Peer,
    server::{Beside, Shared},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::sync::watch;

/// How far a server has come with its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// It serves.
    #[default]
    No,
    /// It was told to; what runs may finish.
    Leaving,
    /// Tokens that were not brought are void.
    Void,
    /// What still runs is cut.
    Cut,
}

/// A server, for the connections beside those of its calls.
#[derive(Default)]
pub(crate) struct Host {
    /// Set when the server is built.
    shared: OnceLock<Weak<Shared>>,
    /// Connections that are there, whether they have brought a token or not.
    open: AtomicUsize,
    /// Tokens that were given and not brought.
    given: AtomicUsize,
    /// What was begun by a token and has not ended.
    running: AtomicUsize,
    ending: watch::Sender<Ending>,
}

/// What became of one who wants to connect.
pub(super) enum Asked {
    /// Let in, as long as this is held.
    In(Visit),
    /// Refused.
    Refused,
    /// There is no server to ask: not yet, or not any more.
    Nobody,
}

impl Host {
    pub(crate) fn serve(&self, shared: &Arc<Shared>) {
        // A server is built once.
        let _ = self.shared.set(Arc::downgrade(shared));
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// One connection more. Counted under the lock of the server's others.
    pub(crate) fn enter(self: &Arc<Host>) -> Count {
        Count::one(self, |host| &host.open)
    }

    pub(crate) fn given(&self) -> usize {
        self.given.load(SeqCst)
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(SeqCst)
    }

    /// The server's end goes on; it never goes back.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.send_if_modified(|now| {
            let later = ending > *now;
            *now = (*now).max(ending);
            later
        });
    }

    pub(super) fn ending(&self) -> watch::Receiver<Ending> {
        self.ending.subscribe()
    }

    /// Whether a token is good for nothing any more.
    pub(super) fn is_void(&self) -> bool {
        *self.ending.borrow() >= Ending::Void
    }

    /// Asks the server's plugins and its limit.
    pub(super) async fn ask(self: &Arc<Host>, peer: SocketAddr) -> Asked {
        let Some(shared) = self.shared.get().and_then(Weak::upgrade) else { return Asked::Nobody };
        match shared.admit_beside(Peer::Tcp(peer)).await {
            Some(beside) => Asked::In(Visit { host: Arc::clone(self), _beside: beside }),
            None => Asked::Refused,
        }
    }
}

/// A connection that a server has let in.
pub(super) struct Visit {
    host: Arc<Host>,
    _beside: Beside,
}

impl Visit {
    pub(super) fn is_of(&self, host: &Arc<Host>) -> bool {
        Arc::ptr_eq(&self.host, host)
    }
}

/// One that counts.
pub(crate) struct Count {
    host: Arc<Host>,
    of: fn(&Host) -> &AtomicUsize,
}

impl Count {
    fn one(host: &Arc<Host>, of: fn(&Host) -> &AtomicUsize) -> Count {
        of(host).fetch_add(1, SeqCst);
        Count { host: Arc::clone(host), of }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        (self.of)(&self.host).fetch_sub(1, SeqCst);
    }
}

/// A token that was given.
pub(super) struct Given(Count);

impl Given {
    pub(super) fn new(host: &Arc<Host>) -> Given {
        Given(Count::one(host, |host| &host.given))
    }

    pub(super) fn host(&self) -> &Arc<Host> {
        &self.0.host
    }

    /// It was brought: at no moment is it neither waited for nor running.
    pub(super) fn brought(self) -> Count {
        Count::one(&self.0.host, |host| &host.running)
    }
}

/// Ready when a server's end has come so far; never where the server is gone.
pub(super) async fn until(mut told: watch::Receiver<Ending>, ending: Ending) {
    if told.wait_for(|now| *now >= ending).await.is_err() {
        std::future::pending().await
    }
}
