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
    ended: [OnceLock<Counter>; ENDS],
}

impl Handles {
    pub(super) fn new(key: &Key) -> Handles {
        let labels = vec![
            Label::new("service", key.service.to_string()),
            Label::new("method", key.method.to_string()),
            Label::new("protocol", key.protocol),
        ];
        Handles {
            started: counter!("farcall_server_calls_started_total", labels.clone()),
            in_flight: gauge!("farcall_server_calls_in_flight", labels.clone()),
            durations: histogram!("farcall_server_call_duration_seconds", labels.clone()),
            received: counter!("farcall_server_received_bytes_total", labels.clone()),
            sent: counter!("farcall_server_sent_bytes_total", labels.clone()),
            ended: array::from_fn(|_| OnceLock::new()),
            labels,
        }
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
                counter!("farcall_server_calls_total", labels)
            });
            ended.increment(1);
        }
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
