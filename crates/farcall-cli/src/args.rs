//! What people type: commands and flags.
//!
//! `values.rs` reads values; `to_come.rs` has what is promised and not built.

mod to_come;
mod values;

pub(crate) use to_come::command;
use to_come::not_built;
pub(crate) use values::{Secret, duration, pair, token};
use values::{at_least_one, codec, compress, limit, rate, secret};

use crate::{
    files, ls,
    secure::{ClientFlags, ServerFlags},
    several::Several,
};
use clap::{Args, FromArgMatches, Parser, Subcommand, value_parser};
use farcall::{Compress, Format, Rate};
use std::{path::PathBuf, time::Duration};

/// One Rust framework for remote procedure calls, at your fingertips.
#[derive(Debug, Parser)]
#[command(name = "farcall", version, max_term_width = 100, after_help = AFTER)]
pub(crate) struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Examples:
  farcall demo
  farcall serve --listen tcp://127.0.0.1:8972
  farcall call rpcx://127.0.0.1:8972/Arith/Mul '{\"A\": 6, \"B\": 7}'
  farcall call netrpc://127.0.0.1:8972/Arith/Mul '{\"A\": 6, \"B\": 7}' -v
  farcall bench rpcx://127.0.0.1:8972/Arith/Mul -d 5s
  farcall doctor 127.0.0.1:8972

farcall COMMAND --help says what a command takes, and has examples.
Exit codes: 0 done, 1 a call failed, 2 wrong usage, 130 interrupted.
Not built yet: watch, node, tap, console, gen, new.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Serve(Serve),
    Call(Call),
    Bench(Bench),
    Send(files::Send),
    Fetch(files::Fetch),
    Ls(ls::Ls),
    Doctor(Doctor),
    Completions(Completions),
    Man(Man),
}

/// The tour: serves, calls everything every way there is, and checks every answer
///
/// Starts the example services on a TCP port and in memory, calls them over every protocol,
/// transport, codec and compression that is built, makes them fail, and prints what was called,
/// what came of it and how long it took. Exits 0 only if every answer was right.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  farcall demo\n  farcall demo --stay\n  farcall demo --json")]
pub(crate) struct Demo {
    /// Go on serving when the tour is over, and print what to try
    #[arg(long)]
    pub(crate) stay: bool,
    /// Print the results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Serves the example services: Arith, HelloService, Echo
///
/// One port answers rpcx, net/rpc, JSON-RPC 2.0 and 1.0, and plain JSON over HTTP/1.1. Serves until
/// SIGINT or SIGTERM, then says goodbye and lets running calls finish; a second signal cuts them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall serve                                     all protocols on one port
  farcall serve --listen tcp://127.0.0.1:0          a free port; the output says which
  farcall serve --listen tcp://127.0.0.1:8972 --listen tcp://[::1]:8972
  farcall serve --listen 'tcp://127.0.0.1:8972?speak=rpcx,http'
  farcall serve --auth-token @token.txt --allow 10.0.0.0/8 --allow 127.0.0.1
  farcall serve --limit message_bytes=1MiB --limit silence=5s
  farcall serve --listen fd://3                     a socket that systemd passed
  farcall serve --factor 2 --instance blue          told apart by Arith.Mul and Echo.Meta

  farcall serve --tls-cert cert.pem --tls-key key.pem --tls-client-ca clients.pem
  farcall serve --listen unix:///run/farcall.sock
  farcall serve --files ./shared

Not built yet: --registry, --group, --weight, --meta.")]
pub(crate) struct Serve {
    /// Where to listen: tcp://HOST:PORT, unix:///PATH, with ?speak=rpcx,http for fewer protocols
    /// than all, or fd://3, a socket that was passed; may be given several times. Unless given: the
    /// sockets of LISTEN_FDS, or tcp://127.0.0.1:8972
    #[arg(long, value_name = "URL")]
    pub(crate) listen: Vec<String>,
    /// Arith.Mul multiplies its result by this
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) factor: i64,
    /// Echo.Meta sends this back as reply metadata `instance`
    #[arg(long, value_name = "ID")]
    pub(crate) instance: Option<String>,
    /// Serve only callers that send this token, or the one in @FILE, which other users of this
    /// machine cannot see; net/rpc and JSON-RPC over TCP have no place for it
    #[arg(long, value_name = "TOKEN", value_parser = secret)]
    pub(crate) auth_token: Option<Secret>,
    /// Let only these addresses connect: 10.0.0.0/8, 192.0.2.1, 2001:db8::/32; may be given several
    /// times
    #[arg(long, value_name = "CIDR")]
    pub(crate) allow: Vec<String>,
    /// Let these addresses not connect; may be given several times
    #[arg(long, value_name = "CIDR")]
    pub(crate) deny: Vec<String>,
    /// Show counts of calls and connections to Prometheus there, at /metrics and on a port of its
    /// own: http://127.0.0.1:9090
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<String>,
    /// Log calls that take longer than this, at most 10 a second
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) log_slow: Option<Duration>,
    /// Refuse calls beyond this rate: 1000/s, 60/m, 10/h
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) rate: Option<Rate>,
    /// Refuse calls of one address beyond this rate
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) peer_rate: Option<Rate>,
    /// Time between a signal, when /healthz begins to say 503, and the end of accepting
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) drain_delay: Option<Duration>,
    /// Time that running calls then have; 30s unless given
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) drain_time: Option<Duration>,
    /// Set a limit by its name: message_bytes=1MiB, silence=5s; may be given several times.
    /// `farcall doctor` prints all
    #[arg(long, value_name = "NAME=VALUE", value_parser = limit)]
    pub(crate) limit: Vec<(String, String)>,
    /// Set limits from a file of lines NAME = VALUE; FARCALL_LIMITS is read after it (between
    /// semicolons), --limit last
    #[arg(long, value_name = "FILE")]
    pub(crate) limits: Option<PathBuf>,
    /// Who may read /debug/limits: with a token or client certificates, those who have them; else
    /// this machine (local), or everybody (anyone), or nobody (off)
    #[arg(long, value_name = "WHO", default_value = "local")]
    pub(crate) debug_limits: Shown,
    /// Threads that serve; all cores unless given
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) workers: Option<usize>,
    /// Whether each thread keeps the connections that it is dealt (per-core), or all share them
    #[arg(long, value_name = "HOW", default_value = "per-core")]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) files: files::ServeFlags,
    #[command(flatten)]
    pub(crate) secure: ServerFlags,
}

/// How work is spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Threads {
    /// A connection stays on the thread that it was dealt to.
    PerCore,
    /// Any thread takes up any connection.
    Shared,
}

/// Makes one call: JSON in, JSON out
///
/// The argument is JSON, and so is what is printed, whatever the codec on the wire. The scheme of
/// TARGET is the protocol: rpcx, netrpc, jsonrpc (`?version=1` for 1.0).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall call rpcx://127.0.0.1:8972/Arith/Mul '{\"A\": 6, \"B\": 7}'
  farcall call jsonrpc://127.0.0.1:8972/Arith/Mul '{\"A\": 6, \"B\": 7}'
  farcall call netrpc://127.0.0.1:8972/Arith/Mul '{\"A\": 6, \"B\": 7}'
  echo '\"gopher\"' | farcall call rpcx://127.0.0.1:8972/HelloService/SayHello -
  farcall call rpcx+tls://127.0.0.1:8972/Echo/Meta --ca ca.pem
  farcall call rpcx+unix://%2Frun%2Ffarcall.sock/Echo/Meta
  farcall call rpcx://127.0.0.1:8972/Echo/Meta --meta tenant=blue -v
  farcall call rpcx://127.0.0.1:8972/Echo/Sleep '{\"Ms\": 5000}' --deadline 200ms
  farcall call rpcx://127.0.0.1:8972,127.0.0.1:8973/Echo/Meta --fail over --retries 2 -v
  farcall call rpcx://127.0.0.1:8972/Echo/Bytes --codec raw @picture.png > copy.png
  farcall call netrpc://127.0.0.1:8972/My/Method '{\"Id\": {\"$uint\": 6}}'
  farcall call rpcx://127.0.0.1:8972/Arith/Mul '{\"A\": 6, \"B\": 7}' --curl

Codecs: json suits Go structs best (their tags, their case-insensitive names, base64 for bytes)
and is the default. msgpack sends what the JSON says, names as they stand. protobuf needs a schema;
those of the example services are known. raw sends the text, file or standard input as it is and
prints the reply as it came. gob is what netrpc carries: an object becomes a struct of its fields,
a whole number an int, a fraction a float.

In gob and msgpack an object of one key says what JSON cannot: {\"$uint\": 6}, {\"$float\": 1},
{\"$bytes\": \"00ff\"} (hexadecimal), {\"$time\": \"2023-11-14T22:13:20Z\"}.
{\"$map\": {\"k\": 1}} is a map where gob would have a struct; {\"$map\": [[1, \"v\"]]} is one
whose keys are no text. A key that itself begins with $ is written with $$.

--curl prints the HTTP face of the same call, POST /Service/Method, whatever the protocol of
TARGET, which may then be http:// or jsonrpc+http:// too.

Not built yet: --proto, --thrift.")]
pub(crate) struct Call {
    /// PROTOCOL[+TRANSPORT]://HOST:PORT[,HOST:PORT…]/Service/Method
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// The argument: JSON, `-` for standard input, @FILE for a file; `{}` unless given
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) argument: Option<String>,
    /// How the body travels: json, msgpack, protobuf, raw, gob; json unless given, gob over netrpc
    #[arg(long, value_name = "CODEC", value_parser = codec)]
    pub(crate) codec: Option<Format>,
    /// How the body is compressed: none or gzip
    #[arg(long, value_name = "HOW", default_value = "none", value_parser = compress)]
    pub(crate) compress: Compress,
    /// Metadata to send; may be given several times
    #[arg(long, value_name = "K=V", value_parser = pair)]
    pub(crate) meta: Vec<(String, String)>,
    /// Token to send, or @FILE: metadata __AUTH over rpcx
    #[arg(long, value_name = "TOKEN", value_parser = secret)]
    pub(crate) auth: Option<Secret>,
    /// Time for everything, connecting included: 500ms, 2s, 1m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) deadline: Duration,
    #[command(flatten)]
    pub(crate) several: Several,
    /// Want no answer
    #[arg(long)]
    pub(crate) oneway: bool,
    /// Show target, sizes, metadata and the time of each step on standard error
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print the curl line that makes the same call over HTTP, and call nobody
    #[arg(long)]
    pub(crate) curl: bool,
    /// Print a failure as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secure: ClientFlags,
}

/// Makes many calls and measures them
///
/// A closed loop (every caller calls again when its answer is there) or, with --rate, an open one
/// (calls are due by the clock, and latency counts from when they were due).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall bench rpcx://127.0.0.1:8972/Arith/Mul
  farcall bench netrpc://127.0.0.1:8972/Arith/Mul -d 2s
  farcall bench rpcx://127.0.0.1:8972 --payload 581 --codec protobuf -c 128 -d 10s
  farcall bench rpcx://127.0.0.1:8972/Arith/Mul --rate 20000 -d 30s
  farcall bench rpcx://127.0.0.1:8972/HelloService/SayHello '\"gopher\"' -n 10000 --json

On a terminal, latency is drawn over time while it runs: p50 and p99 of each fifth of a second.

Without JSON, Arith/Mul and Echo/Echo are called with typed messages, so that what is measured is
the library; everything else is called through dynamic values. Exits 1 if a call failed.")]
pub(crate) struct Bench {
    /// PROTOCOL[+TRANSPORT]://HOST:PORT/Service/Method; the path may be left out with --payload
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// The argument: JSON, `-` for standard input, @FILE for a file
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) argument: Option<String>,
    /// Callers at once
    #[arg(short = 'c', long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub(crate) callers: usize,
    /// Connections, shared by the callers in turn; over HTTP at least one for each caller
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) connections: usize,
    /// Calls in total
    #[arg(short = 'n', long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) calls: Option<u64>,
    /// Time to call for; 5s unless calls are counted
    #[arg(short = 'd', long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Calls per second, sent by the clock whether or not answers come
    #[arg(long, value_name = "PER_S", value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub(crate) rate: Option<u64>,
    /// Time to call for before measuring
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) warmup: Option<Duration>,
    /// json, msgpack, protobuf, gob; unless given the protocol's for typed messages, for JSON what
    /// `farcall call` takes
    #[arg(long, value_name = "CODEC", value_parser = codec)]
    pub(crate) codec: Option<Format>,
    /// How bodies are compressed: none or gzip
    #[arg(long, value_name = "HOW", default_value = "none", value_parser = compress)]
    pub(crate) compress: Compress,
    /// tiny calls Arith/Mul, 581 calls Echo/Echo with the 581-byte message of the rpcx benchmarks
    #[arg(long, value_name = "WHICH", conflicts_with = "argument")]
    pub(crate) payload: Option<Payload>,
    /// Time a call may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) deadline: Duration,
    #[command(flatten)]
    pub(crate) several: Several,
    /// Threads that call; all cores unless given
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) workers: Option<usize>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secure: ClientFlags,
}

/// Prints the limits of a running server, where each came from, and what is not safe
///
/// Reads /debug/limits, which `farcall serve` has, and a library's server with
/// `Server::debug_limits`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall doctor 127.0.0.1:8972
  farcall doctor 127.0.0.1:8972 --auth @token
  farcall doctor tls://example.org:8972 --ca ca.pem --auth @token
  farcall doctor unix:///run/farcall.sock
  farcall doctor 127.0.0.1:8972 --strict            exits 1 if a setting is not safe")]
pub(crate) struct Doctor {
    /// HOST:PORT, or a URL to listen on or to call: tcp://, tls://, unix:///PATH, rpcx+tls://…
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// Token to send, or @FILE
    #[arg(long, value_name = "TOKEN", value_parser = secret)]
    pub(crate) auth: Option<Secret>,
    /// Exit 1 if a setting is not safe
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print all as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Time for everything, connecting included
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) deadline: Duration,
    #[command(flatten)]
    pub(crate) secure: ClientFlags,
}

/// Prints what a shell needs to complete commands and flags
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall completions bash > ~/.local/share/bash-completion/completions/farcall
  farcall completions zsh > ~/.zfunc/_farcall       with ~/.zfunc in fpath
  farcall completions fish > ~/.config/fish/completions/farcall.fish
  farcall completions powershell >> $PROFILE
  farcall completions elvish >> ~/.config/elvish/rc.elv")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Prints the manual, or writes its pages into a folder
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall man | man -l -
  farcall man ~/.local/share/man/man1               then: man farcall-call")]
pub(crate) struct Man {
    /// The folder for farcall.1, farcall-call.1, …; made if it is missing
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

/// Who may read the page of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shown {
    /// Nobody.
    Off,
    /// Who passes the server's checks; without any, this machine.
    Local,
    /// Everybody.
    Anyone,
}

/// A typed message to measure with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Payload {
    /// Two numbers.
    #[value(name = "tiny")]
    Tiny,
    /// The message of the rpcx benchmarks.
    #[value(name = "581")]
    Big,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// clap says why, or prints help.
    Clap(clap::Error),
    /// The name of what is promised and not built.
    NotBuilt(String),
}

/// Reads a command line, the program's name included.
pub(crate) fn parse<I, T>(line: I) -> Result<Cli, Refusal>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    let matches = command().try_get_matches_from(line).map_err(Refusal::Clap)?;
    match not_built(&matches) {
        Some(name) => Err(Refusal::NotBuilt(name)),
        None => Cli::from_arg_matches(&matches).map_err(Refusal::Clap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn arguments_may_begin_with_a_hyphen() {
        let cli = parse(["farcall", "call", "rpcx://h:1/S/M", "-7", "--codec", "msgpack"]);
        match cli.map(|cli| cli.command) {
            Ok(Command::Call(call)) => {
                assert_eq!(call.argument.as_deref(), Some("-7"));
                assert_eq!(call.codec, Some(Format::MsgPack));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_to_come_is_refused_by_name() {
        for (line, want) in [
            ("farcall watch etcd://h:1/base --json", "`farcall watch`"),
            ("farcall serve --registry etcd://h:1/base", "`--registry`"),
            ("farcall serve --meta k=v", "`--meta`"),
            ("farcall call rpcx://h:1/S/M --thrift f", "`--thrift`"),
        ] {
            match parse(line.split(' ')) {
                Err(Refusal::NotBuilt(name)) => assert_eq!(name, want),
                other => panic!("{line}: {other:?}"),
            }
        }
        assert!(parse(["farcall", "serve"]).is_ok());
    }
}
