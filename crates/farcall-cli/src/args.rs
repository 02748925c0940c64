//! What people type: commands, flags, and the small languages of their values (durations, `k=v`).
//!
//! Flags and commands that are promised and not built are tables here, so that each is refused by
//! name instead of as unknown.

use crate::{
    files, ls,
    secure::{ClientFlags, ServerFlags},
    several::Several,
};
use clap::{
    Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand,
    value_parser,
};
use farcall::{Compress, Format, Rate};
use std::time::Duration;

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

farcall COMMAND --help says what a command takes, and has examples.
Exit codes: 0 done, 1 a call failed, 2 wrong usage, 130 interrupted.
Not built yet: watch, node, tap, console, gen, new, doctor.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Serve(Serve),
    Call(Call),
    Bench(Bench),
    Send(files::Send),
    Fetch(files::Fetch),
    Ls(ls::Ls),
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
  farcall serve --auth-token s3cret --allow 10.0.0.0/8 --allow 127.0.0.1
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
    /// Serve only callers that send this token; net/rpc and JSON-RPC over TCP have no place for it
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    pub(crate) auth_token: Option<String>,
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
    /// Time that running calls then have
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) drain_time: Duration,
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
    /// Token to send: metadata __AUTH over rpcx
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    pub(crate) auth: Option<String>,
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

/// Commands that are promised and not built, and what they will do.
const COMMANDS_TO_COME: [(&str, &str); 7] = [
    ("watch", "Follows a registry"),
    ("node", "Changes a node's weight, group or state"),
    ("tap", "A relay that prints every frame"),
    ("console", "The web console"),
    ("gen", "Rust from .proto and .thrift"),
    ("new", "A small project that builds and runs"),
    ("doctor", "Every limit of a running server"),
];

/// Flags that are promised and not built, by command; `=` ends those that take a value.
const FLAGS_TO_COME: [(&str, &[&str]); 2] =
    [("serve", &["registry=", "group=", "weight=", "meta="]), ("call", &["proto=", "thrift="])];

fn command() -> clap::Command {
    let mut command = Cli::command();
    for (name, about) in COMMANDS_TO_COME {
        let rest = Arg::new("rest").num_args(0..).allow_hyphen_values(true).trailing_var_arg(true);
        let about = format!("{about} (not built yet)");
        command = command.subcommand(clap::Command::new(name).about(about).hide(true).arg(rest));
    }
    for (name, flags) in FLAGS_TO_COME {
        command = command.mut_subcommand(name, |mut command| {
            for flag in flags {
                let name = flag.trim_end_matches('=');
                let arg = Arg::new(name).long(name).hide(true);
                command = command.arg(match flag.ends_with('=') {
                    true => arg.num_args(1).action(ArgAction::Append),
                    false => arg.action(ArgAction::SetTrue),
                });
            }
            command
        });
    }
    command
}

/// What was typed that is promised and not built: its name, as typed.
fn not_built(matches: &ArgMatches) -> Option<String> {
    let (command, matches) = matches.subcommand()?;
    if COMMANDS_TO_COME.iter().any(|(name, _)| *name == command) {
        return Some(format!("`farcall {command}`"));
    }
    let (_, flags) = FLAGS_TO_COME.iter().find(|(name, _)| *name == command)?;
    let mut flags = flags.iter().map(|flag| flag.trim_end_matches('='));
    let typed =
        |flag: &str| matches.value_source(flag) == Some(clap::parser::ValueSource::CommandLine);
    flags.find(|flag| typed(flag)).map(|flag| format!("`--{flag}`"))
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

fn codec(text: &str) -> Result<Format, String> {
    match Format::from_name(text) {
        Some(Format::Thrift) => Err("thrift is not built yet".to_owned()),
        Some(format) => Ok(format),
        None => Err("known: json, msgpack, protobuf, raw, gob".to_owned()),
    }
}

fn compress(text: &str) -> Result<Compress, String> {
    Compress::from_name(text).ok_or_else(|| "known: none, gzip".to_owned())
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("the key is empty".to_owned()),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("write KEY=VALUE".to_owned()),
    }
}

pub(crate) fn token(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("not a number".to_owned()),
    }
}

/// So many calls in a time.
fn rate(text: &str) -> Result<Rate, String> {
    text.parse().map_err(|_| "write a rate as 1000/s, 60/m or 10/h".to_owned())
}

/// A number and its unit: `250us`, `500ms`, `2s`, `1.5s`, `1m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" => return Err("it needs a unit: us, ms, s, m or h".to_owned()),
        _ => return Err("the units are us, ms, s, m and h".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "write a number and a unit: 500ms, 2s, 1m")?;
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".to_owned()),
        Ok(time) if time <= Duration::from_secs(366 * 24 * 3600) => Ok(time),
        _ => Err("at most a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("250us", Duration::from_micros(250)),
            ("500ms", Duration::from_millis(500)),
            ("2s", Duration::from_secs(2)),
            ("1.5s", Duration::from_millis(1500)),
            ("1m", Duration::from_secs(60)),
        ] {
            assert_eq!(duration(text), Ok(want), "{text}");
        }
        for (text, why) in [
            ("5", "needs a unit"),
            ("5 s", "the units are"),
            ("s", "write a number"),
            ("1.2.3s", "write a number"),
            ("", "needs a unit"),
            ("0s", "longer than nothing"),
            ("-1s", "the units are"),
            ("99999h", "at most a year"),
        ] {
            let error = duration(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn pairs() {
        assert_eq!(pair("k=v=w"), Ok(("k".into(), "v=w".into())));
        assert_eq!(pair("k="), Ok(("k".into(), String::new())));
        assert!(pair("k").is_err() && pair("=v").is_err());
    }

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
            ("farcall doctor", "`farcall doctor`"),
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
