//! What clients count: calls as their callers see them, with all their attempts, and connections.

use super::{
    Inner, Metrics,
    rows::{Key, Row},
};
use crate::{
    client::{ClientCall, ClientPlugin},
    server::{MethodInfo, Moments, Outcome},
};
use farcall_core::Status;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What stands for names beyond the bound.
const OTHER: &str = "other";

/// Names of methods that are called by name get a series of their own up to this many.
const NAMES: usize = 256;

impl Metrics {
    /// Counts calls and connections of a client: `builder.plug(metrics.client("orders"))`. The name
    /// is a word of the program's for what it calls; what clients of one name count is added up.
    pub fn client(&self, name: impl Into<Arc<str>>) -> ClientMetrics {
        let name = name.into();
        let links = {
            let mut links = self.0.links();
            let new = || Arc::new(Links::new(&name));
            Arc::clone(links.entry(Arc::clone(&name)).or_insert_with(new))
        };
        ClientMetrics {
            inner: Arc::clone(&self.0),
            name,
            links,
            names: NAMES,
            known: Arc::default(),
        }
    }
}

/// Counts calls and connections of the clients it is plugged into; see [`Metrics::client`].
///
/// Calls are told apart by `client`, `service`, `method` and `protocol`, and by the `code` they
/// ended with: the names of [`Code`](farcall_core::Code), `ok`, or `lost` where their caller gave
/// them up. A call is one call, however often it was tried; one that was refused before it was sent
/// is one too.
///
/// Methods of a `#[service]` have series of their own. Calls by name, and services that are called
/// under another name ([`Client::named`](crate::Client::named)), have them up to
/// [`names`](ClientMetrics::names) of them; the others are all counted as `other`, because such
/// names may be somebody's invention.
///
/// The names begin with `farcall_client_`:
///
/// | name | of |
/// |---|---|
/// | `calls_started_total` | calls that began |
/// | `calls_total` | calls that ended, by `code` |
/// | `calls_in_flight` | calls that began and did not end |
/// | `call_duration_seconds` | time from a call's beginning to its end, all attempts included |
/// | `retries_total` | further attempts of calls, those that a leaving server caused included |
/// | `connections_open` | connections, by `client` |
/// | `connections_total` | connections that were opened, by `client` |
/// | `connections_failed_total` | attempts to open one that failed, by `client` |
/// | `connections_closed_total` | connections that are gone, by `client` |
///
/// A call that is answered with a stream ends with that. Time that a call waits for a connection,
/// or for plugins and interceptors, is part of it.
#[derive(Clone)]
pub struct ClientMetrics {
    inner: Arc<Inner>,
    name: Arc<str>,
    links: Arc<Links>,
    names: usize,
    known: Arc<RwLock<Known>>,
}

/// The rows of a service.
type Methods = BTreeMap<String, Arc<Row>>;

/// A plugin's own way to the rows.
#[derive(Default)]
struct Known {
    /// By protocol, service and method.
    rows: BTreeMap<&'static str, BTreeMap<String, Methods>>,
    /// How many of them are not the program's own.
    named: usize,
}

impl Known {
    fn get(&self, protocol: &str, service: &str, method: &str) -> Option<Arc<Row>> {
        self.rows.get(protocol)?.get(service)?.get(method).cloned()
    }
}

impl ClientMetrics {
    /// How many names of methods that are called by name have series of their own, over each
    /// protocol. Default 256.
    #[must_use]
    pub fn names(mut self, most: usize) -> ClientMetrics {
        self.names = most;
        self
    }

    fn row(&self, call: &ClientCall) -> Arc<Row> {
        let (protocol, service, method) = (call.protocol(), call.service(), call.method());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = known.get(protocol, service, method) {
            return row;
        }
        // Once there is no place any more, others are found without waiting for each other.
        let own = matches!(call.info(), Some(MethodInfo { service: own, .. }) if *own == service);
        let full = !own && known.named >= self.names;
        if full && let Some(row) = known.get(protocol, OTHER, OTHER) {
            return row;
        }
        drop(known);
        self.add(protocol, (service, method), own)
    }

    #[cold]
    fn add(&self, protocol: &'static str, names: (&str, &str), own: bool) -> Arc<Row> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have been here first.
        if let Some(row) = known.get(protocol, names.0, names.1) {
            return row;
        }
        let named = !own && known.named < self.names;
        known.named += usize::from(named);
        let (service, method) = if own || named { names } else { (OTHER, OTHER) };
        let client = Some(Arc::clone(&self.name));
        let key = Key { client, service: service.into(), method: method.into(), protocol };
        let rows = known.rows.entry(protocol).or_default();
        let rows = rows.entry(service.to_owned()).or_default();
        Arc::clone(rows.entry(method.to_owned()).or_insert_with(|| self.inner.row(key)))
    }
}

impl ClientPlugin for ClientMetrics {
    fn moments(&self) -> Moments {
        let calls = Moments::BEGIN | Moments::REPLY | Moments::RETRY;
        calls | Moments::CONNECT | Moments::MISS | Moments::CLOSE
    }

    fn on_begin(&self, call: &ClientCall) {
        self.row(call).begin(0);
    }

    fn on_reply(&self, call: &ClientCall, outcome: Outcome<'_>) {
        self.row(call).end(outcome, 0, call.elapsed());
    }

    fn on_retry(&self, call: &ClientCall, _: &Status) {
        self.row(call).retry();
    }

    fn on_connect(&self, _: &str) {
        self.links.opened();
    }

    fn on_miss(&self, _: &str, _: &Status) {
        self.links.failed();
    }

    fn on_close(&self, _: &str) {
        self.links.closed();
    }
}

impl fmt::Debug for ClientMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientMetrics").field(&self.name).finish()
    }
}

/// Connections of the clients of one name.
pub(super) struct Links {
    pub(super) opened: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) closed: AtomicU64,
    #[cfg(feature = "metrics")]
    facade: super::facade::Dials,
}

impl Links {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "named by the facade"))]
    pub(super) fn new(name: &str) -> Links {
        Links {
            opened: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            facade: super::facade::Dials::new(name),
        }
    }

    pub(super) fn opened(&self) {
        self.opened.fetch_add(1, Relaxed);
        #[cfg(feature = "metrics")]
        self.facade.opened();
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
        #[cfg(feature = "metrics")]
        self.facade.failed();
    }

    pub(super) fn closed(&self) {
        self.closed.fetch_add(1, Relaxed);
        #[cfg(feature = "metrics")]
        self.facade.closed();
    }

    /// Connections that are open. What is counted meanwhile never makes it less than none.
    pub(super) fn open(&self) -> u64 {
        // In this order: what closes between the two was opened before.
        let closed = self.closed.load(Relaxed);
        self.opened.load(Relaxed).saturating_sub(closed)
    }
}
