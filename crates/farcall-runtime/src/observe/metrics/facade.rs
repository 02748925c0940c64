//! The same numbers for the recorder of the crate `metrics`. Its handles are asked for once for
//! each row; a recorder that is installed later sees nothing of it.

use super::rows::{ENDS, Key, label};
use crate::server::Happening;
use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};
use std::{array, sync::OnceLock, time::Duration};

pub(super) struct Handles {
    labels: Vec<Label>,
    started: Counter,
    in_flight: Gauge,
    durations: Histogram,
    received: Counter,
    sent: Counter,
    retries: Counter,
    /// `farcall_server_calls_total`, or that of clients.
    ended_name: &'static str,
    ended: [OnceLock<Counter>; ENDS],
}

impl Handles {
    pub(super) fn new(key: &Key) -> Handles {
        let mut labels = vec![
            Label::new("service", key.service.to_string()),
            Label::new("method", key.method.to_string()),
            Label::new("protocol", key.protocol),
        ];
        let ended = array::from_fn(|_| OnceLock::new());
        let Some(client) = &key.client else {
            return Handles {
                started: counter!("farcall_server_calls_started_total", labels.clone()),
                in_flight: gauge!("farcall_server_calls_in_flight", labels.clone()),
                durations: histogram!("farcall_server_call_duration_seconds", labels.clone()),
                received: counter!("farcall_server_received_bytes_total", labels.clone()),
                sent: counter!("farcall_server_sent_bytes_total", labels.clone()),
                retries: Counter::noop(),
                ended_name: "farcall_server_calls_total",
                ended,
                labels,
            };
        };
        labels.insert(0, Label::new("client", client.to_string()));
        Handles {
            started: counter!("farcall_client_calls_started_total", labels.clone()),
            in_flight: gauge!("farcall_client_calls_in_flight", labels.clone()),
            durations: histogram!("farcall_client_call_duration_seconds", labels.clone()),
            received: Counter::noop(),
            sent: Counter::noop(),
            retries: counter!("farcall_client_retries_total", labels.clone()),
            ended_name: "farcall_client_calls_total",
            ended,
            labels,
        }
    }

    pub(super) fn retry(&self) {
        self.retries.increment(1);
    }

    pub(super) fn begin(&self, bytes: usize) {
        self.started.increment(1);
        self.in_flight.increment(1.0);
        self.received.increment(bytes as u64);
    }

    pub(super) fn end(&self, end: usize, bytes: usize, took: Duration) {
        self.in_flight.decrement(1.0);
        self.durations.record(took.as_secs_f64());
        self.sent.increment(bytes as u64);
        if let Some(ended) = self.ended.get(end) {
            let ended = ended.get_or_init(|| {
                let mut labels = self.labels.clone();
                labels.push(Label::new("code", label(end)));
                counter!(self.ended_name, labels)
            });
            ended.increment(1);
        }
    }
}

/// What became of a client's connections.
pub(super) struct Dials {
    open: Gauge,
    opened: Counter,
    failed: Counter,
    closed: Counter,
}

impl Dials {
    pub(super) fn new(client: &str) -> Dials {
        let labels = vec![Label::new("client", client.to_owned())];
        Dials {
            open: gauge!("farcall_client_connections_open", labels.clone()),
            opened: counter!("farcall_client_connections_total", labels.clone()),
            failed: counter!("farcall_client_connections_failed_total", labels.clone()),
            closed: counter!("farcall_client_connections_closed_total", labels),
        }
    }

    pub(super) fn opened(&self) {
        self.open.increment(1.0);
        self.opened.increment(1);
    }

    pub(super) fn failed(&self) {
        self.failed.increment(1);
    }

    pub(super) fn closed(&self) {
        self.open.decrement(1.0);
        self.closed.increment(1);
    }
}

/// What happened beside calls.
pub(super) fn happened(happening: &Happening<'_>, named: fn(&'static str) -> &'static str) {
    let open =
        |protocol: &'static str| gauge!("farcall_server_connections_open", "protocol" => protocol);
    match happening {
        Happening::Refused { why, .. } => {
            counter!("farcall_server_connections_refused_total", "why" => *why).increment(1);
        }
        Happening::Opened { .. } => open(named("")).increment(1.0),
        Happening::Speaks { protocol, before, .. } => {
            open(named(before)).decrement(1.0);
            open(named(protocol)).increment(1.0);
            let protocol = named(protocol);
            counter!("farcall_server_connections_total", "protocol" => protocol).increment(1);
        }
        Happening::Closed { protocol, why, .. } => {
            let (protocol, why) = (named(protocol), *why);
            open(protocol).decrement(1.0);
            let name = "farcall_server_connections_closed_total";
            counter!(name, "protocol" => protocol, "why" => why).increment(1);
        }
        Happening::Held { service, method, .. } => {
            let (service, method) = ((*service).to_owned(), (*method).to_owned());
            let name = "farcall_server_handlers_held_total";
            counter!(name, "service" => service, "method" => method).increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::{
        CounterFn, GaugeFn, HistogramFn, KeyName, Metadata, Recorder, SharedString, Unit,
    };
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    /// What was recorded, by name and labels: sums.
    #[derive(Clone, Default)]
    struct Sums(Arc<Mutex<BTreeMap<String, f64>>>);

    /// One number of them.
    struct Sum(Sums, String);

    impl Sums {
        fn of(&self, key: &metrics::Key) -> Arc<Sum> {
            let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
            let name = format!("{}{}", key.name(), labels.collect::<String>());
            Arc::new(Sum(self.clone(), name))
        }
    }

    impl Sum {
        fn add(&self, value: f64) {
            let mut sums = self.0.0.lock().expect("no panic");
            *sums.entry(self.1.clone()).or_default() += value;
        }
    }

    impl CounterFn for Sum {
        fn increment(&self, value: u64) {
            self.add(value as f64);
        }
        fn absolute(&self, _: u64) {}
    }

    impl GaugeFn for Sum {
        fn increment(&self, value: f64) {
            self.add(value);
        }
        fn decrement(&self, value: f64) {
            self.add(-value);
        }
        fn set(&self, _: f64) {}
    }

    impl HistogramFn for Sum {
        fn record(&self, value: f64) {
            self.add(value);
        }
    }

    impl Recorder for Sums {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, key: &metrics::Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.of(key))
        }
        fn register_gauge(&self, key: &metrics::Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.of(key))
        }
        fn register_histogram(&self, key: &metrics::Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.of(key))
        }
    }

    #[test]
    fn a_recorder_hears_all_of_it() {
        let (sums, peer) = (Sums::default(), &crate::net::Peer::Memory);
        metrics::with_local_recorder(&sums, || {
            let key = |client: Option<&str>| Key {
                client: client.map(Into::into),
                service: "Arith".into(),
                method: "Mul".into(),
                protocol: "rpcx",
            };
            let ours = Handles::new(&key(Some("shop")));
            ours.begin(0);
            ours.retry();
            ours.end(4, 0, Duration::from_millis(250));
            let dials = Dials::new("shop");
            dials.opened();
            dials.opened();
            dials.failed();
            dials.closed();
            let handles = Handles::new(&key(None));
            handles.begin(9);
            handles.begin(9);
            handles.end(0, 4, Duration::from_millis(500));
            happened(&Happening::Opened { peer }, |_| "none");
        });
        let labels = "service=Arith method=Mul protocol=rpcx";
        let client = format!("client=shop {labels}");
        for (name, want) in [
            (format!("farcall_client_calls_started_total {client}"), 1.0),
            (format!("farcall_client_calls_in_flight {client}"), 0.0),
            (format!("farcall_client_calls_total {client} code=deadline_exceeded"), 1.0),
            (format!("farcall_client_call_duration_seconds {client}"), 0.25),
            (format!("farcall_client_retries_total {client}"), 1.0),
            ("farcall_client_connections_open client=shop".to_owned(), 1.0),
            ("farcall_client_connections_total client=shop".to_owned(), 2.0),
            ("farcall_client_connections_failed_total client=shop".to_owned(), 1.0),
            ("farcall_client_connections_closed_total client=shop".to_owned(), 1.0),
            (format!("farcall_server_calls_started_total {labels}"), 2.0),
            (format!("farcall_server_calls_in_flight {labels}"), 1.0),
            (format!("farcall_server_calls_total {labels} code=ok"), 1.0),
            (format!("farcall_server_received_bytes_total {labels}"), 18.0),
            (format!("farcall_server_sent_bytes_total {labels}"), 4.0),
            (format!("farcall_server_call_duration_seconds {labels}"), 0.5),
            ("farcall_server_connections_open protocol=none".to_owned(), 1.0),
        ] {
            let sums = sums.0.lock().expect("no panic");
            assert_eq!(sums.get(&name), Some(&want), "{name} of {sums:?}");
        }
    }
}
