//! Calls that interceptors stand around: they run as one handler, in place at first and as a task
//! when they wait.

use super::{Budget, Conn, late::Leaver};
use crate::{
    answer::Reading,
    server::{Cx, Intercepted, Ran, Reply, Running, Setting, Watch},
};
use farcall_core::{Body, Status, Ticket};
use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};
use tokio::time::Instant;

impl Conn {
    /// Starts a call that may be served, with all that stands around it.
    pub(super) fn start_guarded(
        &mut self,
        ticket: Ticket,
        cx: Cx,
        body: Body,
        watch: Option<Box<Watch>>,
        budget: &mut Budget,
    ) {
        match self.shared.around.is_empty() {
            true => self.run_call(ticket, cx, body, watch, budget),
            false => self.intercept(ticket, cx, body, watch, budget),
        }
    }

    #[cold]
    fn intercept(
        &mut self,
        ticket: Ticket,
        cx: Cx,
        body: Body,
        mut watch: Option<Box<Watch>>,
        budget: &mut Budget,
    ) {
        let (to, deadline, shared) = (cx.to, cx.deadline, Arc::clone(&self.shared));
        let entry = shared.router.entry(to);
        let streams = entry.streams.any();
        if streams && !self.streaming {
            let status = Status::unimplemented(format!(
                "{}.{} streams, and {} does not carry streams",
                entry.service, entry.name, self.info.protocol
            ));
            return self.refuse_call(&ticket, to, &status, watch);
        }
        let pipe = match streams {
            true => match self.prepare(ticket.seq) {
                Some(pipe) => Some(pipe),
                None => return,
            },
            false => None,
        };
        if shared.counted {
            entry.calls.fetch_add(1, Ordering::Relaxed);
        }
        let reading = Reading {
            bounds: shared.rules.bounds,
            unfolded_bytes: shared.rules.unfolded_bytes,
            known: shared.known.clone(),
        };
        let (around, rules, spawn) =
            (Arc::clone(&shared.around), shared.rules.clone(), shared.spawn);
        let setting = Setting { around, rules, reading, spawn };
        let mut run = Box::pin(Intercepted::new(setting, &ticket, cx, body, pipe));
        let began = Instant::now();
        let ready = !spawn && !streams && run.begin();
        let ran = Ran { began: Some(began), ended: Instant::now() };
        budget.ran(Some(ran), entry, &shared);
        if !ready {
            return self.leave(Leaver { ticket, to, deadline, watch }, run);
        }
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let mut none = None;
        let reply = Reply::new(wire, &mut self.out, &ticket, entry, &shared.rules, &mut none);
        let run: Pin<&mut dyn Running> = run.as_mut();
        run.answer(reply.watched(watch.as_deref_mut()));
    }
}
