//! What plugins are told and not asked: what a server serves, and what becomes of its connections
//! and handlers. The log says the same.

use super::{ConnInfo, Shared, conns::Refused, router::Entry, router::Router};
use crate::{
    conn::{Close, Late},
    net::{Peer, Stream},
};
use farcall_wire::{Protocol, sniff::Spoken};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// What a server serves. See [`Plugin::on_serve`](super::Plugin::on_serve).
#[derive(Debug)]
pub struct Served<'a> {
    methods: Vec<(&'a str, &'a str)>,
    protocols: Vec<&'static str>,
}

impl<'a> Served<'a> {
    pub(super) fn new(
        router: &'a Router,
        spoken: Spoken,
        given: &[&'static dyn Protocol],
    ) -> Served<'a> {
        let methods = router.all().iter().map(|entry| (&*entry.service, &*entry.name));
        let given = given.iter().copied();
        let protocols = given.chain(spoken.protocols()).map(Protocol::name);
        Served { methods: methods.collect(), protocols: protocols.collect() }
    }

    /// The services' and the methods' names. Pages stand behind them: their services have no name,
    /// their methods are paths.
    pub fn methods(&self) -> &[(&'a str, &'a str)] {
        &self.methods
    }

    /// The protocols that are spoken, by their names.
    pub fn protocols(&self) -> &[&'static str] {
        &self.protocols
    }
}

/// What happened to a connection or a handler. See
/// [`Plugin::on_happening`](super::Plugin::on_happening).
#[non_exhaustive]
pub enum Happening<'a> {
    /// A connection was not let in.
    Refused {
        /// Who wanted to connect.
        peer: &'a Peer,
        /// In one word: `plugin`, `full` (`Limits::connections`) or `leaving`.
        why: &'static str,
    },
    /// A connection was let in. Nobody knows yet what it speaks.
    Opened {
        /// Who connected.
        peer: &'a Peer,
    },
    /// What a connection speaks is known, or has changed: HTTP leads to others.
    Speaks {
        /// Who connected.
        peer: &'a Peer,
        /// The protocol's name.
        protocol: &'static str,
        /// The one before; empty the first time.
        before: &'static str,
    },
    /// A connection has ended. Told once for each that was opened.
    Closed {
        /// Who was connected.
        peer: &'a Peer,
        /// The protocol's name; empty if that never became known.
        protocol: &'static str,
        /// In one word: `done`, `broken` (the peer broke the protocol), `io`, `slow` (a limit of
        /// time), `room` (it was silent and others came) or `dropped`.
        why: &'static str,
        /// The same in full, for people. It may quote the peer.
        text: &'a dyn fmt::Display,
    },
    /// A handler held its worker for longer than `Limits::hold_time`.
    Held {
        /// The service's name.
        service: &'a str,
        /// The method's name.
        method: &'a str,
        /// For how long.
        time: Duration,
    },
}

impl Shared {
    /// A connection was not let in.
    pub(super) fn refused(&self, peer: &Peer, why: &Refused) {
        let why = match why {
            Refused::Plugin(_) => "plugin",
            Refused::Full => "full",
            Refused::Leaving => "leaving",
        };
        self.gate.tell(&Happening::Refused { peer, why });
    }

    /// A connection was let in.
    pub(crate) fn opened(&self, info: &ConnInfo) {
        tracing::debug!(peer = %info.peer, "connection opened");
        self.gate.tell(&Happening::Opened { peer: &info.peer });
    }

    /// A connection speaks this from now on.
    pub(crate) fn speak(
        &self,
        info: &mut Arc<ConnInfo>,
        protocol: Option<&'static dyn Protocol>,
        stream: &Stream,
        late: &Arc<Late>,
    ) {
        let new = self.info(stream, protocol, late);
        let before = std::mem::replace(info, new).protocol;
        let ConnInfo { peer, protocol, .. } = &**info;
        tracing::debug!(%peer, protocol, "connection speaks");
        self.gate.tell(&Happening::Speaks { peer, protocol, before });
    }

    /// A connection has ended.
    pub(crate) fn closed(&self, info: &ConnInfo, close: &Close) {
        let ConnInfo { peer, protocol, .. } = info;
        match close {
            Close::Done => tracing::debug!(%peer, protocol, "connection closed"),
            close => tracing::info!(%peer, protocol, why = %close, "connection closed"),
        }
        self.gate.tell(&Happening::Closed { peer, protocol, why: close.word(), text: close });
    }

    /// A handler held its worker for so long: whether that is too long.
    #[cold]
    pub(crate) fn look_at_hold(&self, entry: &Entry, held: Duration) {
        if held <= self.limits.hold_time {
            return;
        }
        let count = self.held.fetch_add(1, Ordering::Relaxed) + 1;
        let Entry { service, name: method, .. } = entry;
        tracing::warn!(
            service,
            method,
            held_ms = held.as_millis() as u64,
            count,
            "a handler held its worker; #[method(spawn)] or #[method(blocking)] lets others run"
        );
        self.gate.tell(&Happening::Held { service, method, time: held });
    }
}
