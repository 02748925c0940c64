//! What a handler knows of its call.

use super::{auth::User, push::Outbox, router::Router};
use crate::{
    net::{Identity, Peer},
    observe::{TraceContext, trace::span::Traced},
};
use farcall_core::{Format, Meta, MethodId, Str};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tracing::Span;

/// What a connection's calls share.
pub(crate) struct ConnInfo {
    pub(crate) peer: Peer,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) protocol: &'static str,
    /// The metadata that carries credentials, where the protocol has a place for them.
    pub(crate) auth_key: Option<&'static str>,
    pub(crate) closed: AtomicBool,
    pub(crate) router: Arc<Router>,
    /// How many calls wait on the whole server.
    pub(crate) away: Arc<AtomicUsize>,
    /// What is pushed to the client, where the protocol has such messages.
    pub(crate) outbox: Option<Outbox>,
}

impl ConnInfo {
    /// The connection is gone.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        if let Some(outbox) = &self.outbox {
            outbox.close();
        }
    }
}

/// The context of a call: who calls, over what, until when, with which metadata; and the metadata
/// that goes back. A method that wants it takes `cx: &Cx` as its first parameter.
pub struct Cx {
    pub(crate) conn: Arc<ConnInfo>,
    pub(crate) to: MethodId,
    pub(crate) meta: Meta,
    pub(crate) deadline: Option<Instant>,
    pub(crate) reply_meta: Back,
    /// What most calls do not have.
    pub(crate) more: Option<Box<More>>,
}

/// Metadata that goes back with the reply. In a box: most replies have none, and the context moves
/// with its call.
#[derive(Default)]
pub(crate) struct Back(Mutex<Option<Box<Pairs>>>);

type Pairs = Vec<(String, String)>;

impl Back {
    fn lock(&self) -> MutexGuard<'_, Option<Box<Pairs>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was set.
    #[inline]
    pub(crate) fn pairs(&mut self) -> &[(String, String)] {
        let pairs = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        pairs.as_ref().map_or(&[], |pairs| pairs)
    }
}

impl Clone for Back {
    fn clone(&self) -> Back {
        Back(Mutex::new(self.lock().clone()))
    }
}

/// What is known of a call only where a gate asked for it.
pub(crate) struct More {
    /// Whoever was let in.
    users: Vec<User>,
    /// The names of a method that does not exist.
    unknown: Option<(Str, Str)>,
    /// How the body is encoded of a call that nobody decodes.
    pub(super) format: Format,
    /// Its place in a trace, on a server that is traced.
    pub(crate) traced: Option<Traced>,
}

impl Default for More {
    fn default() -> More {
        More { users: Vec::new(), unknown: None, format: Format::Raw, traced: None }
    }
}

impl More {
    /// Of a call of these names, which lead nowhere.
    pub(crate) fn unknown(names: (Str, Str)) -> More {
        More { unknown: Some(names), ..More::default() }
    }
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
        match self.unknown() {
            Some((service, _)) => service,
            None => &self.conn.router.entry(self.to).service,
        }
    }

    /// The method's name, as it was called.
    pub fn method(&self) -> &str {
        match self.unknown() {
            Some((_, method)) => method,
            None => &self.conn.router.entry(self.to).name,
        }
    }

    /// Where the method stands in [`Served::methods`](crate::Served::methods); none if it does not
    /// exist.
    pub fn number(&self) -> Option<usize> {
        self.unknown().is_none().then_some(self.to.0 as usize)
    }

    /// The names of a method that does not exist.
    pub(crate) fn unknown(&self) -> Option<&(Str, Str)> {
        self.more.as_ref()?.unknown.as_ref()
    }

    /// What the caller sent to say who it is: the metadata `__AUTH` over rpcx, the field
    /// `Authorization` over HTTP, scheme included. None over protocols that have no place for it;
    /// none, too, if it came twice or is not UTF-8.
    pub fn credentials(&self) -> Option<&str> {
        std::str::from_utf8(self.meta.only(self.conn.auth_key?)?).ok()
    }

    /// Whoever [`Server::auth`](crate::Server::auth) let in, by their type.
    pub fn get<U: 'static>(&self) -> Option<&U> {
        self.more.as_ref()?.users.iter().rev().find_map(|user| user.downcast_ref())
    }

    /// Remembers whoever was let in.
    pub(super) fn admit(&mut self, user: User) {
        self.more.get_or_insert_default().users.push(user);
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

    /// Where the call stands in a trace, on a server that is [`traced`](crate::Server::traced).
    pub fn trace(&self) -> Option<&TraceContext> {
        Some(&self.more.as_ref()?.traced.as_ref()?.context)
    }

    /// The span that the handler runs in; one that is nothing where nobody subscribes.
    pub(crate) fn span(&self) -> Span {
        let traced = self.more.as_ref().and_then(|more| more.traced.as_ref());
        traced.map_or_else(Span::none, |traced| traced.span.clone())
    }

    /// Whether nobody waits for the answer any more: the connection is closed or the time is up.
    pub fn is_cancelled(&self) -> bool {
        self.conn.closed.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|at| at <= Instant::now())
    }

    /// Sends metadata back with the reply.
    pub fn set_meta(&self, key: impl Into<String>, value: impl Into<String>) {
        self.reply_meta.lock().get_or_insert_default().push((key.into(), value.into()));
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
