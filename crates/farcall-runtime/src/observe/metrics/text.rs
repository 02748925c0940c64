//! The page: Prometheus's text format, version 0.0.4. A line for each number; all lines of one name
//! stand together, behind what says what it is.

use super::{
    client::Links,
    rows::{BUCKETS, Conns, ENDS, Key, Row, label},
};
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

pub(super) fn write(
    rows: &BTreeMap<Key, Arc<Row>>,
    conns: &Conns,
    links: &BTreeMap<Arc<str>, Arc<Links>>,
) -> String {
    let text = String::with_capacity(rows.len() * 4_096 + 1_024);
    let of = |client| rows.iter().filter(move |(key, _)| key.client.is_some() == client);
    let (served, called): (Rows<'_>, Rows<'_>) = (of(false).collect(), of(true).collect());
    let mut text = Text { text, side: "server" };
    text.of_calls(&served, ["Calls that came.", "Time from a call's arrival to its answer."]);
    let help = "Bytes of bodies as they came.";
    text.of_rows(&served, "received_bytes_total", "counter", help, |row| {
        row.received.load(Relaxed)
    });
    let help = "Bytes of bodies of answers, before they are compressed.";
    text.of_rows(&served, "sent_bytes_total", "counter", help, |row| row.sent.load(Relaxed));
    text.of_conns(conns);
    if links.is_empty() {
        return text.text;
    }
    text.side = "client";
    text.of_calls(&called, ["Calls that began.", "Time from a call's beginning to its end."]);
    let help = "Further attempts of calls.";
    text.of_rows(&called, "retries_total", "counter", help, |row| row.retries.load(Relaxed));
    text.of_links(links);
    text.text
}

/// The rows of one side.
type Rows<'a> = Vec<(&'a Key, &'a Arc<Row>)>;

struct Text {
    text: String,
    /// `server` or `client`.
    side: &'static str,
}

/// The labels of a call's number.
fn of<'a>(key: &'a Key, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let Key { client, service, method, protocol } = key;
    let client = client.as_deref().map(|client| ("client", client));
    let names = [("service", &**service), ("method", &**method), ("protocol", *protocol)];
    client.into_iter().chain(names).chain(more.iter().copied()).collect()
}

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let side = self.side;
        self.put(format_args!("# HELP farcall_{side}_{name} {help}\n"));
        self.put(format_args!("# TYPE farcall_{side}_{name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let side = self.side;
        self.put(format_args!("farcall_{side}_{name}"));
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
        rows: &Rows<'_>,
        name: &str,
        kind: &str,
        help: &str,
        number: impl Fn(&Row) -> u64,
    ) {
        self.head(name, kind, help);
        rows.iter().for_each(|(key, row)| self.line(name, &of(key, &[]), number(row)));
    }

    /// What both sides count; they differ in what a beginning is, and a time.
    fn of_calls(&mut self, rows: &Rows<'_>, [began, time]: [&str; 2]) {
        self.of_rows(rows, "calls_started_total", "counter", began, |row| {
            row.started.load(Relaxed)
        });
        self.head("calls_total", "counter", "Calls that ended.");
        for (key, row) in rows {
            for (end, count) in row.ended.iter().enumerate().take(ENDS) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let code = label(end);
                    self.line("calls_total", &of(key, &[("code", &code)]), count);
                }
            }
        }
        let help = "Calls that began and did not end.";
        self.of_rows(rows, "calls_in_flight", "gauge", help, Row::in_flight);
        self.durations(rows, time);
    }

    fn durations(&mut self, rows: &Rows<'_>, help: &str) {
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

    fn of_links(&mut self, links: &BTreeMap<Arc<str>, Arc<Links>>) {
        type Number = fn(&Links) -> u64;
        let numbers: [(&str, &str, &str, Number); 4] = [
            ("connections_open", "gauge", "Connections that are open.", Links::open),
            ("connections_total", "counter", "Connections that were opened.", |links| {
                links.opened.load(Relaxed)
            }),
            ("connections_failed_total", "counter", "Attempts to connect that failed.", |links| {
                links.failed.load(Relaxed)
            }),
            ("connections_closed_total", "counter", "Connections that ended.", |links| {
                links.closed.load(Relaxed)
            }),
        ];
        for (name, kind, help, number) in numbers {
            self.head(name, kind, help);
            for (client, links) in links {
                self.line(name, &[("client", client)], number(links));
            }
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
        let _ = self.text.write_fmt(text);
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
