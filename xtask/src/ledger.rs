//! `cargo xtask ledger`: what a call costs, in figures that barely move on a noisy machine:
//! instructions and allocations by callgrind, system calls by strace. Each has a floor;
//! docs/ledger.md is under version control, so a regression is a diff that someone must explain.

use crate::{
    Done,
    callgrind::{self, Profile},
    known, locked,
    proc::{Server, capture, cargo, run_within, show, version},
    root,
    table::{Table, commas},
    target,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// The floors, per tiny call with bodies in protobuf. Instructions have none where a lone caller
/// makes every call a turn of tokio's loop: most of that is tokio's. A 64th of an allocation, for
/// the blocks that a connection's buffers are cut from, is not held against a floor.
const SERVER_INSTRUCTIONS: f64 = 2_500.0;
const CLIENT_INSTRUCTIONS: f64 = 4_000.0;
const ALLOCATIONS: f64 = 1.0;
const BUFFER_ALLOCATIONS: f64 = 1.0 / 64.0;

/// How much of hyper's instructions a call over HTTP may cost a server.
const HTTP: f64 = 1.0 / 1.5;

/// How much of the other's instructions our formats may cost, encoding as decoding.
const CODECS: [(&str, &str, f64); 3] = [
    ("ours-protobuf", "prost", 1.0),
    ("ours-json", "serde_json", 0.7),
    ("ours-msgpack", "rmp-serde", 0.8),
];

/// Whose first bytes are told, and what that may take: some 20 ns.
const DETECTED: [&str; 4] = ["rpcx", "netrpc", "http", "jsonrpc"];
const DETECT_INSTRUCTIONS: f64 = 200.0;

/// Two runs; their difference has no start-up in it.
const CALLS: (usize, usize) = (3_000, 9_000);
const ITERATIONS: (usize, usize) = (100, 600);

/// The calls that have floors.
const SHAPES: [Load; 2] = [Load::new("rpcx", 1, 64), Load::new("rpcx", 1, 1)];

/// The calls of the other wires, and which sides of them are counted. HTTP has no client, and its
/// peers mostly wait for an answer before they ask again: a connection for each.
const OTHERS: [(Load, &[Side]); 4] = [
    (Load::new("netrpc", 1, 64), &[Side::Server, Side::Client]),
    (Load::new("jsonrpc", 1, 64), &[Side::Server, Side::Client]),
    (Load::new("http", 64, 64), &[Side::Server]),
    (Load { server: Who::Hyper, ..Load::new("http", 64, 64) }, &[Side::Server]),
];

/// How many functions of a profile are shown.
const TOP: usize = 16;

pub(crate) fn run(flags: &[String]) -> Done {
    known(flags, &["--check", "--quick"])?;
    let has = |flag: &str| flags.iter().any(|f| f == flag);
    if version("valgrind", "--version").is_none() {
        return Err("valgrind is not installed; Debian and Ubuntu: apt-get install valgrind".into());
    }
    let quick = has("--quick");
    let programs = Programs::build(quick)?;
    let mut ledger = Ledger { missed: Vec::new(), profiles: String::new() };
    let mut text = heading(&programs)?;
    text += &ledger.calls(&programs)?;
    text += &ledger.others(&programs)?;
    if !quick {
        text += &ledger.codecs(&programs)?;
        text += &ledger.detector(&programs)?;
    }
    println!("\n{text}{}", ledger.profiles);
    if quick {
        println!("docs/ledger.md is written by a run without --quick");
    } else {
        let path = root().join("docs/ledger.md");
        fs::create_dir_all(root().join("docs"))?;
        fs::write(path, &text)?;
        println!("written to docs/ledger.md");
    }
    match &ledger.missed[..] {
        [] => println!("every floor is met"),
        missed => println!("missed: {}", missed.join("; ")),
    }
    match ledger.missed.is_empty() || !has("--check") {
        true => Ok(()),
        false => Err("a floor was missed".into()),
    }
}

/// What is measured, and what measures.
struct Programs {
    farcall: PathBuf,
    calls: PathBuf,
    http: PathBuf,
    codec: PathBuf,
    /// Where tools write.
    scratch: PathBuf,
    strace: bool,
}

impl Programs {
    fn build(quick: bool) -> Done<Programs> {
        let bench = root().join("bench");
        show(cargo().current_dir(root()).args(["build", "--release", "-p", "farcall-cli"]))?;
        let mut build = cargo();
        build.current_dir(&bench).args(["build", "--release", "-p", "calls", "-p", "http-json"]);
        if !quick {
            build.args(["-p", "codec"]);
        }
        show(&mut build)?;
        let scratch = target(root()).join("ledger");
        fs::create_dir_all(&scratch)?;
        Ok(Programs {
            farcall: target(root()).join("release/farcall"),
            calls: target(&bench).join("release/calls"),
            http: target(&bench).join("release/http-json"),
            codec: target(&bench).join("release/codec"),
            scratch,
            strace: version("strace", "-V").is_some(),
        })
    }
}

/// What is called, by whom, of whom.
#[derive(Clone, Copy)]
struct Load {
    protocol: &'static str,
    conns: usize,
    callers: usize,
    server: Who,
}

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Farcall,
    Hyper,
}

impl Load {
    const fn new(protocol: &'static str, conns: usize, callers: usize) -> Load {
        Load { protocol, conns, callers, server: Who::Farcall }
    }

    fn shape(self) -> String {
        format!("{}×{}", self.conns, self.callers)
    }
}

/// Whose cost is counted.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Server,
    Client,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Server => "server",
            Side::Client => "client",
        }
    }

    fn instructions(self) -> f64 {
        match self {
            Side::Server => SERVER_INSTRUCTIONS,
            Side::Client => CLIENT_INSTRUCTIONS,
        }
    }
}

/// The figures so far: floors that were missed, and where instructions went.
struct Ledger {
    missed: Vec<String>,
    profiles: String,
}

impl Ledger {
    fn calls(&mut self, programs: &Programs) -> Done<String> {
        let mut table = Table::new(&["per call", "connections × callers", "here", "floor", "met"]);
        for load in SHAPES {
            for side in [Side::Server, Side::Client] {
                let shape = load.shape();
                println!("counting: {} at {shape}", side.name());
                let each = profile(programs, side, load)?;
                self.remember(side, &shape, &each);
                let mut row = |what: &str, here: String, floor: String, met: &str| {
                    let what = format!("{}: {what}", side.name());
                    table.row(vec![what, shape.clone(), here, floor, met.to_owned()]);
                };
                let (floor, met) = match load.callers > 1 {
                    true => {
                        let floor = side.instructions();
                        let what = format!("{} at {shape}: instructions", side.name());
                        (commas(floor), self.judge(each.instructions <= floor, what))
                    }
                    false => ("-".to_owned(), "-"),
                };
                row("instructions", commas(each.instructions), floor, met);
                let met = self.judge(
                    each.allocations <= ALLOCATIONS + BUFFER_ALLOCATIONS,
                    format!("{} at {shape}: allocations", side.name()),
                );
                row("allocations", format!("{:.3}", each.allocations), commas(ALLOCATIONS), met);
                let here = match programs.strace {
                    true => {
                        let counts = system_calls(programs, side, load)?;
                        self.profiles += &format!("{}\n", in_words(&counts));
                        format!("{:.3}", counts.values().sum::<f64>())
                    }
                    false => "NOT MEASURED: strace is missing".to_owned(),
                };
                row("system calls", here, "-".to_owned(), "-");
            }
        }
        Ok(format!("## Calls\n\n{CALLS_TEXT}\n\n{}", table.to_markdown()))
    }

    /// The other wires: figures, so that a change of them shows, and one comparison.
    fn others(&mut self, programs: &Programs) -> Done<String> {
        let headings =
            ["per call", "connections × callers", "instructions", "allocations", "system calls"];
        let mut table = Table::new(&headings);
        let (mut ours, mut other) = (f64::NAN, f64::NAN);
        for (load, sides) in OTHERS {
            for side in sides {
                let name = match load.server {
                    Who::Farcall => format!("{} {}", load.protocol, side.name()),
                    Who::Hyper => "http server on hyper".to_owned(),
                };
                println!("counting: {name} at {}", load.shape());
                let each = profile(programs, *side, load)?;
                match (load.protocol, load.server) {
                    ("http", Who::Farcall) => ours = each.instructions,
                    ("http", Who::Hyper) => other = each.instructions,
                    _ => {}
                }
                if load.server == Who::Farcall {
                    self.remember(*side, &format!("{} {}", load.protocol, load.shape()), &each);
                }
                let calls = match programs.strace {
                    true => {
                        let counts = system_calls(programs, *side, load)?;
                        format!("{:.3}", counts.values().sum::<f64>())
                    }
                    false => "NOT MEASURED".to_owned(),
                };
                let allocations = format!("{:.3}", each.allocations);
                table.row(vec![name, load.shape(), commas(each.instructions), allocations, calls]);
            }
        }
        let ratio = ours / other;
        let met = self.judge(ratio <= HTTP, "http server: instructions".to_owned());
        Ok(format!(
            "\n## Other wires\n\n{OTHERS_TEXT}\n\n{}\nOf hyper's instructions: {ratio:.2}, at most \
             {HTTP:.2} wanted: {met}\n",
            table.to_markdown()
        ))
    }

    fn codecs(&mut self, programs: &Programs) -> Done<String> {
        let headings = ["581-byte message", "ours", "other", "other's", "ratio", "floor", "met"];
        let mut table = Table::new(&headings);
        for (ours, other, floor) in CODECS {
            for op in ["encode", "decode"] {
                println!("counting: {ours} and {other}, {op}");
                let mine = codec(programs, ours, op)?;
                let theirs = codec(programs, other, op)?;
                let ratio = mine / theirs;
                let met = self.judge(ratio <= floor, format!("{ours} {op}"));
                table.row(vec![
                    format!("{} {op}", ours.trim_start_matches("ours-")),
                    commas(mine),
                    other.to_owned(),
                    commas(theirs),
                    format!("{ratio:.2}"),
                    format!("{floor:.2}"),
                    met.to_owned(),
                ]);
            }
        }
        Ok(format!("\n## Formats\n\n{CODECS_TEXT}\n\n{}", table.to_markdown()))
    }

    fn detector(&mut self, programs: &Programs) -> Done<String> {
        let mut table = Table::new(&["first bytes of", "instructions", "floor", "met"]);
        for protocol in DETECTED {
            let here = codec(programs, "detect", protocol)?;
            let met = self.judge(here <= DETECT_INSTRUCTIONS, format!("detect {protocol}"));
            let floor = commas(DETECT_INSTRUCTIONS);
            table.row(vec![protocol.to_owned(), commas(here), floor, met.to_owned()]);
        }
        Ok(format!("\n## Detector\n\n{DETECTOR_TEXT}\n\n{}", table.to_markdown()))
    }

    fn judge(&mut self, met: bool, what: String) -> &'static str {
        if met {
            return "yes";
        }
        self.missed.push(what);
        "NO"
    }

    /// Profiles are shown, not written: names of functions change too often to be worth a diff.
    fn remember(&mut self, side: Side, shape: &str, each: &Profile) {
        self.profiles += &format!("\n{} at {shape}, own instructions per call:\n", side.name());
        for (name, cost) in each.top(TOP) {
            let name: String = name.chars().take(110).collect();
            self.profiles += &format!("{cost:>9.1}  {name}\n");
        }
    }
}

const CALLS_TEXT: &str = "\
`Arith.Mul` over rpcx on loopback TCP, bodies in protobuf; `farcall serve --workers 1` and
`bench/calls -workers 1`. The side that is counted runs under valgrind (callgrind) or strace, the
other one natively. Each figure is a run of 9,000 calls minus one of 3,000, divided by 6,000.
Instructions are those in user space.";

const OTHERS_TEXT: &str = "\
The same of other wires, counted the same way: `Arith.Multiply` over net/rpc (gob) and JSON-RPC
1.0, and `POST /Arith/Mul` with plain JSON, by a raw client with one request at a time on each
connection, beside a server on hyper and serde_json that does the same.";

const CODECS_TEXT: &str = "\
Instructions per message, by callgrind, of `bench/codec`: a run of 600 minus one of 100, divided by
500. All write the same bytes and read into owned strings.";

const DETECTOR_TEXT: &str = "\
Instructions to tell whose a connection's first bytes are, once per connection, by callgrind, of
`bench/codec detect`; run alone, it prints the time.";

fn heading(programs: &Programs) -> Done<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let bench = fs::read_to_string(root().join("bench/Cargo.lock"))?;
    let tool = |program, flag| version(program, flag).unwrap_or_else(|| "MISSING".to_owned());
    Ok(format!(
        "# Ledger\n\nWritten by `cargo xtask ledger`.\n\n\
         - {}, {}, {}\n- farcall {}, tokio {}, bytes {}\n\
         - prost {}, serde_json {}, rmp-serde {}\n- `farcall`, as built for release: {} KiB\n\n",
        tool("rustc", "-V"),
        tool("valgrind", "--version"),
        tool("strace", "-V"),
        locked(&lock, "farcall"),
        locked(&lock, "tokio"),
        locked(&lock, "bytes"),
        locked(&bench, "prost"),
        locked(&bench, "serde_json"),
        locked(&bench, "rmp-serde"),
        commas(fs::metadata(&programs.farcall)?.len() as f64 / 1024.0),
    ))
}

/// What one call costs a side.
fn profile(programs: &Programs, side: Side, load: Load) -> Done<Profile> {
    let out = programs.scratch.join("callgrind.out");
    let run = |calls| -> Done<Profile> {
        // A file of the run before must not pass for one of this run.
        let _ = fs::remove_file(&out);
        let under = |program: &Path| callgrind::command(program, &out);
        pair(programs, side, under, load, calls)?;
        Profile::read(&out)
    };
    let (few, many) = (run(CALLS.0)?, run(CALLS.1)?);
    Ok(many.per_unit(&few, (CALLS.1 - CALLS.0) as f64))
}

/// Which system calls one call costs a side, and how often.
fn system_calls(programs: &Programs, side: Side, load: Load) -> Done<BTreeMap<String, f64>> {
    let out = programs.scratch.join("strace.out");
    let run = |calls| -> Done<BTreeMap<String, f64>> {
        let _ = fs::remove_file(&out);
        let under = |program: &Path| {
            let mut command = Command::new("strace");
            // -D: the program is our child and gets our signals, strace stands aside.
            command.args(["-D", "-c", "-f", "-o"]).arg(&out).arg(program);
            command
        };
        pair(programs, side, under, load, calls)?;
        strace_counts(&out)
    };
    let (few, mut many) = (run(CALLS.0)?, run(CALLS.1)?);
    for (name, count) in &mut many {
        let before = few.get(name).copied().unwrap_or_default();
        *count = (*count - before) / (CALLS.1 - CALLS.0) as f64;
    }
    Ok(many)
}

/// The rows of strace's table. Strace writes it just after the program has ended.
fn strace_counts(out: &Path) -> Done<BTreeMap<String, f64>> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        let text = fs::read_to_string(out).unwrap_or_default();
        if !text.contains(" total") {
            thread::sleep(Duration::from_millis(10));
            continue;
        }
        // % time, seconds, usecs/call, calls, errors if there were any, system call
        let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let counts = rows.filter_map(|row| match row[..] {
            [_, _, _, calls, .., name] if name != "total" => {
                Some((name.to_owned(), calls.parse().ok()?))
            }
            _ => None,
        });
        return Ok(counts.collect());
    }
    Err(format!("strace wrote no table to {}", out.display()).into())
}

/// Runs a server and a client, one of them under a tool.
fn pair(
    programs: &Programs,
    side: Side,
    under: impl Fn(&Path) -> Command,
    load: Load,
    calls: usize,
) -> Done {
    let start = |program: &Path, measured: bool| match measured {
        true => under(program),
        false => Command::new(program),
    };
    let serve = match load.server {
        Who::Farcall => {
            let mut serve = start(&programs.farcall, side == Side::Server);
            serve.args(["serve", "--listen", "tcp://127.0.0.1:0", "--workers", "1"]);
            serve
        }
        Who::Hyper => {
            let mut serve = start(&programs.http, side == Side::Server);
            serve.args(["hyper-server", "-addr", "127.0.0.1:0", "-workers", "1"]);
            serve
        }
    };
    let server = Server::start(serve)?;
    let mut client = match load.protocol {
        "http" => {
            let mut client = start(&programs.http, side == Side::Client);
            client.arg("client");
            client
        }
        protocol => {
            let mut client = start(&programs.calls, side == Side::Client);
            client.args(["-protocol", protocol]);
            client
        }
    };
    client.args(["-addr", &server.addr, "-payload", "tiny", "-workers", "1", "-plain"]);
    for (flag, value) in [("-conns", load.conns), ("-callers", load.callers), ("-calls", calls)] {
        client.args([flag, &value.to_string()]);
    }
    run_within(client, Duration::from_secs(120))?;
    server.stop()
}

/// System calls that a call makes more often than once in a thousand times.
fn in_words(counts: &BTreeMap<String, f64>) -> String {
    let often = counts.iter().filter(|(_, count)| **count > 0.001);
    let words: Vec<String> = often.map(|(name, count)| format!("{name} {count:.3}")).collect();
    format!("system calls: {}", words.join(", "))
}

/// Instructions per message.
fn codec(programs: &Programs, who: &str, op: &str) -> Done<f64> {
    let out = programs.scratch.join("callgrind.out");
    let run = |iterations: usize| -> Done<Profile> {
        let _ = fs::remove_file(&out);
        let mut command = callgrind::command(&programs.codec, &out);
        capture(command.args([who, op, &iterations.to_string()]))?;
        Profile::read(&out)
    };
    let (few, many) = (run(ITERATIONS.0)?, run(ITERATIONS.1)?);
    Ok(many.per_unit(&few, (ITERATIONS.1 - ITERATIONS.0) as f64).instructions)
}
