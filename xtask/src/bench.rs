//! `cargo xtask bench`: CPU time and latency of a call, side by side with Go's rpcx and net/rpc,
//! with hyper and with bare sockets. Everyone runs in every round, and each round begins with
//! another one, so that what the machine does meanwhile hits all alike. Trust ratios of CPU time
//! first, calls per second second, the p99 hardly.

mod section;

use crate::{
    Done, known, locked, peers,
    proc::{cargo, number, run_within, show, version},
    root,
    table::Table,
    target,
};
use section::{Section, sections};
use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

/// Nanoseconds that it may take to tell a protocol by its first bytes.
const DETECT_NS: f64 = 20.0;

pub(crate) fn run(flags: &[String]) -> Done {
    let options = Options::parse(flags)?;
    let programs = Programs::build()?;
    let mut text = heading(&programs, &options)?;
    print!("\n{text}");
    let (mut verdicts, mut missed) = (String::new(), false);
    let mut judge = |what: String, figure: f64, wanted: f64| {
        // What was not measured is not met.
        let met = if figure <= wanted { "met" } else { "MISSED" };
        verdicts += &format!("- {what}: {figure:.3}, at most {wanted:.3} wanted: {met}\n");
        missed |= met == "MISSED";
    };
    for section in sections().iter().filter(|section| options.wants(section)) {
        let (part, judged) = section.measure(&programs, &options)?;
        print!("{part}");
        text += &part;
        for (what, figure, most) in judged {
            judge(what, figure, most);
        }
    }
    let (part, worst) = detector(&programs)?;
    print!("{part}");
    text += &part;
    judge("ns to tell a protocol, the slowest".to_owned(), worst, DETECT_NS);
    let verdicts = format!("\n## What is wanted\n\n{verdicts}");
    print!("{verdicts}");
    text += &verdicts;
    if options.quick || options.only.is_some() {
        println!("docs/bench.md is written by a run without --quick and --only");
    } else {
        fs::create_dir_all(root().join("docs"))?;
        fs::write(root().join("docs/bench.md"), text)?;
        println!("written to docs/bench.md");
    }
    match missed && options.check {
        true => Err("something costs more than is wanted".into()),
        false => Ok(()),
    }
}

struct Options {
    rounds: usize,
    /// Measured seconds of a run, about.
    seconds: f64,
    quick: bool,
    check: bool,
    /// A word of the headings of the sections to run.
    only: Option<String>,
}

impl Options {
    fn parse(flags: &[String]) -> Done<Options> {
        let mut options =
            Options { rounds: 3, seconds: 0.7, quick: false, check: false, only: None };
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
                "--only" => options.only = Some(flags.next().ok_or("--only wants a word")?.clone()),
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

    fn wants(&self, section: &Section) -> bool {
        self.only.as_ref().is_none_or(|word| section.title.contains(word.as_str()))
    }
}

struct Programs {
    farcall: PathBuf,
    calls: PathBuf,
    limits: PathBuf,
    http: PathBuf,
    detect: PathBuf,
    rpcx: PathBuf,
    netrpc: PathBuf,
    /// The folder of `ca.pem`, `cert.pem` and `key.pem`.
    certs: PathBuf,
}

impl Programs {
    fn build() -> Done<Programs> {
        let (rpcx, netrpc) = (peers::rpcx()?, peers::netrpc()?);
        let bench = root().join("bench");
        show(cargo().current_dir(root()).args(["build", "--release", "-p", "farcall-cli"]))?;
        let mut build = cargo();
        build.current_dir(&bench).args(["build", "--release"]);
        for package in ["calls", "certs", "limits", "http-json", "detect"] {
            build.args(["-p", package]);
        }
        show(&mut build)?;
        let program = |name: &str| target(&bench).join("release").join(name);
        let certs = target(&bench).join("certs");
        show(Command::new(program("certs")).arg(&certs))?;
        Ok(Programs {
            certs,
            farcall: target(root()).join("release/farcall"),
            calls: program("calls"),
            limits: program("limits"),
            http: program("http-json"),
            detect: program("detect"),
            rpcx,
            netrpc,
        })
    }
}

/// What it costs to tell protocols by their first bytes, and the most it costs.
fn detector(programs: &Programs) -> Done<(String, f64)> {
    let said = run_within(Command::new(&programs.detect), Duration::from_secs(60))?;
    let mut table = Table::new(&["first bytes of", "ns"]);
    let mut worst: f64 = 0.0;
    for line in said.lines() {
        let ns = number(line, "ns").ok_or_else(|| format!("not understood: {line:?}"))?;
        let name = line.split('"').nth(3).unwrap_or_default();
        table.row(vec![name.to_owned(), format!("{ns:.1}")]);
        worst = worst.max(ns);
    }
    let text = "The shortest of many runs of `bench/detect`, which asks for every protocol.";
    Ok((format!("\n## Telling protocols apart\n\n{text}\n\n{}", table.to_markdown()), worst))
}

const METHOD: &str = "\
Server and client are two processes over loopback TCP, free to use all cores; every caller has one
call at a time. Over rpcx, bodies are protobuf, encoded and decoded at both ends (bare sockets move
the same number of bytes and look at nothing; the ping-pong has a connection per caller). farcall's
server has a thread per core, as `farcall serve` does; a row 'per core' says that the client's
callers have too, with `farcall::before_park`. Over HTTP/1.1 the same raw client loads both servers,
and the ratio is of the servers alone; it makes one request at a time on each connection, so that
both read once and write once for each call, and most of their time is the kernel's
(`docs/ledger.md` counts the rest). CPU is the time of both processes and the kernel's on their
behalf, per call. Medians; everyone runs in every round. × is against the first of the same table.
Above about 0.1 cores of other load, figures are rough.";

fn heading(programs: &Programs, options: &Options) -> Done<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let bench = fs::read_to_string(root().join("bench/Cargo.lock"))?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!(
        "# Side by side\n\nWritten by `cargo xtask bench`.\n\n{METHOD}\n\n- Linux {}, {} cores\n\
         - {}\n- farcall {}, tokio {}\n- {}\n- hyper {}\n- rounds: {}\n",
        kernel.trim().split('-').next().unwrap_or_default(),
        thread::available_parallelism()?,
        version("rustc", "-V").unwrap_or_default(),
        locked(&lock, "farcall"),
        locked(&lock, "tokio"),
        peers::describe(&programs.rpcx)?,
        locked(&bench, "hyper"),
        options.rounds,
    ))
}
