//! Counts of calls and connections: a plugin that adds to plain atomics, and a page of them for
//! Prometheus.

mod client;
#[cfg(feature = "metrics")]
mod facade;
mod rows;
mod text;

#[cfg(test)]
mod tests;

use crate::server::{
    Bound, CallInfo, Happening, HttpRequest, HttpResponse, Moments, Outcome, Page, Plugin, Served,
    Server,
};
pub use client::ClientMetrics;
use client::Links;
use farcall_core::Status;
use rows::{Conns, Key, Row};
use std::{
    collections::BTreeMap,
    fmt,
    future::ready,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Counts calls and connections of the servers it is plugged into: `server.plug(metrics.clone())`.
/// Clients are counted by [`Metrics::client`], on the same page.
///
/// Prometheus finds the numbers at a port of their own ([`Metrics::listen`]); no port of the
/// services shows them, unless the page is mounted there ([`Metrics::page`]). With the feature
/// `metrics` they also go to the recorder of the crate `metrics`, if one was installed before the
/// server was built.
///
/// Calls are told apart by `service`, `method` and `protocol`, and by the `code` they ended with:
/// the names of [`Code`](farcall_core::Code), `ok`, or `lost` where the connection closed first.
/// Methods that do not exist are all counted as `unknown`, because their names are the caller's
/// invention; pages have no service, and their path as method. So there are never more series than
/// the program has methods, for each protocol.
///
/// The names begin with `farcall_server_`:
///
/// | name | of |
/// |---|---|
/// | `calls_started_total` | calls that came |
/// | `calls_total` | calls that ended, by `code` |
/// | `calls_in_flight` | calls that came and did not end |
/// | `call_duration_seconds` | time from a call's arrival to its answer, a histogram |
/// | `received_bytes_total` | bytes of bodies as they came |
/// | `sent_bytes_total` | bytes of bodies of answers, before they are compressed |
/// | `connections_open` | connections, by `protocol`; `none` until that is known |
/// | `connections_total` | connections that began to speak a `protocol` |
/// | `connections_closed_total` | by `protocol` and `why`, a word of [`Happening::Closed`] |
/// | `connections_refused_total` | by `why`, a word of [`Happening::Refused`] |
/// | `handlers_held_total` | handlers that held their worker beyond `Limits::hold_time` |
///
/// Plugins that are added before it, and refuse, are counted with the calls they refused. Not
/// counted are calls refused before anybody is asked: of a server that leaves, and beyond
/// `Limits::parked_calls`.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Those that were called; servers keep their own ways to them.
    rows: Mutex<BTreeMap<Key, Arc<Row>>>,
    conns: Mutex<Conns>,
    /// Connections of clients, by their names.
    links: Mutex<BTreeMap<Arc<str>, Arc<Links>>>,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Metrics {
        Metrics::default()
    }

    /// A server with the page and nothing else, at `/metrics`, over HTTP alone: run it beside the
    /// one that is counted. Addresses are written `http://127.0.0.1:9090`, or as for
    /// [`Server::listen`].
    pub async fn listen(&self, url: impl AsRef<str>) -> Result<Bound, Status> {
        let url = url.as_ref();
        let url = match url.strip_prefix("http://") {
            Some(place) => format!("tcp://{}", place.trim_end_matches('/')),
            None => url.to_owned(),
        };
        Server::new().speak(["http"]).mount("/metrics", self.page()).listen(url).await
    }

    /// The page, to be mounted: `server.mount("/metrics", metrics.page())`. Who may call the server
    /// may read it.
    pub fn page(&self) -> impl Page + use<> {
        Scraped(self.clone())
    }

    /// What the page says: Prometheus's text format, version 0.0.4.
    pub fn text(&self) -> String {
        text::write(&self.0.rows(), &self.0.conns(), &self.0.links())
    }
}

impl Inner {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Row>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conns(&self) -> MutexGuard<'_, Conns> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Links>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row of this key.
    fn row(&self, key: Key) -> Arc<Row> {
        let mut rows = self.rows();
        Arc::clone(rows.entry(key).or_insert_with_key(|key| Arc::new(Row::new(key))))
    }
}

impl Plugin for Metrics {
    fn moments(&self) -> Moments {
        Moments::BEGIN | Moments::REPLY | Moments::HAPPENING
    }

    fn on_serve(&self, served: &Served<'_>) -> Option<Box<dyn Plugin>> {
        let methods: Vec<(Arc<str>, Arc<str>)> = served
            .methods()
            .iter()
            .map(|(service, method)| ((*service).into(), (*method).into()))
            .chain([("unknown".into(), "unknown".into())])
            .collect();
        let protocols: Vec<_> = served.protocols().iter().copied().chain(["other"]).collect();
        let rows = (0..methods.len() * protocols.len()).map(|_| OnceLock::new()).collect();
        Some(Box::new(Counting { inner: Arc::clone(&self.0), methods, protocols, rows }))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// The plugin of one server: it finds rows by number.
struct Counting {
    inner: Arc<Inner>,
    /// The last one stands for all that do not exist.
    methods: Vec<(Arc<str>, Arc<str>)>,
    protocols: Vec<&'static str>,
    /// Each is there once it was needed.
    rows: Box<[OnceLock<Arc<Row>>]>,
}

impl Counting {
    fn row(&self, call: &CallInfo<'_>) -> Option<&Row> {
        let unknown = self.methods.len() - 1;
        let method = call.number().map_or(unknown, |number| number.min(unknown));
        let spoken = self.protocols.iter().position(|name| *name == call.protocol());
        let protocol = spoken.unwrap_or(self.protocols.len() - 1);
        let place = self.rows.get(method * self.protocols.len() + protocol)?;
        Some(place.get_or_init(|| {
            let (service, method) = self.methods[method].clone();
            let protocol = self.protocols[protocol];
            self.inner.row(Key { client: None, service, method, protocol })
        }))
    }
}

impl Plugin for Counting {
    fn moments(&self) -> Moments {
        Moments::BEGIN | Moments::REPLY | Moments::HAPPENING
    }

    fn on_begin(&self, call: &CallInfo<'_>) {
        if let Some(row) = self.row(call) {
            row.begin(call.bytes_in());
        }
    }

    fn on_reply(&self, call: &CallInfo<'_>, outcome: Outcome<'_>) {
        if let Some(row) = self.row(call) {
            row.end(outcome, call.bytes_out(), call.elapsed());
        }
    }

    fn on_happening(&self, happening: &Happening<'_>) {
        self.inner.conns().count(happening);
    }
}

/// The page.
struct Scraped(Metrics);

impl Page for Scraped {
    fn answer(&self, request: HttpRequest) -> crate::server::Answering {
        let answer = match request.method() {
            "GET" | "HEAD" => HttpResponse::new(200).body(text::TYPE, self.0.text()),
            _ => HttpResponse::text("read it with GET\n").status(405).field("Allow", "GET, HEAD"),
        };
        Box::pin(ready(answer))
    }
}
