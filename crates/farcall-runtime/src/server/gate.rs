//! The gate: what every call passes before its body is looked at, on every protocol.

use super::{
    ConnInfo, Cx,
    auth::Check,
    happening::{Happening, Served},
    plugin::{CallInfo, Deciding, Moments, Outcome, Plugin, Verdict},
};
use crate::{
    net::{Peer, Socket, Stream},
    observe::trace::span,
};
use farcall_core::{MethodId, Status, Str};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::{task::coop::unconstrained, time::Instant};
use tracing::Span;

/// Plugins and checks of credentials, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Gate {
    steps: Vec<Step>,
    moments: Moments,
    secret: bool,
    traced: bool,
}

enum Step {
    Plugin(Box<dyn Plugin>, Moments),
    Auth(Box<dyn Check>),
}

/// A walk through the gate that must wait. It ends with the call's context, or with why there is no
/// call.
pub(crate) type Passage = Pin<Box<dyn Future<Output = Result<Cx, Status>> + Send>>;

impl Gate {
    pub(super) fn plug(&mut self, plugin: Box<dyn Plugin>) {
        let moments = plugin.moments();
        self.moments = self.moments | moments;
        self.steps.push(Step::Plugin(plugin, moments));
    }

    pub(super) fn auth(&mut self, check: Box<dyn Check>) {
        (self.moments, self.secret) = (self.moments | Moments::CALL, true);
        self.steps.push(Step::Auth(check));
    }

    /// Tells plugins what is served, and takes in those that they put in their places.
    pub(super) fn serve(&mut self, served: &Served<'_>) {
        for step in &mut self.steps {
            if let Step::Plugin(plugin, moments) = step
                && let Some(own) = plugin.on_serve(served)
            {
                *moments = own.moments();
                self.moments = self.moments | *moments;
                *plugin = own;
            }
        }
    }

    /// Tells what happened to those who want to know.
    pub(crate) fn tell(&self, happening: &Happening<'_>) {
        for plugin in self.plugins(Moments::HAPPENING) {
            let _ = catch_unwind(AssertUnwindSafe(|| plugin.on_happening(happening)));
        }
    }

    /// Lets those wrap a connection who want to; none where one panicked.
    pub(super) fn accept(&self, stream: Stream) -> Result<Stream, Status> {
        if !self.moments.has(Moments::ACCEPT) {
            return Ok(stream);
        }
        let wrapped = catch_unwind(AssertUnwindSafe(|| {
            let plugins = self.plugins(Moments::ACCEPT);
            plugins.fold(Socket::new(stream), |socket, plugin| plugin.on_accept(socket))
        }));
        wrapped.map(Socket::into_stream).map_err(|_| Status::internal("a plugin panicked"))
    }

    pub(super) fn trace(&mut self) {
        self.traced = true;
    }

    /// Whether calls have a place in a trace.
    pub(crate) fn traced(&self) -> bool {
        self.traced
    }

    /// Whether strangers may not learn what there is to call.
    pub(super) fn secret(&self) -> bool {
        self.secret
    }

    /// Whether calls have to be shown to anybody.
    pub(crate) fn minds_calls(&self) -> bool {
        self.traced || self.moments.has(Moments::BEGIN | Moments::CALL | Moments::REPLY)
    }

    fn plugins(&self, at: Moments) -> impl Iterator<Item = &dyn Plugin> {
        self.steps.iter().filter_map(move |step| match step {
            Step::Plugin(plugin, moments) if moments.has(at) => Some(&**plugin),
            _ => None,
        })
    }

    /// Asks everybody about a call. An error is the walk that must wait for somebody.
    pub(crate) fn ask(self: &Arc<Gate>, cx: Cx) -> Result<Result<Cx, Status>, Passage> {
        for (at, step) in self.steps.iter().enumerate() {
            let walk = match step {
                Step::Plugin(plugin, moments) if moments.has(Moments::CALL) => {
                    match hook(|| plugin.on_call(&cx)) {
                        Verdict::Go => continue,
                        Verdict::Stop(status) => return Ok(Err(status)),
                        Verdict::Wait(deciding) => {
                            walk(Arc::clone(self), at + 1, cx, Some(deciding))
                        }
                    }
                }
                Step::Plugin(..) => continue,
                Step::Auth(_) => walk(Arc::clone(self), at, cx, None),
            };
            let mut walk: Passage = Box::pin(walk);
            return match poll(&mut walk, &mut Context::from_waker(Waker::noop())) {
                Poll::Ready(passed) => Ok(passed),
                Poll::Pending => Err(walk),
            };
        }
        Ok(Ok(cx))
    }

    /// Someone to see a call's end, where anybody wants to be told.
    pub(crate) fn watch(
        self: &Arc<Gate>,
        cx: &Cx,
        oneway: bool,
        bytes_in: usize,
    ) -> Option<Box<Watch>> {
        let span = cx.span();
        let wanted = !span.is_disabled() || self.moments.has(Moments::REPLY | Moments::BEGIN);
        wanted.then(|| {
            let watch = Watch {
                gate: Arc::clone(self),
                conn: Arc::clone(&cx.conn),
                to: cx.to,
                unknown: cx.unknown().cloned(),
                oneway,
                deadline: cx.deadline,
                bytes_in,
                bytes_out: 0,
                began: Instant::now(),
                span,
                told: false,
            };
            for plugin in self.plugins(Moments::BEGIN) {
                let begin = || plugin.on_begin(&CallInfo(&watch));
                let _ = catch_unwind(AssertUnwindSafe(begin));
            }
            Box::new(watch)
        })
    }

    /// Asks about a connection.
    pub(super) fn connect(self: &Arc<Gate>, peer: &Peer) -> Result<Option<Entry>, Status> {
        if !self.moments.has(Moments::CONNECT | Moments::CLOSE) {
            return Ok(None);
        }
        let mut entry =
            Entry { gate: Arc::clone(self), peer: peer.clone(), passed: 0, deciding: None };
        entry.ask()?;
        Ok(Some(entry))
    }
}

/// Walks through the gate from one step on.
async fn walk(
    gate: Arc<Gate>,
    from: usize,
    mut cx: Cx,
    first: Option<Deciding>,
) -> Result<Cx, Status> {
    if let Some(deciding) = first {
        deciding.await?;
    }
    for step in &gate.steps[from..] {
        match step {
            Step::Plugin(plugin, moments) if moments.has(Moments::CALL) => {
                match hook(|| plugin.on_call(&cx)) {
                    Verdict::Go => {}
                    Verdict::Stop(status) => return Err(status),
                    Verdict::Wait(deciding) => deciding.await?,
                }
            }
            Step::Plugin(..) => {}
            Step::Auth(auth) => {
                let user = auth.check(&cx).await?;
                cx.admit(user);
            }
        }
    }
    Ok(cx)
}

/// Polls a walk. A panic refuses.
pub(crate) fn poll(walk: &mut Passage, cx: &mut Context<'_>) -> Poll<Result<Cx, Status>> {
    let polled = AssertUnwindSafe(|| pin!(unconstrained(walk.as_mut())).poll(cx));
    catch_unwind(polled).unwrap_or_else(|_| Poll::Ready(Err(panicked())))
}

/// Asks a plugin. A panic refuses.
fn hook(ask: impl FnOnce() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| Verdict::Stop(panicked()))
}

#[cold]
fn panicked() -> Status {
    Status::internal("[service internal error]: the gate panicked")
}

/// Sees one call's end, whatever that is: also if it is just dropped.
pub(crate) struct Watch {
    gate: Arc<Gate>,
    pub(super) conn: Arc<ConnInfo>,
    pub(super) to: MethodId,
    pub(super) unknown: Option<(Str, Str)>,
    pub(super) oneway: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) bytes_in: usize,
    pub(super) bytes_out: usize,
    pub(super) began: Instant,
    span: Span,
    told: bool,
}

impl Watch {
    /// What the handler runs in.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Tells everybody how the call ended, once.
    pub(crate) fn end(&mut self, outcome: Outcome<'_>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        match outcome {
            Outcome::Done => span::end(&self.span, None, true),
            Outcome::Failed(status) => span::end(&self.span, Some(status), true),
            Outcome::Lost => {
                self.span.record("status", "lost");
            }
        }
        for plugin in self.gate.plugins(Moments::REPLY) {
            let tell = || plugin.on_reply(&CallInfo(self), outcome);
            let _ = catch_unwind(AssertUnwindSafe(tell));
        }
    }

    /// Tells everybody that it was answered, with a body of so many bytes.
    pub(crate) fn done(&mut self, bytes_out: usize) {
        self.bytes_out = bytes_out;
        self.end(Outcome::Done);
    }

    /// The names that were called.
    pub(super) fn names(&self) -> (&str, &str) {
        match &self.unknown {
            Some((service, method)) => (service, method),
            None => {
                let entry = self.conn.router.entry(self.to);
                (&entry.service, &entry.name)
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end(Outcome::Lost);
    }
}

/// A connection on its way in, and then in: whoever let it in is told when it is gone.
pub(super) struct Entry {
    gate: Arc<Gate>,
    peer: Peer,
    /// How many steps let it in.
    passed: usize,
    deciding: Option<Deciding>,
}

impl Entry {
    /// Asks the steps that were not asked yet, until one must be waited for.
    fn ask(&mut self) -> Result<(), Status> {
        while let Some(step) = self.gate.steps.get(self.passed) {
            if let Step::Plugin(plugin, moments) = step
                && moments.has(Moments::CONNECT)
            {
                match hook(|| plugin.on_connect(&self.peer)) {
                    Verdict::Go => {}
                    Verdict::Stop(status) => return Err(status),
                    Verdict::Wait(deciding) => {
                        self.deciding = Some(deciding);
                        return Ok(());
                    }
                }
            }
            self.passed += 1;
        }
        Ok(())
    }

    /// Ready when all have let it in, or one has not.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        while let Some(deciding) = &mut self.deciding {
            let polled = catch_unwind(AssertUnwindSafe(|| deciding.as_mut().poll(cx)));
            match polled.unwrap_or_else(|_| Poll::Ready(Err(panicked()))) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(status)) => return Poll::Ready(Err(status)),
                Poll::Ready(Ok(())) => {
                    self.deciding = None;
                    self.passed += 1;
                    self.ask()?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        for step in &self.gate.steps[..self.passed] {
            if let Step::Plugin(plugin, moments) = step
                && moments.has(Moments::CLOSE)
            {
                let _ = catch_unwind(AssertUnwindSafe(|| plugin.on_close(&self.peer)));
            }
        }
    }
}
