//! Requests that are no calls start here, as calls do in `start_call`.

use super::{Budget, Conn};
use crate::server::{Cx, Reply};
use farcall_wire::Request;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

impl Conn {
    /// A request that is no call: a page answers it, at once or later.
    pub(super) fn start_request(&mut self, request: Request, budget: &mut Budget, now: Instant) {
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let (ticket, to, meta) = (request.ticket, request.to, request.meta.clone());
        let entry = self.shared.router.entry(to);
        let mut later = None;
        let reply = Reply::new(wire, &mut self.out, &ticket, entry, self.shared.rules, &mut later);
        let conn = Arc::clone(&self.info);
        let cx = Cx { conn, to, meta, deadline: None, reply_meta: Mutex::new(Vec::new()) };
        let ran = entry.method.show(cx, request, self.shared.spawn, reply);
        if let Some(ran) = &ran
            && ran.ended - ran.began > self.shared.limits.hold_time
        {
            self.shared.held(entry, ran.ended - ran.began);
        }
        budget.over |= ran.map_or(now, |ran| ran.ended) >= budget.until;
        if let Some(run) = later {
            self.leave(ticket, to, None, run);
        }
    }
}
