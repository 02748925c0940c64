//! The client: connect, call, share.

mod aside;
mod auth;
mod budget;
mod builder;
mod call;
mod choice;
mod dial;
mod driver;
mod fail;
mod hooked;
mod leave;
mod link;
mod local;
mod many;
mod over;
mod plugin;
mod pool;
mod pulse;
mod pushes;
mod queue;
mod slots;
mod state;
mod streaming;
mod streams;

pub use builder::ClientBuilder;
pub use call::{Call, CallMeta, Oneway, Started, TracedCall};
pub use choice::Choice;
pub use dial::Dialling;
pub use fail::Fail;
pub use many::Select;
pub use over::Over;
pub use plugin::{ClientCall, ClientPlugin, Outgoing};
pub use pushes::{Push, Pushes};
pub use streaming::{StreamCall, Upload};

use crate::{server::MethodInfo, target::Target};
use budget::Budget;
use bytes::Bytes;
use call::{To, start_driver};
use farcall_core::{Compress, Format, Limits, Status, Value};
use farcall_wire::{Protocol, sniff};
use link::{Joins, Link};
use over::Connector;
use plugin::Hooks;
use pool::{Pool, Role, Spread, Taken};
use queue::Place;
use state::Queued;
use std::{fmt, future::poll_fn, sync::Arc, task::Poll, time::Duration};

/// A client of one server. Cheap to clone, shared by any number of tasks, over one connection that
/// is opened when it is needed and reopened when it was lost. Where several addresses are given,
/// each has a connection, and a call takes one that is open: see [`ClientBuilder::addresses`].
///
/// Over HTTP/1.1, where answers come in the order of the calls, a connection is one call's at a
/// time: there are as many as there are calls at once, up to `Limits::connections_per_client`.
///
/// Options set on a client are the defaults of its calls; clones keep their own.
#[derive(Clone)]
pub struct Client {
    pub(crate) handle: Arc<Handle>,
    pub(crate) defaults: Defaults,
}

/// What the clones of a client hold together; the last one to go closes the connection.
pub(crate) struct Handle {
    /// The link; where there are several, one that is never opened and knows the target.
    pub(crate) link: Arc<Link>,
    pub(crate) role: Role,
    /// What retries come out of; none where a handle is not the client's own.
    pub(crate) budget: Option<Box<Budget>>,
}

impl Handle {
    fn alone(link: Link) -> Handle {
        Handle { link: Arc::new(link), role: Role::Alone, budget: None }
    }

    /// A call on this handle is over.
    #[inline]
    pub(crate) fn done(&self) {
        if let Role::Lent(loan) = &self.role {
            loan.give_back(&self.link);
        }
    }

    /// The links that calls go to now.
    fn links(&self) -> Vec<Arc<Link>> {
        match &self.role {
            Role::Alone | Role::Lent(_) => vec![Arc::clone(&self.link)],
            Role::Spread(spread) => spread.handles().iter().map(|h| Arc::clone(&h.link)).collect(),
            Role::Front(pool) => pool.close(),
            Role::Many(many) => many.close(),
            Role::Local(local) => local.close(),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !matches!(self.role, Role::Lent(_)) {
            self.link.joins.inbox.close();
        }
        match &self.role {
            Role::Alone => self.link.close(),
            Role::Front(pool) => drop(pool.close()),
            Role::Lent(loan) => loan.give_back(&self.link),
            // Those have handles of their own.
            Role::Spread(_) | Role::Many(_) | Role::Local(_) => {}
        }
    }
}

/// A place in the line, until the connection is open.
struct Ready<'l> {
    link: &'l Link,
    queued: Option<Queued>,
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        if let Some(queued) = self.queued.take() {
            self.link.leave(queued);
        }
    }
}

/// A place in the line of a pool, until a link is lent.
struct InLine<'p> {
    pool: &'p Arc<Pool>,
    place: Option<Place>,
}

impl InLine<'_> {
    async fn wait(pool: &Arc<Pool>) -> Result<Arc<Handle>, Status> {
        let mut line = InLine { pool, place: None };
        poll_fn(|cx| match line.pool.take(line.place.take(), cx.waker()) {
            Ok(Taken::Link(handle)) => Poll::Ready(Ok(handle)),
            Ok(Taken::Line(place)) => {
                line.place = Some(place);
                Poll::Pending
            }
            Err(status) => Poll::Ready(Err(status)),
        })
        .await
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.pool.leave(place);
        }
    }
}

/// What a call does unless it says otherwise.
#[derive(Clone)]
pub(crate) struct Defaults {
    pub(crate) format: Format,
    pub(crate) compress: Compress,
    pub(crate) timeout: Option<Duration>,
    pub(crate) meta: Option<Arc<Vec<(String, String)>>>,
    pub(crate) service: Option<Arc<str>>,
    pub(crate) fail: Fail,
    pub(crate) idempotent: bool,
    /// The call is to be shown to plugins or interceptors.
    pub(crate) hooked: bool,
    /// There are hooks, or a call may be made more than once: the one test for both.
    pub(crate) minds: bool,
}

/// A typed client: what `#[service]` makes beside a service's trait.
pub trait ServiceClient: Sized {
    /// The service's name.
    const SERVICE: &'static str;
    /// Calls through this client.
    fn from_client(client: Client) -> Self;
}

impl ServiceClient for Client {
    const SERVICE: &'static str = "";
    fn from_client(client: Client) -> Client {
        client
    }
}

impl Client {
    /// Connects to `PROTOCOL[+TRANSPORT]://HOST:PORT`.
    pub async fn connect(url: impl AsRef<str>) -> Result<Client, Status> {
        Client::builder(url).build().await
    }

    /// A client that connects when it is first used.
    pub fn lazy(url: impl AsRef<str>) -> Result<Client, Status> {
        Client::builder(url).lazy()
    }

    /// A client with settings of its own.
    pub fn builder(url: impl AsRef<str>) -> ClientBuilder<Client> {
        ClientBuilder::new(url)
    }

    /// A client over a server in this process, or over a stream of the caller's; rpcx is spoken.
    pub fn over(io: impl Over) -> Client {
        Client::over_by(sniff::PROTOCOLS[0], io)
    }

    /// The same, speaking the protocol of this name: `rpcx`, `netrpc`, `jsonrpc`,
    /// `http`. Over a stream HTTP/1.1 makes one call at a time, the others wait their turn.
    pub fn over_as(protocol: &str, io: impl Over) -> Result<Client, Status> {
        match sniff::by_name(protocol).filter(|protocol| protocol.has_client()) {
            Some(protocol) => Ok(Client::over_by(protocol, io)),
            None => {
                let text = format!("there is no client of the protocol `{protocol}`");
                Err(Status::invalid_argument(text))
            }
        }
    }

    /// The same, speaking a protocol that is not built in.
    pub fn over_protocol(protocol: &'static dyn Protocol, io: impl Over) -> Client {
        Client::over_by(protocol, io)
    }

    fn over_by(protocol: &'static dyn Protocol, io: impl Over) -> Client {
        let (target, limits) = (Target::given(protocol), Limits::default());
        let joins = Joins::new(&limits, Hooks::default());
        let handle = Client::handle_of(target, &limits, Connector::over(io), (None, false), joins);
        Client::new(handle)
    }

    fn new(mut handle: Handle) -> Client {
        let Link { target, limits, .. } = &*handle.link;
        let defaults = Defaults {
            format: target.protocol.default_format(),
            compress: Compress::None,
            timeout: limits.call_time,
            meta: None,
            service: None,
            fail: Fail::Fast,
            idempotent: false,
            hooked: false,
            minds: false,
        };
        let hooked = handle.link.joins.hooks.as_ref().is_some_and(|hooks| hooks.minds_calls());
        let defaults = Defaults { hooked, minds: hooked, ..defaults };
        handle.budget = Some(Box::new(Budget::new(limits)));
        Client { handle: Arc::new(handle), defaults }
    }

    #[inline]
    pub(crate) fn link(&self) -> &Link {
        &self.handle.link
    }

    /// Gives calls this long; servers are told. Default 10 s (`Limits::call_time`). Calls that
    /// stream have no deadline but one of their own.
    #[must_use]
    pub fn deadline(mut self, time: Duration) -> Client {
        self.defaults.timeout = Some(time);
        self
    }

    /// Sends metadata along with every call.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Client {
        let meta = self.defaults.meta.get_or_insert_default();
        Arc::make_mut(meta).push((key.into(), value.into()));
        self
    }

    /// Encodes bodies this way. Default: the protocol's; over rpcx MessagePack, as Go's client.
    #[must_use]
    pub fn format(mut self, format: Format) -> Client {
        self.defaults.format = format;
        self
    }

    /// Compresses bodies this way, if it is worth it. Default not at all.
    #[must_use]
    pub fn compress(mut self, compress: Compress) -> Client {
        self.defaults.compress = compress;
        self
    }

    /// Calls typed methods under this service name instead of their own.
    #[must_use]
    pub fn named(mut self, service: impl Into<String>) -> Client {
        self.defaults.service = Some(Arc::from(service.into()));
        self
    }

    /// Where the client calls.
    pub fn target(&self) -> &Target {
        &self.link().target
    }

    /// Waits until the connection is open, for as long as one attempt takes; over HTTP/1.1 until
    /// there is one, and all those of [`ClientBuilder::connections`] otherwise.
    pub async fn ready(&self) -> Result<(), Status> {
        match &self.handle.role {
            Role::Alone | Role::Lent(_) => Client::open(&self.handle).await,
            Role::Many(many) => many.ready().await.map_err(|status| self.link().place(status)),
            Role::Front(pool) => Client::open(&*InLine::wait(pool).await?).await,
            Role::Spread(spread) => Client::open_all(spread).await,
            Role::Local(local) => {
                let here = local.here()?;
                match &here.role {
                    Role::Spread(spread) => Client::open_all(spread).await,
                    _ => Client::open(&here).await,
                }
            }
        }
    }

    async fn open_all(spread: &Spread) -> Result<(), Status> {
        for handle in spread.handles() {
            Client::open(handle).await?;
        }
        Ok(())
    }

    async fn open(handle: &Handle) -> Result<(), Status> {
        let mut waits = Ready { link: &handle.link, queued: None };
        poll_fn(|cx| {
            if waits.link.claim_driver() {
                start_driver(&handle.link)?;
            }
            // The link takes the place in any case, and gives one back if the caller must wait.
            waits.queued = waits.link.ready(cx.waker(), waits.queued.take())?;
            if waits.queued.is_some() { Poll::Pending } else { Poll::Ready(Ok(())) }
        })
        .await
    }

    /// Closes the client, all its clones included: calls that are not on their way yet fail, calls
    /// that wait for their replies are waited for, and so is the output, one-way calls included,
    /// until it is written. All that for at most `Limits::call_time` (`Limits::drain_time`, if that
    /// is none); an error says that it was not enough.
    ///
    /// A client that is dropped does the same, and nobody hears how it went.
    pub async fn close(&self) -> Result<(), Status> {
        let links = self.handle.links();
        links.iter().for_each(|link| link.close());
        self.link().joins.inbox.close();
        let mut written = true;
        for link in &links {
            written &= poll_fn(|cx| link.poll_closed(cx.waker())).await;
        }
        match written {
            true => Ok(()),
            false => Err(self.link().place(Status::deadline_exceeded(
                "the client was closed before all its calls were written and answered",
            ))),
        }
    }

    /// Calls a method of a `#[service]`.
    #[inline]
    pub fn method<Req, Resp>(&self, info: &'static MethodInfo, request: Req) -> Call<Req, Resp> {
        Call::new(self.clone(), To::Static(info), request)
    }

    /// Calls by name, without types: `client.call("Arith.Mul", json!({"A": 6, "B": 7}))`. The last
    /// dot splits service and method.
    pub fn call(&self, name: impl AsRef<str>, request: Value) -> Call<Value, Value> {
        self.call_as(name, request)
    }

    /// Calls by name, with types.
    pub fn call_as<Req, Resp>(&self, name: impl AsRef<str>, request: Req) -> Call<Req, Resp> {
        let name = name.as_ref();
        let (service, method) = name.rsplit_once('.').unwrap_or(("", name));
        let names = Arc::new((service.to_owned(), method.to_owned()));
        let mut client = self.clone();
        client.defaults.service = None;
        Call::new(client, To::Named(names), request)
    }

    /// Calls by name, with bytes as they are: neither they nor those of the reply are encoded here.
    /// They go as [`Format::Raw`]; [`format`](Call::format) says what else they are.
    pub fn call_raw(&self, name: impl AsRef<str>, body: impl Into<Bytes>) -> Call<Bytes, Bytes> {
        self.call_as(name, body.into()).format(Format::Raw).in_bytes()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(self.target()).finish()
    }
}
