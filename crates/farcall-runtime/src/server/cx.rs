//! What a handler knows of its call.

use super::router::Router;
use crate::net::{Identity, Peer};
use farcall_core::{Meta, MethodId};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// What a connection's calls share.
pub(crate) struct ConnInfo {
    pub(crate) peer: Peer,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) protocol: &'static str,
    pub(crate) closed: AtomicBool,
    pub(crate) router: Arc<Router>,
    /// How many calls wait on the whole server.
    pub(crate) away: Arc<AtomicUsize>,
}

/// The context of a call: who calls, over what, until when, with which metadata; and the metadata
/// that goes back. A method that wants it takes `cx: &Cx` as its first parameter.
pub struct Cx {
    pub(crate) conn: Arc<ConnInfo>,
    pub(crate) to: MethodId,
    pub(crate) meta: Meta,
    pub(crate) deadline: Option<Instant>,
    pub(crate) reply_meta: Mutex<Vec<(String, String)>>,
}

impl Cx {
    /// The protocol's name: `rpcx`.
    pub fn protocol(&self) -> &'static str {
        self.conn.protocol
    }

    /// Who is at the other end of the connection.
    pub fn peer(&self) -> &Peer {
        &self.conn.peer
    }

    /// Who the peer has proved to be: with a certificate, on a server that asks for one
    /// ([`Tls::client_ca`](crate::Tls::client_ca)).
    pub fn identity(&self) -> Option<&Identity> {
        self.conn.identity.as_deref()
    }

    /// The service's name, as it was called.
    pub fn service(&self) -> &str {
        &self.conn.router.entry(self.to).service
    }

    /// The method's name, as it was called.
    pub fn method(&self) -> &str {
        &self.conn.router.entry(self.to).name
    }

    /// The metadata that came with the call.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// When the caller stops waiting, if it said so.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long the caller still waits, if it said so.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether nobody waits for the answer any more: the connection is closed or the time is up.
    pub fn is_cancelled(&self) -> bool {
        self.conn.closed.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|at| at <= Instant::now())
    }

    /// Sends metadata back with the reply.
    pub fn set_meta(&self, key: impl Into<String>, value: impl Into<String>) {
        let mut meta = self.reply_meta.lock().unwrap_or_else(PoisonError::into_inner);
        meta.push((key.into(), value.into()));
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("service", &self.service())
            .field("method", &self.method())
            .field("peer", self.peer())
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}
