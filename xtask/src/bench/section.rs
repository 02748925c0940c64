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
    tls: bool,
    /// The first is the base of all ratios.
    participants: Vec<Participant>,
    pub(super) goals: Vec<Goal>,
}

/// How much of another's CPU time one participant may cost.
pub(super) struct Goal {
    who: &'static str,
    of: &'static str,
    side: Side,
    most: f64,
}

/// What is wanted, what it came to, and the most it may be.
type Judged = (String, f64, f64);

/// Whose CPU time is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Client,
    Server,
}

/// Name, client, server.
type Participant = (&'static str, End, End);

/// One program's end of a connection.
#[derive(Clone, Copy)]
enum End {
    /// Ours, over this protocol.
    Farcall(&'static str),
    /// The same; a client with a runtime of one thread for each core.
    Cores(&'static str),
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
            sections.push(Section {
                title: title("rpcx", conns, callers, payload),
                conns,
                callers,
                payload,
                tls: false,
                participants: rpcx(),
                goals: rpcx_goals(conns, callers, payload),
            });
        }
    }
    let cores = "farcall, per core";
    sections.push(Section {
        title: title("rpcx", 1, 64, "raw581"),
        conns: 1,
        callers: 64,
        payload: "raw581",
        tls: false,
        participants: {
            let mut all = pairs();
            all.push((ECHO, End::Limit("echo"), End::Limit("echo")));
            all
        },
        goals: vec![goal("farcall", ECHO, Side::Both, 7.0), goal(cores, ECHO, Side::Both, 4.0)],
    });
    let ahead = || vec![goal("farcall", "rpcx-go", Side::Both, 1.0)];
    for (payload, callers) in [("64k", 8), ("1m", 4)] {
        sections.push(Section {
            title: title("rpcx", 1, callers, payload),
            conns: 1,
            callers,
            payload,
            tls: false,
            participants: pairs(),
            goals: ahead(),
        });
    }
    for payload in ["tiny", "581", "64k"] {
        sections.push(Section {
            title: title("rpcx over TLS 1.3", 1, 64, payload),
            conns: 1,
            callers: 64,
            payload,
            tls: true,
            participants: pairs(),
            goals: ahead(),
        });
    }
    for (name, codec, protocol) in
        [("net/rpc", "gob", "netrpc"), ("JSON-RPC 1.0", "json", "jsonrpc")]
    {
        let (go, ours) = (End::NetRpc(codec), End::Farcall(protocol));
        sections.push(Section {
            title: title(name, 1, 64, "tiny"),
            conns: 1,
            callers: 64,
            payload: "tiny",
            tls: false,
            participants: vec![
                ("net/rpc of Go", go, go),
                ("farcall", ours, ours),
                ("farcall, per core", End::Cores(protocol), ours),
                ("farcall → Go", ours, go),
                ("Go → farcall", go, ours),
            ],
            goals: vec![goal("farcall", "net/rpc of Go", Side::Both, 0.25)],
        });
    }
    sections.push(Section {
        title: title("plain JSON over HTTP/1.1", 64, 64, "tiny"),
        conns: 64,
        callers: 64,
        payload: "tiny",
        tls: false,
        participants: vec![
            ("raw → hyper", End::Hyper, End::Hyper),
            ("raw → farcall", End::Hyper, End::Farcall("http")),
        ],
        goals: vec![goal("raw → farcall", "raw → hyper", Side::Server, 1.0 / 1.5)],
    });
    sections
}

fn pairs() -> Vec<Participant> {
    let (go, ours) = (End::Rpcx, End::Farcall("rpcx"));
    vec![
        ("rpcx-go", go, go),
        ("farcall", ours, ours),
        ("farcall, per core", End::Cores("rpcx"), ours),
    ]
}

fn rpcx() -> Vec<Participant> {
    let (go, ours) = (End::Rpcx, End::Farcall("rpcx"));
    let limit = |name, end| (name, End::Limit(end), End::Limit(end));
    let mut all = pairs();
    all.extend([
        ("farcall → rpcx-go", ours, go),
        ("farcall, per core → rpcx-go", End::Cores("rpcx"), go),
        ("rpcx-go → farcall", go, ours),
        limit("bare ping-pong", "ping-pong"),
        limit(ECHO, "echo"),
    ]);
    all
}

const ECHO: &str = "bare echo in batches";

fn goal(who: &'static str, of: &'static str, side: Side, most: f64) -> Goal {
    Goal { who, of, side, most }
}

/// What is wanted over rpcx.
fn rpcx_goals(conns: usize, callers: usize, payload: &str) -> Vec<Goal> {
    let times = match (conns, callers, payload) {
        (1, 64, "tiny") => 10.0,
        (8, 64, "tiny") => 8.0,
        (1, 64, _) => 7.0,
        (8, 64, _) => 5.0,
        _ => return Vec::new(),
    };
    let (cores, go) = ("farcall, per core", "rpcx-go");
    let mut goals = Vec::from(["farcall", cores].map(|who| goal(who, go, Side::Both, 1.0 / times)));
    if payload == "tiny" {
        goals.push(goal("rpcx-go → farcall", go, Side::Server, 0.25));
        goals.push(goal("farcall → rpcx-go", go, Side::Client, 1.0 / 1.8));
        goals.push(goal("farcall, per core → rpcx-go", go, Side::Client, 1.0 / 1.8));
    }
    goals
}

fn title(protocol: &str, conns: usize, callers: usize, payload: &str) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let message = match payload {
        "tiny" => "tiny message",
        "581" => "581-byte message",
        "raw581" => "581 bytes as they are",
        "64k" => "64 KiB as they are",
        _ => "1 MiB as it is",
    };
    format!(
        "{protocol}: {conns} connection{}, {callers} caller{}, {message}",
        plural(conns),
        plural(callers)
    )
}

impl End {
    fn server(self, programs: &Programs, tls: bool) -> Command {
        let any = ["-addr", "127.0.0.1:0"];
        let mut command = match self {
            End::Farcall(_) | End::Cores(_) => {
                with(&programs.farcall, &["serve", "--listen", "tcp://127.0.0.1:0"])
            }
            End::Rpcx => with(&programs.rpcx, &[&["bench-server"], &any[..]].concat()),
            End::NetRpc(codec) => {
                with(&programs.netrpc, &[&["bench-server", "-codec", codec], &any[..]].concat())
            }
            End::Hyper => with(&programs.http, &[&["hyper-server"], &any[..]].concat()),
            End::Limit(name) => {
                with(&programs.limits, &[&[&*format!("{name}-server")], &any[..]].concat())
            }
        };
        if tls {
            let dashes = if let End::Rpcx = self { "-" } else { "--" };
            for (flag, file) in [("tls-cert", "cert.pem"), ("tls-key", "key.pem")] {
                command.arg(format!("{dashes}{flag}")).arg(programs.certs.join(file));
            }
        }
        command
    }

    fn client(self, programs: &Programs, payload: &str, tls: bool) -> Command {
        let what = ["-payload", payload];
        let mut command = match self {
            End::Farcall(protocol) | End::Cores(protocol) => {
                let flags = ["-codec", "protobuf", "-protocol", protocol];
                let cores = if let End::Cores(_) = self { &["-per-core"][..] } else { &[] };
                with(&programs.calls, &[&flags, &what[..], cores].concat())
            }
            End::Rpcx => {
                with(&programs.rpcx, &[&["bench-client", "-codec", "pb"], &what[..]].concat())
            }
            End::NetRpc(codec) => with(&programs.netrpc, &["bench-client", "-codec", codec]),
            End::Hyper => with(&programs.http, &["client"]),
            End::Limit(name) => {
                with(&programs.limits, &[&[&*format!("{name}-client")], &what[..]].concat())
            }
        };
        if tls {
            command.arg("-ca").arg(programs.certs.join("ca.pem"));
        }
        command
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

    fn side_us(self, side: Side) -> f64 {
        match side {
            Side::Both => self.cpu_us(),
            Side::Client => self.client_us,
            Side::Server => self.server_us,
        }
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
    /// Runs everyone; the section of the report, and for each goal what is wanted, what it came to,
    /// and the most it may be.
    pub(super) fn measure(
        &self,
        programs: &Programs,
        options: &Options,
    ) -> Done<(String, Vec<Judged>)> {
        let load = OtherLoad::start()?;
        let count = self.participants.len();
        let mut calls = Vec::new();
        for at in 0..count {
            let first = if self.payload == "1m" { 400 } else { (self.callers * 50).max(2_000) };
            let figures = self.once(programs, at, first)?;
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
        let judged = self.goals.iter().map(|goal| self.judge(goal, &medians)).collect();
        Ok((self.text(&medians, other_cores), judged))
    }

    fn judge(&self, goal: &Goal, medians: &[Figures]) -> Judged {
        let Goal { who, of, side, most } = *goal;
        let us = |name: &str| {
            let at = self.participants.iter().position(|(other, ..)| *other == name);
            at.map_or(f64::NAN, |at| medians[at].side_us(side))
        };
        let whose = match side {
            Side::Both => "CPU",
            Side::Client => "client's CPU",
            Side::Server => "server's CPU",
        };
        (format!("{}: {whose} of {who} as a part of {of}'s", self.title), us(who) / us(of), most)
    }

    /// One server, one client.
    fn once(&self, programs: &Programs, at: usize, calls: usize) -> Done<Figures> {
        let (name, client, server) = self.participants[at];
        let server = Server::start(server.server(programs, self.tls))?;
        let mut client = client.client(programs, self.payload, self.tls);
        client.args(["-addr", server.addr.trim_start_matches("tls://")]);
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
        let servers_only = self.goals.iter().any(|goal| goal.side != Side::Both)
            && self.goals.iter().all(|goal| goal.side == Side::Server);
        let (compared, side) = match servers_only {
            true => ("× server", Side::Server),
            false => ("×", Side::Both),
        };
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
                format!("{:.3}", figures.side_us(side) / base.side_us(side)),
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
            for goal in &section.goals {
                let is = |name| section.participants.iter().any(|(other, ..)| *other == name);
                assert!(is(goal.who) && is(goal.of), "{}: {}", section.title, goal.who);
            }
        }
    }
}
