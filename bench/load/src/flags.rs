//! Flags in Go's manner, `-name value`: the programs take the same ones as the Go peer.

use crate::Fallible;

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payload {
    /// `Arith.Mul`, two small integers.
    Tiny,
    /// `Echo.Echo` with the message of rpcx's benchmarks, 581 bytes of protobuf.
    Big,
    /// `Echo.Bytes` with so many bytes as they are.
    Raw(usize),
}

impl Payload {
    /// How many bytes the body has in protobuf.
    pub fn bytes(self) -> usize {
        match self {
            Payload::Tiny => 4,
            Payload::Big => 581,
            Payload::Raw(bytes) => bytes,
        }
    }
}

/// Everything a load program can be told.
#[derive(Clone, Debug)]
pub struct Flags {
    /// `HOST:PORT` of the server, or where to listen.
    pub addr: String,
    /// Connections, shared by the callers in turn.
    pub conns: usize,
    /// Callers, each with one call at a time.
    pub callers: usize,
    /// Measured calls in total.
    pub calls: usize,
    /// What is sent.
    pub payload: Payload,
    /// `rpcx`, `netrpc` or `jsonrpc` (1.0).
    pub protocol: String,
    /// `protobuf`, `json` or `msgpack`, where the protocol leaves a choice.
    pub codec: String,
    /// Threads of the runtime; tokio's default if not given.
    pub workers: Option<usize>,
    /// A runtime of one thread for each core, but for no more than there are connections.
    pub per_core: bool,
    /// What those threads run before they rest.
    pub before_park: fn(),
    /// The process whose CPU time is the server's.
    pub pid: Option<i32>,
    /// Speak TLS, and trust this authority (PEM).
    pub ca: Option<String>,
    /// No warm-up and no latencies, so that every call counts and nothing but calls is counted.
    pub plain: bool,
}

impl Flags {
    /// Reads flags; `--name` is as good as `-name`.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Fallible<Flags> {
        let mut flags = Flags {
            addr: "127.0.0.1:0".to_owned(),
            conns: 1,
            callers: 64,
            calls: 100_000,
            payload: Payload::Big,
            protocol: "rpcx".to_owned(),
            codec: "protobuf".to_owned(),
            workers: None,
            per_core: false,
            before_park: || {},
            pid: None,
            ca: None,
            plain: false,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let name = arg.trim_start_matches('-');
            if name == "plain" {
                flags.plain = true;
                continue;
            }
            if name == "per-core" {
                flags.per_core = true;
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
            let number = || value.parse().map_err(|_| format!("{arg} {value}: not a number"));
            match name {
                "conns" => flags.conns = number()?,
                "callers" => flags.callers = number()?,
                "calls" => flags.calls = number()?,
                "workers" => flags.workers = Some(number()?),
                "pid" => flags.pid = Some(i32::try_from(number()?)?),
                "protocol" => flags.protocol = value,
                "ca" => flags.ca = Some(value),
                "codec" => flags.codec = value,
                "addr" => flags.addr = value,
                "payload" => flags.payload = payload(&value)?,
                _ => return Err(format!("{arg}: no such flag").into()),
            }
        }
        if flags.conns == 0 || flags.callers == 0 || flags.calls < flags.callers {
            return Err("need -conns >= 1, -callers >= 1, -calls >= -callers".into());
        }
        Ok(flags)
    }

    /// Threads with a runtime of their own.
    pub fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from).min(self.conns)
    }
}

fn payload(value: &str) -> Fallible<Payload> {
    match value {
        "tiny" => Ok(Payload::Tiny),
        "581" => Ok(Payload::Big),
        "64k" => Ok(Payload::Raw(64 * 1024)),
        "1m" => Ok(Payload::Raw(1024 * 1024)),
        _ => Err(format!("-payload {value}: tiny, 581, 64k or 1m").into()),
    }
}
