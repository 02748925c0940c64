//! The page: Prometheus's text format, version 0.0.4. A line for each number; all lines of one name
//! stand together, behind what says what it is.

use super::rows::{BUCKETS, Conns, ENDS, Key, Row, label};
use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The type of the page.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn write(rows: &BTreeMap<Key, Arc<Row>>, conns: &Conns) -> String {
    let mut text = Text(String::with_capacity(rows.len() * 4_096 + 1_024));
    text.of_rows(rows, "calls_started_total", "counter", "Calls that came.", |row| {
        row.started.load(Relaxed)
    });
    text.head("calls_total", "counter", "Calls that ended.");
    for (key, row) in rows {
        for (end, count) in row.ended.iter().enumerate().take(ENDS) {
            let count = count.load(Relaxed);
            if count > 0 {
                let code = label(end);
                text.line("calls_total", &of(key, &[("code", &code)]), count);
            }
        }
    }
    let help = "Calls that came and did not end.";
    text.of_rows(rows, "calls_in_flight", "gauge", help, Row::in_flight);
    text.durations(rows);
    let help = "Bytes of bodies as they came.";
    text.of_rows(rows, "received_bytes_total", "counter", help, |row| row.received.load(Relaxed));
    let help = "Bytes of bodies of answers, before they are compressed.";
    text.of_rows(rows, "sent_bytes_total", "counter", help, |row| row.sent.load(Relaxed));
    text.of_conns(conns);
    text.0
}

struct Text(String);

/// The labels of a call's number.
fn of<'a>(key: &'a Key, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let Key { service, method, protocol } = key;
    let mut labels = vec![("service", &**service), ("method", &**method), ("protocol", *protocol)];
    labels.extend_from_slice(more);
    labels
}

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.put(format_args!("# HELP farcall_server_{name} {help}\n"));
        self.put(format_args!("# TYPE farcall_server_{name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.put(format_args!("farcall_server_{name}"));
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            self.put(format_args!("{before}{label}=\"{}\"", Escaped(text)));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.put(format_args!("{end} {value}\n"));
    }

    /// A number of every row.
    fn of_rows(
        &mut self,
        rows: &BTreeMap<Key, Arc<Row>>,
        name: &str,
        kind: &str,
        help: &str,
        number: impl Fn(&Row) -> u64,
    ) {
        self.head(name, kind, help);
        rows.iter().for_each(|(key, row)| self.line(name, &of(key, &[]), number(row)));
    }

    fn durations(&mut self, rows: &BTreeMap<Key, Arc<Row>>) {
        let help = "Time from a call's arrival to its answer.";
        self.head("call_duration_seconds", "histogram", help);
        for (key, row) in rows {
            // Read once: what is counted meanwhile must not make the sum of the buckets differ.
            let counts = row.buckets.each_ref().map(|count: &AtomicU64| count.load(Relaxed));
            let seconds = row.nanos.load(Relaxed) as f64 / 1e9;
            let mut sum = 0;
            let bounds = BUCKETS.iter().map(|(_, text)| *text).chain(["+Inf"]);
            for (bound, count) in bounds.zip(counts) {
                sum += count;
                self.line("call_duration_seconds_bucket", &of(key, &[("le", bound)]), sum);
            }
            self.line("call_duration_seconds_sum", &of(key, &[]), seconds);
            self.line("call_duration_seconds_count", &of(key, &[]), sum);
        }
    }

    fn of_conns(&mut self, conns: &Conns) {
        self.head("connections_open", "gauge", "Connections that are open.");
        for (protocol, spoken) in &conns.spoken {
            self.line("connections_open", &[("protocol", protocol)], spoken.open);
        }
        let help = "Connections that began to speak a protocol.";
        self.head("connections_total", "counter", help);
        for (protocol, spoken) in conns.spoken.iter().filter(|(_, spoken)| spoken.all > 0) {
            self.line("connections_total", &[("protocol", protocol)], spoken.all);
        }
        self.head("connections_closed_total", "counter", "Connections that ended.");
        for ((protocol, why), count) in &conns.closed {
            let labels = [("protocol", *protocol), ("why", *why)];
            self.line("connections_closed_total", &labels, count);
        }
        self.head("connections_refused_total", "counter", "Connections that were not let in.");
        for (why, count) in &conns.refused {
            self.line("connections_refused_total", &[("why", why)], count);
        }
        let help = "Handlers that held their worker for too long.";
        self.head("handlers_held_total", "counter", help);
        for ((service, method), count) in &conns.held {
            let labels = [("service", service.as_str()), ("method", method)];
            self.line("handlers_held_total", &labels, count);
        }
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a `String` cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

/// The value of a label.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}
