//! Requests that are no calls start here, as calls do in `run_call`.

use super::{Budget, Conn, late::Leaver};
use crate::server::{Cx, Reply, Watch};
use farcall_wire::Request;

impl Conn {
    /// A request that is no call and has passed the gate: a page answers it, at once or later.
    pub(super) fn start_request(
        &mut self,
        request: Request,
        cx: Cx,
        mut watch: Option<Box<Watch>>,
        budget: &mut Budget,
    ) {
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let (ticket, to) = (request.ticket, request.to);
        let entry = self.shared.router.entry(to);
        let mut later = None;
        let reply = Reply::new(wire, &mut self.out, &ticket, entry, &self.shared.rules, &mut later)
            .watched(watch.as_deref_mut());
        let ran = entry.method.show(cx, request, self.shared.spawn, reply);
        budget.ran(ran, entry, &self.shared);
        if let Some(run) = later {
            self.leave(Leaver { ticket, to, deadline: None, watch }, run);
        }
    }
}
