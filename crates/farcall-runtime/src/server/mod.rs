//! The server: build it, add services, listen, run.

mod accept;
mod alias;
mod allow;
mod auth;
mod bound;
mod conns;
mod cores;
mod cx;
mod drain;
mod fallback;
mod func;
mod gate;
mod happening;
mod inherit;
mod intercept;
mod known;
mod method;
mod plugin;
mod push;
mod reflect;
mod reply;
mod review;
mod router;
mod spares;
mod streaming;
mod transport;
mod web;

pub use allow::{Allow, Deny};
pub use auth::{Auth, Token};
pub use bound::{Bound, Memory};
pub use cx::Cx;
pub(crate) use cx::{Back, ConnInfo, More};
pub use drain::ShutdownHandle;
pub(crate) use gate::{Passage, Watch, poll as poll_passage};
pub use happening::{Happening, Served};
pub use inherit::inherits;
pub use intercept::Incoming;
pub(crate) use intercept::{Intercepted, Setting};
pub(crate) use known::Asked;
pub use method::{MethodInfo, Methods, Service, block_on};
pub(crate) use method::{Ran, Running};
pub use plugin::{CallInfo, Deciding, Moments, Outcome, Plugin, Verdict};
pub use push::{Notice, Pusher};
pub(crate) use reply::{Reply, Rules, write_failure};
pub use review::Finding;
#[cfg(feature = "tls")]
pub(crate) use review::{Clients, for_others};
pub(crate) use router::{Entry, Seen};
pub use web::{Answering, HttpRequest, HttpResponse, IntoPage, Page};
#[cfg(feature = "tower")]
pub use web::{ByTower, HttpBody, HttpService};

use crate::{
    answer::Around,
    conn::Late,
    limits::sane,
    net::{self, Stream, Tcp},
    target::speak,
};
use conns::{Conns, Refused};
use farcall_core::{Cors, Limits, SourcedLimits, Status};
use farcall_wire::{Known, Protocol, sniff::Spoken};
use gate::Gate;
use push::Outbox;
use router::Router;
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::io::{AsyncRead, AsyncWrite};
use web::Web;

/// A server that is being built.
///
/// Every protocol is on unless [`speak`](Server::speak) names fewer. Errors of building (two
/// methods of one name, an unknown protocol) come out of [`listen`](Server::listen).
#[derive(Default)]
pub struct Server {
    entries: Vec<Entry>,
    settings: review::Settings,
    protocols: Option<Vec<String>>,
    given: Vec<&'static dyn Protocol>,
    spawn: bool,
    listed: bool,
    gate: Gate,
    around: Vec<Around<Incoming>>,
    counted: bool,
    web: Web,
    aliases: Vec<alias::Alias>,
    described: Vec<(String, String)>,
    fallback: Option<Entry>,
    known: Asked,
    tcp: Tcp,
    /// Threads of its own; 0: none.
    cores: usize,
    #[cfg(feature = "tls")]
    tls: Option<net::tls::Tls>,
}

impl Server {
    /// A server without services.
    pub fn new() -> Server {
        Server::default()
    }

    /// Adds a service.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "nobody adds a service to a server with `+`")]
    pub fn add(mut self, service: impl Service) -> Server {
        let mut methods = Methods { service: service.name().to_owned(), entries: Vec::new() };
        service.register(&mut methods);
        self.entries.append(&mut methods.entries);
        self
    }

    /// Sets the limits: [`Limits`], or [`SourcedLimits`], which know
    /// where their values came from.
    #[must_use]
    pub fn limits(mut self, limits: impl Into<SourcedLimits>) -> Server {
        self.settings.limits = limits.into();
        self
    }

    /// Speaks only these protocols.
    #[must_use]
    pub fn speak<N: Into<String>>(mut self, protocols: impl IntoIterator<Item = N>) -> Server {
        self.protocols = Some(protocols.into_iter().map(Into::into).collect());
        self
    }

    /// Speaks a protocol that is not built in, too. It is asked for the first bytes of a connection
    /// before those that are; [`speak`](Server::speak) may name it.
    #[must_use]
    pub fn protocol(mut self, protocol: &'static dyn Protocol) -> Server {
        self.given.push(protocol);
        self
    }

    /// Makes every handler a task from the start, instead of polling it first where the bytes
    /// arrived: for code that computes long or blocks.
    #[must_use]
    pub fn spawn_handlers(mut self) -> Server {
        self.spawn = true;
        self
    }

    /// Lets peers read the names of all services and methods: `GET /` lists them, with a curl line
    /// each. Off unless it is asked for.
    #[must_use]
    pub fn list_services(mut self) -> Server {
        if !std::mem::replace(&mut self.listed, true) {
            self.web.list();
        }
        self
    }

    /// Shows Go's page of net/rpc at `GET /debug/rpc`: services, methods, and how often each was
    /// called. Off unless it is asked for.
    #[must_use]
    pub fn debug_rpc(mut self) -> Server {
        if !std::mem::replace(&mut self.counted, true) {
            self.web.debug();
        }
        self
    }

    /// Says at `GET /healthz` whether calls are taken: 200 and `ok`, or 503 once the server was
    /// told to stop. Off unless it is asked for.
    #[must_use]
    pub fn health(mut self) -> Server {
        self.web.health();
        self
    }

    /// Serves HTTP requests to a path, and to all below it, by something that is no method: an
    /// async function from [`HttpRequest`] to [`HttpResponse`], or with the feature `tower` any
    /// tower service. Of nested paths the longest holds. What is mounted at `/` is given what
    /// nothing else takes.
    ///
    /// A path that is none, or is taken, is an error of [`listen`](Server::listen).
    #[must_use]
    pub fn mount<By>(mut self, path: impl Into<String>, page: impl IntoPage<By>) -> Server {
        self.web.mounts.push((path.into(), page.into_page()));
        self
    }

    /// Takes JSON-RPC by POST at this path too, beside `/jsonrpc`.
    #[must_use]
    pub fn jsonrpc_at(mut self, path: impl Into<String>) -> Server {
        self.web.jsonrpc.push(path.into());
        self
    }

    /// Where HTTP's `CONNECT` leads to net/rpc. Default `/_goRPC_`, as in Go.
    #[must_use]
    pub fn netrpc_at(mut self, path: impl Into<String>) -> Server {
        self.web.netrpc = path.into();
        self
    }

    /// Where HTTP's `CONNECT` leads to rpcx. Default `/_rpcx_`, as in Go.
    #[must_use]
    pub fn rpcx_at(mut self, path: impl Into<String>) -> Server {
        self.web.rpcx = path.into();
        self
    }

    /// Lets web pages of other origins call over HTTP. Without it they are refused.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Server {
        self.web.cors = Some(cors);
        self
    }

    /// Adds a plugin, which watches connections and calls go by and may refuse them, on every
    /// protocol and before bodies are looked at. Plugins are asked in the order in which they were
    /// added, and [`auth`](Server::auth) has its place among them: those added after it see who
    /// calls.
    #[must_use]
    pub fn plug(mut self, plugin: impl Plugin) -> Server {
        self.gate.plug(Box::new(plugin));
        self
    }

    /// Gives every call a place in a trace: the one its caller named in the metadata `traceparent`
    /// and `tracestate` (W3C Trace Context; fields of the head over HTTP), or a new one. Handlers
    /// find it by [`Cx::trace`], and run in a span of the crate `tracing`, where somebody
    /// subscribes to the level `INFO`.
    #[must_use]
    pub fn traced(mut self) -> Server {
        self.gate.trace();
        self
    }

    /// Serves only those whose credentials pass this check, on every protocol, before bodies are
    /// looked at; handlers find who calls by [`Cx::get`]. Strangers are not told what there is: a
    /// method that does not exist is refused like one that does, and no list is given out. Of
    /// several checks all must pass.
    #[must_use]
    pub fn auth(mut self, auth: impl Auth) -> Server {
        self.gate.auth(Box::new(auth));
        self
    }

    /// Binds an address: `tcp://HOST:PORT` (port 0 takes a free one), `tls://HOST:PORT` (the same,
    /// and an error where the server has no certificate), `unix:///PATH` or `mem://NAME`, with
    /// `?speak=rpcx,http` where fewer protocols are to be spoken than by the server. `fd://3` is a
    /// listening TCP socket that was passed to this process, by number or by its name in
    /// `LISTEN_FDNAMES`.
    ///
    /// A socket file gets its permissions from the process's umask: it is the folder that should
    /// say who may connect. The file goes with its listener; one that was left behind, so that
    /// nobody listens on it, is replaced.
    pub async fn listen(self, url: impl AsRef<str>) -> Result<Bound, Status> {
        Bound::new(self.freeze()?).listen(url).await
    }

    /// Serves all listeners that systemd, or another parent, passed to this process by
    /// `LISTEN_FDS`. None is an error. Connections made while no process accepts are served by the
    /// one that comes next.
    pub fn serve_inherited(self) -> Result<Bound, Status> {
        Bound::new(self.freeze()?).serve_inherited()
    }

    /// Serves a listener that was bound elsewhere.
    pub fn serve_listener(self, listener: tokio::net::TcpListener) -> Result<Bound, Status> {
        Bound::new(self.freeze()?).serve_listener(listener)
    }

    /// The same, speaking only these of the server's protocols there.
    pub fn serve_listener_as<N: AsRef<str>>(
        self,
        protocols: impl IntoIterator<Item = N>,
        listener: tokio::net::TcpListener,
    ) -> Result<Bound, Status> {
        Bound::new(self.freeze()?).serve_listener_as(protocols, listener)
    }

    /// Serves one connection on a stream of the caller's, until it ends.
    pub async fn serve_stream<T>(self, io: T) -> Result<(), Status>
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        let shared = self.freeze()?;
        match shared.admit(net::wrap(io), shared.spoken) {
            Ok(conn) => {
                conn.await;
                Ok(())
            }
            Err(Refused::Plugin(status)) => Err(status),
            Err(Refused::Full | Refused::Leaving) => {
                Err(Status::resource_exhausted("no connection is allowed (Limits::connections)"))
            }
        }
    }

    /// Serves in this process, without a port: `ArithClient::over(server.memory())`.
    ///
    /// # Panics
    /// When two methods have one name, or [`speak`](Server::speak) named a protocol that is not
    /// built: [`listen`](Server::listen) reports the same as an error.
    pub fn memory(self) -> Memory {
        match self.freeze() {
            Ok(shared) => Memory { shared },
            Err(status) => panic!("{status}"),
        }
    }

    fn freeze(self) -> Result<Arc<Shared>, Status> {
        let mut given = self.given;
        let spoken = match self.protocols {
            None => Spoken::all(),
            Some(mut names) => {
                given.retain(|protocol| names.iter().any(|name| name == protocol.name()));
                names.retain(|name| given.iter().all(|protocol| protocol.name() != name));
                match given.is_empty() || !names.is_empty() {
                    true => speak(names).map_err(Status::invalid_argument)?,
                    false => Spoken::none(),
                }
            }
        };
        let mut settings = self.settings;
        let limits = sane(settings.limits.limits().clone());
        let rules = Rules {
            bounds: limits.bounds(),
            unfolded_bytes: limits.unfolded_bytes,
            message_bytes: limits.message_bytes,
            meta_bytes: limits.meta_bytes,
            spare: limits.stream_bytes / 4,
            as_they_are: false,
        };
        settings.auth = self.gate.secret();
        settings.any_origin = self.web.cors.as_ref().is_some_and(Cors::is_any);
        settings.pages = self.web.own();
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            (settings.clients, settings.open_key) = (tls.clients(), tls.open_key());
        }
        let (about, mut entries) = (self.web.server(), self.entries);
        let methods = entries.len();
        let paths = self.web.freeze(&mut entries)?;
        let pages = entries.split_off(methods);
        let secret = self.gate.secret();
        reflect::check(&self.described, &entries)?;
        let mut router = Router::new(entries, pages, paths, self.listed, secret)?;
        alias::add(self.aliases, &mut router)?;
        let mut gate = self.gate;
        gate.serve(&Served::new(&router, spoken, &given));
        let known = self.known.known()?;
        (router.known, router.bounds) = (known.clone(), limits.bounds());
        router.described = self.described;
        if let Some(fallback) = self.fallback {
            router.fall_back_to(fallback);
        }
        #[cfg(feature = "tls")]
        let tls = self.tls.map(net::tls::Tls::handle).transpose()?;
        let shared = Arc::new(Shared {
            tcp: self.tcp,
            cores: self.cores,
            #[cfg(feature = "tls")]
            tls,
            router: Arc::new(router),
            pushing: Arc::new(limits.clone()),
            settings,
            limits,
            rules,
            spoken,
            given,
            known,
            guarded: gate.minds_calls() || !self.around.is_empty(),
            around: Arc::new(self.around),
            gate: Arc::new(gate),
            spawn: self.spawn,
            counted: self.counted,
            away: Arc::default(),
            conns: Mutex::default(),
            draining: AtomicBool::new(false),
            held: AtomicUsize::new(0),
        });
        let _ = about.set(Arc::downgrade(&shared));
        Ok(shared)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.entries.iter().map(|e| format!("{}.{}", e.service, e.name));
        f.debug_tuple("Server").field(&names.collect::<Vec<_>>()).finish()
    }
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) limits: Limits,
    /// What a review asks for.
    pub(crate) settings: review::Settings,
    /// The same, for what outlives a connection.
    pushing: Arc<Limits>,
    pub(crate) rules: Rules,
    /// What listeners speak unless they name less.
    spoken: Spoken,
    /// Protocols that are not built in; every listener speaks them.
    pub(crate) given: Vec<&'static dyn Protocol>,
    /// Compressions that are not built in, if there are any.
    pub(crate) known: Option<Arc<Known>>,
    pub(crate) gate: Arc<Gate>,
    /// The gate wants to see calls, or there are interceptors.
    pub(crate) guarded: bool,
    /// Interceptors.
    pub(crate) around: Arc<Vec<Around<Incoming>>>,
    pub(crate) spawn: bool,
    /// Calls of each method are counted.
    pub(crate) counted: bool,
    tcp: Tcp,
    /// Threads of its own; 0: none.
    cores: usize,
    #[cfg(feature = "tls")]
    tls: Option<net::tls::TlsHandle>,
    /// Handlers that are away from their connections.
    pub(crate) away: Arc<AtomicUsize>,
    conns: Mutex<Conns>,
    draining: AtomicBool,
    /// How often a handler held its worker too long.
    held: AtomicUsize,
}

impl Shared {
    /// Whether the server was told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// What the calls of a connection share.
    pub(crate) fn info(
        &self,
        stream: &Stream,
        protocol: Option<&'static dyn Protocol>,
        late: &Arc<Late>,
    ) -> Arc<ConnInfo> {
        let pushes = protocol.is_some_and(Protocol::pushes);
        Arc::new(ConnInfo {
            peer: stream.peer.clone(),
            identity: stream.write.identity(),
            protocol: protocol.map_or("", Protocol::name),
            auth_key: protocol.and_then(Protocol::auth_key),
            closed: AtomicBool::new(false),
            router: self.router.clone(),
            away: self.away.clone(),
            outbox: pushes.then(|| Outbox::new(late, Arc::clone(&self.pushing))),
        })
    }
}
