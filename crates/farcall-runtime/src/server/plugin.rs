//! Plugins: hooks at the moments of a connection's and a call's life.

use super::{
    Cx,
    gate::Watch,
    happening::{Happening, Served},
};
use crate::net::{Peer, Socket};
use farcall_core::Status;
use std::{future::Future, ops::BitOr, pin::Pin, time::Duration};
use tokio::time::Instant;

/// Which moments a plugin wants to be asked at. What nobody wants costs one test of a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments(u16);

impl Moments {
    /// None.
    pub const NONE: Moments = Moments(0);
    /// [`Plugin::on_connect`]
    pub const CONNECT: Moments = Moments(1);
    /// [`Plugin::on_close`]
    pub const CLOSE: Moments = Moments(2);
    /// [`Plugin::on_call`]
    pub const CALL: Moments = Moments(4);
    /// [`Plugin::on_reply`]
    pub const REPLY: Moments = Moments(8);
    /// [`Plugin::on_begin`], [`ClientPlugin::on_begin`](crate::ClientPlugin::on_begin)
    pub const BEGIN: Moments = Moments(16);
    /// [`Plugin::on_happening`]
    pub const HAPPENING: Moments = Moments(32);
    /// [`ClientPlugin::on_retry`](crate::ClientPlugin::on_retry), on clients only.
    pub const RETRY: Moments = Moments(64);
    /// [`ClientPlugin::on_miss`](crate::ClientPlugin::on_miss), on clients only.
    pub const MISS: Moments = Moments(128);
    /// [`Plugin::on_accept`], on servers only.
    pub const ACCEPT: Moments = Moments(256);
    /// [`ClientPlugin::on_dial`](crate::ClientPlugin::on_dial), on clients only.
    pub const DIAL: Moments = Moments(512);
    /// [`ClientPlugin::on_select`](crate::ClientPlugin::on_select), on clients only.
    pub const SELECT: Moments = Moments(1024);

    /// Whether any of these is among them.
    #[inline]
    pub const fn has(self, any: Moments) -> bool {
        self.0 & any.0 != 0
    }
}

impl BitOr for Moments {
    type Output = Moments;
    fn bitor(self, other: Moments) -> Moments {
        Moments(self.0 | other.0)
    }
}

/// A decision that takes time. It is given up at the caller's deadline, and when the connection
/// closes.
pub type Deciding = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// What a plugin says.
pub enum Verdict {
    /// Go on: the next plugin is asked, then the call runs.
    Go,
    /// Refuse, with this status.
    Stop(Status),
    /// Ask again later: the call waits, others run.
    Wait(Deciding),
}

impl Verdict {
    /// Waits for a decision.
    pub fn wait(deciding: impl Future<Output = Result<(), Status>> + Send + 'static) -> Verdict {
        Verdict::Wait(Box::pin(deciding))
    }
}

/// Something that watches connections and calls go by, and may refuse them. See
/// [`Server::plug`](crate::Server::plug).
///
/// Hooks are asked in the order in which plugins were added. A hook that panics refuses. Hooks run
/// where the bytes arrived: one that computes long holds up others, [`Verdict::Wait`] does not.
///
/// ```
/// use farcall_runtime::{Cx, Moments, Plugin, Verdict};
/// use farcall_core::Status;
///
/// /// Serves nothing on `Admin` but to the same machine.
/// struct Local;
///
/// impl Plugin for Local {
///     fn moments(&self) -> Moments {
///         Moments::CALL
///     }
///     fn on_call(&self, cx: &Cx) -> Verdict {
///         let local = cx.peer().ip().is_none_or(|ip| ip.is_loopback());
///         match cx.service() == "Admin" && !local {
///             true => Verdict::Stop(Status::permission_denied("Admin is called from here only")),
///             false => Verdict::Go,
///         }
///     }
/// }
/// ```
pub trait Plugin: Send + Sync + 'static {
    /// When to ask. Read once, when the server begins.
    fn moments(&self) -> Moments;

    /// The server is built; nothing has come yet. A plugin that keeps something for each server
    /// gives the one that this server is to ask from now on; it is not asked this again.
    fn on_serve(&self, served: &Served<'_>) -> Option<Box<dyn Plugin>> {
        let _ = served;
        None
    }

    /// A connection has come; not a byte of it was read. Refused ones are closed without a word. A
    /// decision may take as long as [`Limits::silence`](farcall_core::Limits::silence).
    fn on_connect(&self, peer: &Peer) -> Verdict {
        let _ = peer;
        Verdict::Go
    }

    /// A connection was not refused, and not a byte of it was read: it may be wrapped
    /// ([`Socket::wrap`]). Asked once for each connection that no plugin refused at once; what a
    /// plugin has yet to decide about is wrapped, and waits. To refuse one is
    /// [`on_connect`](Plugin::on_connect)'s; one whose wrapping panics is closed.
    fn on_accept(&self, socket: Socket) -> Socket {
        socket
    }

    /// A connection is gone. Called once for each that this plugin's `on_connect` let in, also if
    /// somebody else refused it then.
    fn on_close(&self, peer: &Peer) {
        let _ = peer;
    }

    /// Something happened that nobody may decide about: to a connection, or to a handler.
    fn on_happening(&self, happening: &Happening<'_>) {
        let _ = happening;
    }

    /// A call has come, and nobody was asked about it yet. [`on_reply`](Plugin::on_reply) tells the
    /// end of every call that was begun, and of no other.
    fn on_begin(&self, call: &CallInfo<'_>) {
        let _ = call;
    }

    /// A call has come, perhaps of a method that does not exist. Its body was neither unfolded nor
    /// decoded. Not asked if an earlier plugin, or the check of credentials, refused the call.
    fn on_call(&self, cx: &Cx) -> Verdict {
        let _ = cx;
        Verdict::Go
    }

    /// A call has come to its end, whatever that is. Called exactly once for every call that
    /// reached the first plugin, one-way calls included.
    fn on_reply(&self, call: &CallInfo<'_>, outcome: Outcome<'_>) {
        let _ = (call, outcome);
    }
}

/// How a call came to its end.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// It was answered; a one-way call ran.
    Done,
    /// It failed, or was refused, with this status.
    Failed(&'a Status),
    /// Nobody waits any more: its connection closed before it was answered.
    Lost,
}

/// What is known of a call, at its end or before it begins.
pub struct CallInfo<'a>(pub(super) &'a Watch);

impl CallInfo<'_> {
    /// The protocol's name: `rpcx`.
    pub fn protocol(&self) -> &'static str {
        self.0.conn.protocol
    }

    /// Who called.
    pub fn peer(&self) -> &Peer {
        &self.0.conn.peer
    }

    /// The service's name, as it was called.
    pub fn service(&self) -> &str {
        self.0.names().0
    }

    /// The method's name, as it was called.
    pub fn method(&self) -> &str {
        self.0.names().1
    }

    /// Whether there is such a method. The names of others are the caller's invention: do not let
    /// them become labels of a metric.
    pub fn exists(&self) -> bool {
        self.0.unknown.is_none()
    }

    /// Where the method stands in [`Served::methods`]; none if it does not exist.
    pub fn number(&self) -> Option<usize> {
        self.exists().then_some(self.0.to.0 as usize)
    }

    /// Whether no answer was wanted.
    pub fn oneway(&self) -> bool {
        self.0.oneway
    }

    /// When its caller stops waiting, if it said so.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Bytes of its body as they came, compressed if they were. Items of streams are not counted.
    pub fn bytes_in(&self) -> usize {
        self.0.bytes_in
    }

    /// Bytes of its answer's body, before they are compressed; 0 while there is none, and for one
    /// that failed. Items of streams are not counted.
    pub fn bytes_out(&self) -> usize {
        self.0.bytes_out
    }

    /// The time since the call reached the first plugin.
    pub fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }
}
