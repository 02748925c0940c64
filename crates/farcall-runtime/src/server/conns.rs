//! The connections of a server: who is let in, who must give way, who is told to go.

use super::{Shared, gate::Entry};
use crate::{
    conn::{Conn, Late, Stop},
    net::{Peer, Stream},
    side::{Count, Ending},
};
use farcall_core::Status;
use farcall_wire::sniff::Spoken;
use std::{
    collections::{BTreeSet, HashMap},
    future::{Future, poll_fn},
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    task::Poll,
};

/// Room for so many is kept.
const FEW: usize = 256;
use tokio::{task::unconstrained, time::timeout};

/// Those that are open.
#[derive(Default)]
pub(super) struct Conns {
    next: u64,
    pub(super) open: HashMap<u64, Arc<Late>>,
    /// Those that have not said a byte, the oldest first: numbers rise.
    silent: BTreeSet<u64>,
    draining: bool,
}

impl Conns {
    /// Makes room for one more: the connection that was silent for longest gives way.
    fn make_room(&mut self, most: usize) -> Result<Option<Arc<Late>>, Refused> {
        if self.draining {
            return Err(Refused::Leaving);
        }
        if self.open.len() < most {
            return Ok(None);
        }
        self.oldest_silent().map(Some).ok_or(Refused::Full)
    }

    /// A connection is over. What a crowd took is given back when the crowd has gone.
    fn remove(&mut self, id: u64) {
        self.open.remove(&id);
        self.silent.remove(&id);
        if self.open.capacity() > FEW && self.open.len() < self.open.capacity() / 4 {
            self.open.shrink_to(self.open.len() * 2);
        }
    }

    /// The connection that was silent for longest, if there is one; it is on the list no more.
    fn oldest_silent(&mut self) -> Option<Arc<Late>> {
        self.silent.pop_first().and_then(|id| self.open.remove(&id))
    }
}

/// Why a connection was not let in.
pub(super) enum Refused {
    /// `Limits::connections`, and none of them is silent.
    Full,
    /// The server is leaving.
    Leaving,
    /// A plugin refused.
    Plugin(Status),
}

impl Shared {
    pub(super) fn conns(&self) -> MutexGuard<'_, Conns> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection's task, or why there is none.
    pub(super) fn admit(
        self: &Arc<Self>,
        stream: Stream,
        spoken: Spoken,
    ) -> Result<impl Future<Output = ()> + Send + use<>, Refused> {
        let (shared, peer) = (Arc::clone(self), stream.peer.clone());
        // Asked first: who is refused takes nobody's place.
        let visit = self.gate.connect(&stream.peer).map_err(Refused::Plugin);
        let visit = visit.inspect_err(|why| self.refused(&peer, why))?;
        let stream = self.gate.accept(stream).map_err(Refused::Plugin);
        let stream = stream.inspect_err(|why| self.refused(&peer, why))?;
        let admitted = {
            let mut conns = self.conns();
            conns.make_room(self.room()).map(|gives_way| {
                let id = conns.next;
                conns.next += 1;
                let conn = Conn::new(stream, Arc::clone(self), id, spoken);
                conns.open.insert(id, Arc::clone(conn.late()));
                conns.silent.insert(id);
                (Registered { conn, shared, id, visit }, gives_way)
            })
        };
        let (registered, gives_way) = admitted.inspect_err(|why| self.refused(&peer, why))?;
        if let Some(late) = gives_way {
            late.stop(Stop::Room);
        }
        Ok(async move {
            let mut registered = registered;
            if registered.let_in().await {
                registered.conn.begin();
                // tokio's budget belongs to the task: after some operations in one turn, ready
                // resources would answer "pending" to handlers, and calls would become tasks for
                // nothing. The turn is bounded by `Limits`.
                unconstrained(&mut registered.conn).await;
            }
        })
    }

    /// How many connections there may be, beside those that carry files and streams.
    fn room(&self) -> usize {
        self.limits.connections.saturating_sub(self.host.open())
    }

    /// Lets in a connection beside those of the calls: plugins are asked, before a byte is read,
    /// and it counts as long as what is given here is held. A server that is leaving lets in who
    /// has a token.
    pub(crate) async fn admit_beside(&self, peer: Peer) -> Option<Beside> {
        let admitted = async {
            let mut visit = self.gate.connect(&peer).map_err(Refused::Plugin)?;
            if let Some(visit) = &mut visit {
                let decided = timeout(self.limits.silence, poll_fn(|cx| visit.poll(cx))).await;
                decided.unwrap_or_else(|_| Err(too_slow())).map_err(Refused::Plugin)?;
            }
            let mut conns = self.conns();
            let gives_way = match conns.draining {
                true => None,
                false => conns.make_room(self.room())?,
            };
            let beside = Beside { _visit: visit, _count: self.host.enter() };
            Ok::<_, Refused>((beside, gives_way))
        };
        match admitted.await {
            Ok((beside, gives_way)) => {
                if let Some(late) = gives_way {
                    late.stop(Stop::Room);
                }
                Some(beside)
            }
            Err(why) => {
                self.refused(&peer, &why);
                let why = match why {
                    Refused::Plugin(status) => status.to_string(),
                    Refused::Full => "Limits::connections".to_owned(),
                    Refused::Leaving => "the server is leaving".to_owned(),
                };
                tracing::info!(%peer, why, "connection for a transfer refused");
                None
            }
        }
    }

    /// The system has no room for one more connection: the one that was silent for longest gives
    /// way. False where all have spoken.
    pub(super) fn let_one_go(&self) -> bool {
        let oldest = self.conns().oldest_silent();
        oldest.map(|late| late.stop(Stop::Room)).is_some()
    }

    /// A connection has said something.
    pub(crate) fn heard(&self, id: u64) {
        self.conns().silent.remove(&id);
    }

    /// Tells all connections to finish and to close, or to close now, and lets no more in.
    pub(super) fn stop(&self, how: Stop) {
        self.draining.store(true, Ordering::Relaxed);
        self.host.end(if matches!(how, Stop::Cut) { Ending::Cut } else { Ending::Leaving });
        let mut conns = self.conns();
        conns.draining = true;
        let open: Vec<_> = conns.open.values().cloned().collect();
        drop(conns);
        open.into_iter().for_each(|late| late.stop(how));
    }
}

/// A connection beside those of the calls; plugins are told when this is dropped.
pub(crate) struct Beside {
    _visit: Option<Entry>,
    _count: Count,
}

#[cold]
fn too_slow() -> Status {
    Status::deadline_exceeded("the plugins took too long (Limits::silence)")
}

/// A connection that takes itself off the list.
struct Registered {
    conn: Conn,
    shared: Arc<Shared>,
    id: u64,
    visit: Option<Entry>,
}

impl Registered {
    /// Waits for plugins that have to think about it, without reading a byte.
    async fn let_in(&mut self) -> bool {
        let Some(visit) = &mut self.visit else { return true };
        let late = self.conn.late();
        let decided = poll_fn(|cx| match late.told(cx) {
            Stop::No => visit.poll(cx),
            _ => Poll::Ready(Err(Status::cancelled("the connection has to go"))),
        });
        let decided = timeout(self.shared.limits.silence, decided).await;
        let in_time = decided.unwrap_or_else(|_| Err(too_slow()));
        let refused = in_time.map_err(Refused::Plugin);
        refused.inspect_err(|why| self.shared.refused(self.conn.peer(), why)).is_ok()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.conns().remove(self.id);
    }
}
