//! `cargo xtask bench`: CPU time and latency of a call, side by side with rpcx-go and with bare
//! sockets. Everyone runs in every round, and each round begins with another one, so that what the
//! machine does meanwhile hits all alike. Trust ratios of CPU time first, calls per second second,
//! the p99 hardly.

use crate::{
    Done, known, locked, peers,
    proc::{OtherLoad, Server, cargo, number, run_within, show, version},
    root,
    table::{Table, commas},
    target,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

/// How much of rpcx-go's CPU time a tiny call may cost, 64 callers on one connection.
const CPU_FLOOR: f64 = 1.0 / 6.0;

/// Connections, callers.
const SHAPES: [(usize, usize); 3] = [(1, 1), (1, 64), (8, 64)];
const PAYLOADS: [&str; 2] = ["tiny", "581"];

/// The base of all ratios, and who is held against it.
const BASE: &str = "rpcx-go";
const OURS: &str = "farcall";

pub(crate) fn run(flags: &[String]) -> Done {
    let options = Options::parse(flags)?;
    let programs = Programs::build()?;
    let mut text = heading(&programs, &options)?;
    print!("\n{text}");
    let mut verdict = String::new();
    let mut missed = false;
    for (conns, callers) in SHAPES {
        for payload in PAYLOADS {
            let shape = Shape { conns, callers, payload };
            let (section, ratio) = shape.measure(&programs, &options)?;
            print!("{section}");
            text += &section;
            if (conns, callers, payload) == (1, 64, "tiny") {
                let met = if ratio > CPU_FLOOR { "MISSED" } else { "met" };
                verdict = format!(
                    "\nCPU per call at 1×64, tiny: {ratio:.3} of rpcx-go's, at most \
                     {CPU_FLOOR:.3} wanted: {met}\n"
                );
                missed = ratio > CPU_FLOOR;
            }
        }
    }
    print!("{verdict}");
    text += &verdict;
    if options.quick {
        println!("docs/bench.md is written by a run without --quick");
    } else {
        fs::create_dir_all(root().join("docs"))?;
        fs::write(root().join("docs/bench.md"), text)?;
        println!("written to docs/bench.md");
    }
    match missed && options.check {
        true => Err("the floor was missed".into()),
        false => Ok(()),
    }
}

struct Options {
    rounds: usize,
    /// Measured seconds of a run, about.
    seconds: f64,
    quick: bool,
    check: bool,
}

impl Options {
    fn parse(flags: &[String]) -> Done<Options> {
        let mut options = Options { rounds: 3, seconds: 0.7, quick: false, check: false };
        let mut rest = Vec::new();
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            match flag.as_str() {
                "--rounds" => {
                    let value = flags.next().ok_or("--rounds wants a number")?;
                    options.rounds = value.parse().map_err(|_| "--rounds wants a number")?;
                }
                "--quick" => {
                    (options.quick, options.rounds, options.seconds) = (true, 1, 0.25);
                }
                "--check" => options.check = true,
                _ => rest.push(flag.clone()),
            }
        }
        known(&rest, &[])?;
        if options.rounds == 0 {
            return Err("--rounds wants at least one".into());
        }
        Ok(options)
    }
}

struct Programs {
    farcall: PathBuf,
    calls: PathBuf,
    limits: PathBuf,
    rpcx: PathBuf,
}

impl Programs {
    fn build() -> Done<Programs> {
        let rpcx = peers::rpcx()?;
        let bench = root().join("bench");
        show(cargo().current_dir(root()).args(["build", "--release", "-p", "farcall-cli"]))?;
        let mut build = cargo();
        show(build.current_dir(&bench).args([
            "build",
            "--release",
            "-p",
            "calls",
            "-p",
            "limits",
        ]))?;
        Ok(Programs {
            farcall: target(root()).join("release/farcall"),
            calls: target(&bench).join("release/calls"),
            limits: target(&bench).join("release/limits"),
            rpcx,
        })
    }
}

/// One program's end of a connection.
#[derive(Clone, Copy)]
enum End {
    Farcall,
    Go,
    /// Bare sockets: the name of the pair.
    Limit(&'static str),
}

impl End {
    fn server(self, programs: &Programs) -> Command {
        match self {
            End::Farcall => with(&programs.farcall, &["serve", "--listen", "tcp://127.0.0.1:0"]),
            End::Go => with(&programs.rpcx, &["bench-server", "-addr", "127.0.0.1:0"]),
            End::Limit(name) => {
                with(&programs.limits, &[&format!("{name}-server"), "-addr", "127.0.0.1:0"])
            }
        }
    }

    fn client(self, programs: &Programs) -> Command {
        match self {
            End::Farcall => with(&programs.calls, &["-codec", "protobuf"]),
            End::Go => with(&programs.rpcx, &["bench-client", "-codec", "pb"]),
            End::Limit(name) => with(&programs.limits, &[&format!("{name}-client")]),
        }
    }
}

fn with(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Everyone, as name, client, server.
const PARTICIPANTS: [(&str, End, End); 6] = [
    (BASE, End::Go, End::Go),
    (OURS, End::Farcall, End::Farcall),
    ("farcall → rpcx-go", End::Farcall, End::Go),
    ("rpcx-go → farcall", End::Go, End::Farcall),
    ("bare ping-pong", End::Limit("ping-pong"), End::Limit("ping-pong")),
    ("bare echo in batches", End::Limit("echo"), End::Limit("echo")),
];

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

struct Shape {
    conns: usize,
    callers: usize,
    payload: &'static str,
}

impl Shape {
    /// Runs everyone; the section of the report, and our CPU time as a part of the base's.
    fn measure(&self, programs: &Programs, options: &Options) -> Done<(String, f64)> {
        let load = OtherLoad::start()?;
        let count = PARTICIPANTS.len();
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
        let base = medians[place(BASE)];
        let ratio = medians[place(OURS)].cpu_us() / base.cpu_us();
        Ok((self.section(&medians, base, other_cores), ratio))
    }

    /// One server, one client.
    fn once(&self, programs: &Programs, at: usize, calls: usize) -> Done<Figures> {
        let (name, client, server) = PARTICIPANTS[at];
        let server = Server::start(server.server(programs))?;
        let mut client = client.client(programs);
        client.args(["-addr", &server.addr, "-payload", self.payload]);
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

    fn section(&self, medians: &[Figures], base: Figures, other_cores: f64) -> String {
        let headings = [
            "client → server",
            "calls/s",
            "×",
            "p50 µs",
            "p99 µs",
            "CPU µs, client",
            "server",
            "both",
            "×",
        ];
        let mut table = Table::new(&headings);
        for ((name, ..), figures) in PARTICIPANTS.iter().zip(medians) {
            table.row(vec![
                (*name).to_owned(),
                commas(figures.calls_per_second),
                format!("{:.2}", figures.calls_per_second / base.calls_per_second),
                format!("{:.1}", figures.p50_us),
                format!("{:.1}", figures.p99_us),
                format!("{:.2}", figures.client_us),
                format!("{:.2}", figures.server_us),
                format!("{:.2}", figures.cpu_us()),
                format!("{:.3}", figures.cpu_us() / base.cpu_us()),
            ]);
        }
        let plural = if self.conns == 1 { "" } else { "s" };
        let callers = if self.callers == 1 { "" } else { "s" };
        format!(
            "\n## {} connection{plural}, {} caller{callers}, {}\n\nOther load on the machine: \
             {other_cores:.2} cores.\n\n{}",
            self.conns,
            self.callers,
            if self.payload == "tiny" { "tiny message" } else { "581-byte message" },
            table.to_markdown(),
        )
    }
}

/// Where in the list someone is.
fn place(name: &str) -> usize {
    PARTICIPANTS.iter().position(|(who, ..)| *who == name).unwrap_or_default()
}

const METHOD: &str = "\
Server and client are two processes over loopback TCP, free to use all cores; every caller has one
call at a time. Bodies are protobuf, encoded and decoded at both ends (bare sockets move the same
number of bytes and look at nothing; the ping-pong has a connection per caller). CPU is the time of
both processes and the kernel's on their behalf, per call. Medians; everyone runs in every round. ×
is against rpcx-go in the same table. Above about 0.1 cores of other load, figures are rough.";

fn heading(programs: &Programs, options: &Options) -> Done<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!(
        "# Side by side\n\nWritten by `cargo xtask bench`.\n\n{METHOD}\n\n- Linux {}, {} cores\n\
         - {}\n- farcall {}, tokio {}\n- {}\n- rounds: {}\n",
        kernel.trim().split('-').next().unwrap_or_default(),
        thread::available_parallelism()?,
        version("rustc", "-V").unwrap_or_default(),
        locked(&lock, "farcall"),
        locked(&lock, "tokio"),
        peers::describe(&programs.rpcx)?,
        options.rounds,
    ))
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
    fn everyone_has_a_place() {
        assert_eq!(PARTICIPANTS[place(OURS)].0, OURS);
        assert_eq!(PARTICIPANTS[place(BASE)].0, BASE);
    }
}
