//! One table of `cargo xtask bench`: who takes part, with how many connections and callers, and
//! what is wanted of us.

use super::{Options, Programs};
use crate::{
    Done,
    proc::{OtherLoad, Server, number, run_within},
    table::{Table, commas},
};
use std::{path::Path, process::Command, time::Duration};

/// One table.
pub(super) struct Section {
    pub(super) title: String,
    conns: usize,
    callers: usize,
    payload: &'static str,
    /// The first is the base of all ratios, the second is held against it.
    participants: Vec<Participant>,
    /// Load that is no part of what is compared: only servers are.
    servers_only: bool,
    pub(super) goal: Option<Goal>,
}

/// How much of the base's CPU time ours may cost.
pub(super) struct Goal {
    pub(super) what: &'static str,
    pub(super) most: f64,
}

/// Name, client, server.
type Participant = (&'static str, End, End);

/// One program's end of a connection.
#[derive(Clone, Copy)]
enum End {
    /// Ours, over this protocol.
    Farcall(&'static str),
    Rpcx,
    /// Go's net/rpc with this codec.
    NetRpc(&'static str),
    /// A raw client for HTTP, a server on hyper.
    Hyper,
    /// Bare sockets: the name of the pair.
    Limit(&'static str),
}

/// All tables, in order.
pub(super) fn sections() -> Vec<Section> {
    let mut sections = Vec::new();
    for (conns, callers) in [(1, 1), (1, 64), (8, 64)] {
        for payload in ["tiny", "581"] {
            let wanted = (conns, callers, payload) == (1, 64, "tiny");
            sections.push(Section {
                title: title("rpcx", conns, callers, payload),
                conns,
                callers,
                payload,
                participants: rpcx(),
                servers_only: false,
                goal: wanted.then_some(Goal {
                    what: "CPU per call over rpcx at 1×64, tiny, as a part of rpcx-go's",
                    most: 1.0 / 6.0,
                }),
            });
        }
    }
    for (name, codec, protocol, what) in [
        ("net/rpc", "gob", "netrpc", "CPU per call over net/rpc at 1×64, as a part of Go's"),
        ("JSON-RPC 1.0", "json", "jsonrpc", "CPU per call over JSON-RPC 1.0 at 1×64, the same"),
    ] {
        let (go, ours) = (End::NetRpc(codec), End::Farcall(protocol));
        sections.push(Section {
            title: title(name, 1, 64, "tiny"),
            conns: 1,
            callers: 64,
            payload: "tiny",
            participants: vec![
                ("net/rpc of Go", go, go),
                ("farcall", ours, ours),
                ("farcall → Go", ours, go),
                ("Go → farcall", go, ours),
            ],
            servers_only: false,
            goal: Some(Goal { what, most: 0.25 }),
        });
    }
    sections.push(Section {
        title: title("plain JSON over HTTP/1.1", 64, 64, "tiny"),
        conns: 64,
        callers: 64,
        payload: "tiny",
        participants: vec![
            ("raw → hyper", End::Hyper, End::Hyper),
            ("raw → farcall", End::Hyper, End::Farcall("http")),
        ],
        servers_only: true,
        goal: None,
    });
    sections
}

fn rpcx() -> Vec<Participant> {
    let (go, ours) = (End::Rpcx, End::Farcall("rpcx"));
    let limit = |name, end| (name, End::Limit(end), End::Limit(end));
    vec![
        ("rpcx-go", go, go),
        ("farcall", ours, ours),
        ("farcall → rpcx-go", ours, go),
        ("rpcx-go → farcall", go, ours),
        limit("bare ping-pong", "ping-pong"),
        limit("bare echo in batches", "echo"),
    ]
}

fn title(protocol: &str, conns: usize, callers: usize, payload: &str) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let message = if payload == "tiny" { "tiny message" } else { "581-byte message" };
    format!(
        "{protocol}: {conns} connection{}, {callers} caller{}, {message}",
        plural(conns),
        plural(callers)
    )
}

impl End {
    fn server(self, programs: &Programs) -> Command {
        let any = ["-addr", "127.0.0.1:0"];
        match self {
            End::Farcall(_) => with(&programs.farcall, &["serve", "--listen", "tcp://127.0.0.1:0"]),
            End::Rpcx => with(&programs.rpcx, &[&["bench-server"], &any[..]].concat()),
            End::NetRpc(codec) => {
                with(&programs.netrpc, &[&["bench-server", "-codec", codec], &any[..]].concat())
            }
            End::Hyper => with(&programs.http, &[&["hyper-server"], &any[..]].concat()),
            End::Limit(name) => {
                with(&programs.limits, &[&[&*format!("{name}-server")], &any[..]].concat())
            }
        }
    }

    fn client(self, programs: &Programs, payload: &str) -> Command {
        let what = ["-payload", payload];
        match self {
            End::Farcall(protocol) => {
                let flags = ["-codec", "protobuf", "-protocol", protocol];
                with(&programs.calls, &[&flags, &what[..]].concat())
            }
            End::Rpcx => {
                with(&programs.rpcx, &[&["bench-client", "-codec", "pb"], &what[..]].concat())
            }
            End::NetRpc(codec) => with(&programs.netrpc, &["bench-client", "-codec", codec]),
            End::Hyper => with(&programs.http, &["client"]),
            End::Limit(name) => {
                with(&programs.limits, &[&[&*format!("{name}-client")], &what[..]].concat())
            }
        }
    }
}

fn with(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// What one run measured.
#[derive(Clone, Copy, Default)]
struct Figures {
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    client_us: f64,
    server_us: f64,
}

impl Figures {
    fn parse(json: &str) -> Option<Figures> {
        Some(Figures {
            calls_per_second: number(json, "calls")? / number(json, "seconds")?,
            p50_us: number(json, "p50_us")?,
            p99_us: number(json, "p99_us")?,
            client_us: number(json, "client_cpu_us_per_call")?,
            server_us: number(json, "server_cpu_us_per_call")?,
        })
    }

    fn cpu_us(self) -> f64 {
        self.client_us + self.server_us
    }

    fn median(runs: &[Figures]) -> Figures {
        let of = |figure: fn(&Figures) -> f64| median(runs.iter().map(figure).collect());
        Figures {
            calls_per_second: of(|run| run.calls_per_second),
            p50_us: of(|run| run.p50_us),
            p99_us: of(|run| run.p99_us),
            client_us: of(|run| run.client_us),
            server_us: of(|run| run.server_us),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

impl Section {
    /// Runs everyone; the section of the report, and our CPU time as a part of the base's.
    pub(super) fn measure(&self, programs: &Programs, options: &Options) -> Done<(String, f64)> {
        let load = OtherLoad::start()?;
        let count = self.participants.len();
        let mut calls = Vec::new();
        for at in 0..count {
            let figures = self.once(programs, at, (self.callers * 50).max(2_000))?;
            let wanted = (figures.calls_per_second * options.seconds) as usize;
            calls.push(wanted.max(self.callers * 30));
        }
        let mut runs = vec![Vec::new(); count];
        for round in 0..options.rounds {
            for turn in 0..count {
                let at = (turn + round) % count;
                runs[at].push(self.once(programs, at, calls[at])?);
            }
        }
        let medians: Vec<Figures> = runs.iter().map(|runs| Figures::median(runs)).collect();
        let other_cores = load.cores()?;
        let ratio = self.cpu_us(medians[1]) / self.cpu_us(medians[0]);
        Ok((self.text(&medians, other_cores), ratio))
    }

    /// The CPU time that is compared.
    fn cpu_us(&self, figures: Figures) -> f64 {
        if self.servers_only { figures.server_us } else { figures.cpu_us() }
    }

    /// One server, one client.
    fn once(&self, programs: &Programs, at: usize, calls: usize) -> Done<Figures> {
        let (name, client, server) = self.participants[at];
        let server = Server::start(server.server(programs))?;
        let mut client = client.client(programs, self.payload);
        client.args(["-addr", &server.addr]);
        let numbers = [
            ("-conns", self.conns),
            ("-callers", self.callers),
            ("-calls", calls),
            ("-pid", server.pid() as usize),
        ];
        for (flag, value) in numbers {
            client.args([flag, &value.to_string()]);
        }
        let out = run_within(client, Duration::from_secs(30))?;
        let line = out.lines().last().unwrap_or_default();
        Figures::parse(line).ok_or_else(|| format!("{name}: not understood: {line:?}").into())
    }

    fn text(&self, medians: &[Figures], other_cores: f64) -> String {
        let compared = if self.servers_only { "× server" } else { "×" };
        let headings = [
            "client → server",
            "calls/s",
            "×",
            "p50 µs",
            "p99 µs",
            "CPU µs, client",
            "server",
            "both",
            compared,
        ];
        let base = medians[0];
        let mut table = Table::new(&headings);
        for ((name, ..), figures) in self.participants.iter().zip(medians) {
            table.row(vec![
                (*name).to_owned(),
                commas(figures.calls_per_second),
                format!("{:.2}", figures.calls_per_second / base.calls_per_second),
                format!("{:.1}", figures.p50_us),
                format!("{:.1}", figures.p99_us),
                format!("{:.2}", figures.client_us),
                format!("{:.2}", figures.server_us),
                format!("{:.2}", figures.cpu_us()),
                format!("{:.3}", self.cpu_us(*figures) / self.cpu_us(base)),
            ]);
        }
        format!(
            "\n## {}\n\nOther load on the machine: {other_cores:.2} cores.\n\n{}",
            self.title,
            table.to_markdown(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0, 10.0]), 2.5);
    }

    #[test]
    fn everyone_is_held_against_somebody() {
        for section in sections() {
            assert!(section.participants.len() >= 2, "{}", section.title);
            assert!(section.participants[1].0.contains("farcall"), "{}", section.title);
        }
    }
}
