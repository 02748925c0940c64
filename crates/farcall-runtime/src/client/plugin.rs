//! Plugins and interceptors of a client: who is asked, and what they are shown.

use super::{Choice, ClientBuilder, Dialling, link::Link};
use crate::{
    answer::{Answer, Around, Encoded, Given, Reading},
    net::Socket,
    server::{MethodInfo, Moments, Outcome, Verdict},
};
use bytes::Bytes;
use farcall_core::{Body, Compress, Format, Meta, Put, Status, Streams, Take};
use std::{
    fmt,
    future::{Future, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::Instant;

/// Something that watches a client's calls and connections go by, and may refuse calls. See
/// [`ClientBuilder::plug`].
///
/// Hooks are asked in the order in which plugins were added, where the call is polled: one that
/// computes long holds up others, [`Verdict::Wait`] does not. A hook that panics refuses.
pub trait ClientPlugin: Send + Sync + 'static {
    /// When to ask. Read once, when the client is built.
    fn moments(&self) -> Moments;

    /// A call begins, and nobody was asked about it yet. [`on_reply`](ClientPlugin::on_reply) tells
    /// the end of every call that was begun, and of no other.
    fn on_begin(&self, call: &ClientCall) {
        let _ = call;
    }

    /// A call begins: once for each, however often it is tried. Metadata may be added. Not asked if
    /// an earlier plugin refused the call.
    fn on_call(&self, call: &mut Outgoing) -> Verdict {
        let _ = call;
        Verdict::Go
    }

    /// A call has come to its end, whatever that is: its answer was read, it failed, or its caller
    /// gave it up, which is [`Outcome::Lost`]. Once for every call that reached the first plugin. A
    /// call that is answered with a stream ends with that.
    fn on_reply(&self, call: &ClientCall, outcome: Outcome<'_>) {
        let _ = (call, outcome);
    }

    /// A connection was dialled, and nothing was said over it. It may be wrapped
    /// ([`Socket::wrap`]), used for a while, or refused: that is an attempt to connect that has
    /// failed. Dialling and all plugins together have `Limits::connect_time`.
    fn on_dial(&self, socket: Socket) -> Dialling {
        Box::pin(ready(Ok(socket)))
    }

    /// An address is to be chosen for a call of a client that has several, one of them being open:
    /// once for each attempt. The answer is its place in the [`Choice`], or none, which leaves it
    /// to later plugins and at last to [`Select`](super::Select). An address that cannot be called
    /// now is asked to connect, and the call goes elsewhere.
    fn on_select(&self, call: &ClientCall, choice: &Choice<'_>) -> Option<usize> {
        let _ = (call, choice);
        None
    }

    /// An attempt has failed, or met a server that leaves, and another is made: once for each.
    fn on_retry(&self, call: &ClientCall, failed: &Status) {
        let _ = (call, failed);
    }

    /// A connection was opened.
    fn on_connect(&self, address: &str) {
        let _ = address;
    }

    /// An attempt to open a connection has failed.
    fn on_miss(&self, address: &str, why: &Status) {
        let _ = (address, why);
    }

    /// A connection that was opened is gone: once for each.
    fn on_close(&self, address: &str) {
        let _ = address;
    }
}

/// What is known of a client's call.
#[derive(Debug)]
pub struct ClientCall {
    pub(super) protocol: &'static str,
    pub(super) info: Option<&'static MethodInfo>,
    pub(super) service: String,
    pub(super) method: String,
    pub(super) oneway: bool,
    pub(super) streams: Streams,
    pub(super) format: Format,
    pub(super) deadline: Option<Instant>,
    pub(super) began: Instant,
}

impl ClientCall {
    /// The protocol's name: `rpcx`.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// The service's name, as it is called.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The method's name, as it is called.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The method of a `#[service]`; none for calls by name, whose names may be anybody's
    /// invention: do not let them become labels of a metric. Its service may be called under
    /// another name ([`Client::named`](super::Client::named)).
    pub fn info(&self) -> Option<&'static MethodInfo> {
        self.info
    }

    /// Whether no answer is wanted.
    pub fn oneway(&self) -> bool {
        self.oneway
    }

    /// Which sides are streams. Items are not shown to interceptors.
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// How the argument goes out.
    pub fn format(&self) -> Format {
        self.format
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time since the call began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// A call that is about to leave, in the hands of a plugin or an interceptor.
pub struct Outgoing {
    call: Arc<ClientCall>,
    hooks: Arc<Hooks>,
    /// How many interceptors have it already.
    at: usize,
    /// The call's metadata, the client's included.
    meta: Vec<(String, String)>,
    argument: Option<Bytes>,
    reading: Reading,
    /// Where the call itself waits to be let go.
    cell: Arc<Mutex<Cell>>,
}

/// What a call and its interceptors tell each other.
#[derive(Default)]
pub(super) struct Cell {
    /// The call is to be made, with this metadata.
    go: Option<Vec<(String, String)>>,
    /// Who makes it.
    caller: Option<Waker>,
    /// What became of it.
    answer: Option<Answer>,
    waker: Option<Waker>,
}

pub(super) fn lock(cell: &Mutex<Cell>) -> MutexGuard<'_, Cell> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The format of what interceptors see of a call: gob says its types beside its values, so they are
/// shown JSON in its place.
pub(super) fn shown(format: Format) -> Format {
    if format == Format::Gob { Format::Json } else { format }
}

impl Outgoing {
    pub(super) fn new(
        call: &Arc<ClientCall>,
        hooks: &Arc<Hooks>,
        meta: Vec<(String, String)>,
        reading: Reading,
    ) -> Outgoing {
        let (call, hooks, cell) = (Arc::clone(call), Arc::clone(hooks), Arc::default());
        Outgoing { call, hooks, at: 0, meta, argument: None, reading, cell }
    }

    /// With its argument, encoded.
    pub(super) fn carrying(mut self, argument: Option<Bytes>) -> (Outgoing, Arc<Mutex<Cell>>) {
        self.argument = argument;
        let cell = Arc::clone(&self.cell);
        (self, cell)
    }

    /// What is known of the call.
    pub fn call(&self) -> &ClientCall {
        &self.call
    }

    pub(super) fn into_meta(self) -> Vec<(String, String)> {
        self.meta
    }

    /// The metadata that goes along.
    pub fn meta(&self) -> &[(String, String)] {
        &self.meta
    }

    /// Sends metadata along, in place of what was there under this key.
    pub fn set_meta(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        self.meta.retain(|(other, _)| *other != key);
        self.meta.push((key, value.into()));
    }

    /// The argument as it will be on the wire, before it is compressed; as JSON over net/rpc. None
    /// for plugins, and where the argument is a stream.
    pub fn body(&self) -> Option<&Bytes> {
        self.argument.as_ref()
    }

    /// The argument, decoded: [`Value`](farcall_core::Value) or the method's own type.
    ///
    /// # Errors
    /// `FailedPrecondition` where there is none to see, `InvalidArgument` where it is not of that
    /// type.
    pub fn argument<T: Take>(&self) -> Result<T, Status> {
        let Some(body) = &self.argument else {
            return Err(Status::failed_precondition("there is no argument to be seen"));
        };
        let body = Body::from(body.clone());
        self.reading.decode(shown(self.call.format), Compress::None, &body)
    }

    /// Answers in the server's place: nothing is sent.
    pub fn answer<T: Put>(self, value: &T) -> Answer {
        if self.call.streams.outbound {
            return Status::internal("a stream was answered with one result").into();
        }
        let (format, reading) = (shown(self.call.format), self.reading);
        let body = match reading.encode(format, value) {
            Ok(body) => Body::from(body),
            Err(fault) => {
                return Status::internal(format!("the answer cannot be written: {fault}")).into();
            }
        };
        let (compress, meta) = (Compress::None, Meta::default());
        let given = Encoded { format, compress, body, meta, shape: None, reading };
        Answer { outcome: Ok(Given::Value(Box::new(given))), set: Vec::new() }
    }

    /// Runs the next interceptor, and at last makes the call, with as many attempts as it takes.
    /// Given up, it gives the call up.
    pub async fn run(mut self) -> Answer {
        self.at += 1;
        let hooks = Arc::clone(&self.hooks);
        if let Some(next) = hooks.around.get(self.at - 1) {
            return next(self).await;
        }
        let caller = {
            let mut cell = lock(&self.cell);
            cell.go = Some(std::mem::take(&mut self.meta));
            cell.caller.take()
        };
        caller.into_iter().for_each(Waker::wake);
        poll_fn(|cx| {
            let mut cell = lock(&self.cell);
            match cell.answer.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    cell.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Cell {
    /// The call's metadata, if it is to be made now.
    pub(super) fn take_go(&mut self, cx: &Context<'_>) -> Option<Vec<(String, String)>> {
        let go = self.go.take();
        if go.is_none() {
            self.caller = Some(cx.waker().clone());
        }
        go
    }

    /// The call has ended so.
    pub(super) fn tell(&mut self, answer: Answer) -> Option<Waker> {
        self.answer = Some(answer);
        self.waker.take()
    }
}

/// All plugins and interceptors of a client.
#[derive(Default)]
pub(crate) struct Hooks {
    plugins: Vec<(Box<dyn ClientPlugin>, Moments)>,
    moments: Moments,
    pub(super) around: Vec<Around<Outgoing>>,
}

impl Hooks {
    pub(super) fn any(&self) -> bool {
        !self.plugins.is_empty() || !self.around.is_empty()
    }

    /// Whether calls are shown to anybody.
    pub(super) fn minds_calls(&self) -> bool {
        let calls = Moments::BEGIN | Moments::CALL | Moments::REPLY | Moments::RETRY;
        self.moments.has(calls | Moments::SELECT) || !self.around.is_empty()
    }

    pub(super) fn minds(&self, at: Moments) -> bool {
        self.moments.has(at)
    }

    /// All that want to be asked at this moment.
    pub(super) fn plugins(&self, at: Moments) -> impl Iterator<Item = &dyn ClientPlugin> {
        self.plugins.iter().filter(move |(_, moments)| moments.has(at)).map(|(plugin, _)| &**plugin)
    }

    /// All that want to be told at this moment. A panic of theirs is theirs alone.
    pub(super) fn tell(&self, at: Moments, tell: impl Fn(&dyn ClientPlugin)) {
        if !self.moments.has(at) {
            return;
        }
        for plugin in self.plugins(at) {
            let _ = catch_unwind(AssertUnwindSafe(|| tell(plugin)));
        }
    }

    /// Asks from this plugin on, until one does not say go; which one that is.
    pub(super) fn ask(&self, from: usize, call: &mut Outgoing) -> (usize, Verdict) {
        for (at, (plugin, moments)) in self.plugins.iter().enumerate().skip(from) {
            if !moments.has(Moments::CALL) {
                continue;
            }
            let verdict = catch_unwind(AssertUnwindSafe(|| plugin.on_call(call)));
            match verdict.unwrap_or_else(|_| Verdict::Stop(panicked())) {
                Verdict::Go => {}
                verdict => return (at + 1, verdict),
            }
        }
        (self.plugins.len(), Verdict::Go)
    }
}

/// An open connection: whoever was told of it is told when it is gone.
pub(super) struct Opened {
    hooks: Arc<Hooks>,
    address: String,
}

impl Opened {
    pub(super) fn new(link: &Link) -> Option<Opened> {
        let hooks = Arc::clone(link.joins.hooks.as_ref()?);
        let address = link.target.address.to_string();
        hooks.tell(Moments::CONNECT, |plugin| plugin.on_connect(&address));
        Some(Opened { hooks, address })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.hooks.tell(Moments::CLOSE, |plugin| plugin.on_close(&self.address));
    }
}

impl Link {
    /// An attempt to connect has failed.
    pub(super) fn missed(&self, why: &Status) {
        if let Some(hooks) = &self.joins.hooks {
            let address = self.target.address.to_string();
            hooks.tell(Moments::MISS, |plugin| plugin.on_miss(&address, why));
        }
    }
}

#[cold]
pub(super) fn panicked() -> Status {
    Status::internal("a plugin or an interceptor of the client panicked")
}

impl<C> ClientBuilder<C> {
    /// Adds a plugin, which watches calls and connections go by and may refuse calls. Plugins are
    /// asked in the order in which they were added, and before all interceptors.
    pub fn plug(mut self, plugin: impl ClientPlugin) -> Self {
        let moments = plugin.moments();
        self.hooks.moments = self.hooks.moments | moments;
        self.hooks.plugins.push((Box::new(plugin), moments));
        self
    }

    /// Adds an async function around all calls: it is given the call before it is tried and
    /// [`run`](Outgoing::run)s it, or does not. Interceptors run in the order in which they were
    /// added, each around all that come after. It is asked once for each call, however often that
    /// is tried; one that panics has failed the call, and at the call's deadline it is dropped.
    ///
    /// A call that is answered with a stream is over for interceptors when the stream begins.
    ///
    /// ```ignore
    /// ArithClient::builder(url).intercept(|mut call: Outgoing| async move {
    ///     call.set_meta("tenant", "blue");
    ///     call.run().await
    /// })
    /// ```
    pub fn intercept<F, Fut>(mut self, around: F) -> Self
    where
        F: Fn(Outgoing) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.hooks.around.push(Box::new(move |call| Box::pin(around(call))));
        self
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("call", &self.call).finish_non_exhaustive()
    }
}
