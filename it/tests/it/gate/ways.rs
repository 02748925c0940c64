//! Every way to call: each protocol that is built, over each way to carry bytes. The list is
//! generated, so that a new protocol is in the table or fails it.

use farcall::{Client, Code, Origin, Sent, Server, Status, Value, json};
use farcall_it::{
    certs::{Authority, Pair},
    services::Running,
    who::Folder,
};
use farcall_wire::sniff;
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// Who vouches for the servers, and what it gave them.
static CERTIFICATES: LazyLock<(Authority, Pair)> = LazyLock::new(|| {
    let authority = Authority::new();
    let pair = authority.pair("gate", &["127.0.0.1"]);
    (authority, pair)
});

/// How bytes are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Tcp,
    Tls,
    Unix,
    /// `mem://NAME`
    Memory,
    /// A stream that was handed in.
    Stream,
    /// `+http`: behind `CONNECT`, or posted.
    Http,
    /// `+https`: the same inside of TLS.
    Https,
}

const CARRIERS: [Carrier; 7] = [
    Carrier::Tcp,
    Carrier::Tls,
    Carrier::Unix,
    Carrier::Memory,
    Carrier::Stream,
    Carrier::Http,
    Carrier::Https,
];

/// A protocol, its option, and a carrier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) protocol: &'static str,
    pub(super) option: &'static str,
    pub(super) carrier: Carrier,
}

/// All of them.
pub(super) fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for protocol in sniff::PROTOCOLS {
        let (protocol, options): (_, &[&str]) = match protocol.name() {
            "jsonrpc" => ("jsonrpc", &["", "?version=1"]),
            name => (name, &[""]),
        };
        for option in options {
            for carrier in CARRIERS {
                ways.push(Way { protocol, option, carrier });
            }
        }
    }
    ways
}

impl Way {
    /// Why nobody can call this way, if so.
    pub(super) fn impossible(&self) -> Option<&'static str> {
        let has_client = sniff::by_name(self.protocol).is_some_and(|p| p.has_client());
        match self.carrier {
            Carrier::Memory | Carrier::Tls if !has_client => {
                Some("only our own client dials memory or TLS")
            }
            Carrier::Stream if !self.option.is_empty() => Some("only URLs have options"),
            Carrier::Http | Carrier::Https if self.protocol == "http" => Some("it is HTTP"),
            _ => None,
        }
    }

    /// Whether there is a place for credentials.
    pub(super) fn has_credentials(&self) -> bool {
        // Posted, every protocol has one: that of HTTP.
        let posted = self.protocol == "jsonrpc" && self.is_http();
        posted || sniff::by_name(self.protocol).is_some_and(|p| p.auth_key().is_some())
    }

    fn is_http(&self) -> bool {
        matches!(self.carrier, Carrier::Http | Carrier::Https)
    }

    /// Serves what `server` builds.
    pub(super) async fn serve(self, server: impl Fn() -> Server + Send + Sync + 'static) -> Served {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let way = self;
        let at = match way.carrier {
            Carrier::Tcp | Carrier::Http => At::Tcp(Running::start(server()).await),
            Carrier::Tls | Carrier::Https => {
                let server = server().tls(CERTIFICATES.1.tls());
                let running = Running::start_on(server, "tls://127.0.0.1:0").await;
                At::Tls(running.expect("a free port"))
            }
            Carrier::Unix => {
                let folder = Folder::new();
                let url = format!("unix://{}", folder.join("s").display());
                let running = Running::start_on(server(), &url).await.expect("a new file");
                At::Unix(folder, running)
            }
            Carrier::Memory => {
                let name = format!("gate-{}", NEXT.fetch_add(1, Ordering::Relaxed));
                let bound = server().listen(format!("mem://{name}")).await.expect("a free name");
                At::Memory(name, tokio::spawn(bound.run()))
            }
            Carrier::Stream => At::Stream(Box::new(server)),
        };
        Served { way, at }
    }
}

/// A server that is reached one way.
pub(super) struct Served {
    pub(super) way: Way,
    at: At,
}

enum At {
    Tcp(Running),
    Tls(Running),
    /// The socket is `s` in this folder.
    Unix(Folder, #[allow(dead_code, reason = "it runs until it is dropped")] Running),
    Memory(String, tokio::task::JoinHandle<farcall::Result<()>>),
    Stream(Box<dyn Fn() -> Server + Send + Sync>),
}

impl Drop for At {
    fn drop(&mut self) {
        if let At::Memory(_, task) = self {
            task.abort();
        }
    }
}

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A product.
    Mul(i64, i64),
    /// The same method, with an argument that is none.
    BadBody,
    NoMethod,
    NoService,
    /// A tree of ten levels.
    Deep,
    /// 64 KiB.
    Long,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Is(i64),
    Failed(Failure),
    /// The connection was closed, or never opened.
    Closed,
    /// Our client refused to send it.
    Unsent(String),
}

/// A failure as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// As far as the protocol carries it.
    pub(super) code: Code,
    pub(super) text: String,
}

impl Answer {
    /// Refused with a text that has this in it.
    #[track_caller]
    pub(super) fn refused(&self, text: &str) {
        match self {
            Answer::Failed(failure) => assert!(failure.text.contains(text), "{failure:?}"),
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// Something that bytes go through.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

impl Served {
    /// Asks over a connection of its own.
    pub(super) async fn ask(&self, ask: Ask, token: Option<&str>) -> Answer {
        let answer = async {
            match self.way.protocol {
                "rpcx" | "netrpc" | "jsonrpc" => self.ask_by_client(ask, token).await,
                "http" => match self.raw().await {
                    Some(io) => http(io, ask, token).await,
                    None => self.ask_by_client(ask, token).await,
                },
                other => panic!("the protocol `{other}` has no row in this table: drive it here"),
            }
        };
        timeout(Duration::from_secs(30), answer).await.expect("an answer or a close")
    }

    /// A connection whose bytes are written by hand.
    pub(super) async fn raw(&self) -> Option<Box<dyn Io>> {
        match &self.at {
            At::Tcp(running) => {
                let address = running.url.trim_start_matches("rpcx://");
                let socket = TcpStream::connect(address).await.ok()?;
                Some(Box::new(socket))
            }
            At::Unix(folder, _) => {
                let socket = UnixStream::connect(folder.join("s")).await.ok()?;
                Some(Box::new(socket))
            }
            At::Memory(..) | At::Tls(_) => None,
            At::Stream(_) => Some(Box::new(self.stream())),
        }
    }

    fn stream(&self) -> tokio::io::DuplexStream {
        let At::Stream(server) = &self.at else { panic!("not a stream") };
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        tokio::spawn(server().serve_stream(theirs));
        ours
    }

    /// A client of our own.
    pub(super) async fn client(&self) -> farcall::Result<Client> {
        let Way { protocol, option, carrier } = self.way;
        match &self.at {
            At::Tcp(running) => {
                let place = running.url.trim_start_matches("rpcx://");
                let http = if carrier == Carrier::Http { "+http" } else { "" };
                Client::connect(format!("{protocol}{http}://{place}{option}")).await
            }
            At::Tls(running) => {
                let place = running.url.trim_start_matches("tls://");
                let mark = if option.is_empty() { "?" } else { "&" };
                let trusted = format!("{mark}ca={}", CERTIFICATES.0.ca.display());
                let tls = if carrier == Carrier::Https { "https" } else { "tls" };
                Client::connect(format!("{protocol}+{tls}://{place}{option}{trusted}")).await
            }
            At::Unix(folder, _) => {
                let place = folder.join("s").display().to_string().replace('/', "%2F");
                Client::connect(format!("{protocol}+unix://{place}{option}")).await
            }
            At::Memory(name, _) => {
                Client::connect(format!("{protocol}+mem://{name}{option}")).await
            }
            At::Stream(_) => Client::over_as(protocol, self.stream()),
        }
    }

    async fn ask_by_client(&self, ask: Ask, token: Option<&str>) -> Answer {
        let Ok(client) = self.client().await else { return Answer::Closed };
        let client = match token {
            Some(token) => client.auth(token),
            None => client,
        };
        let (name, argument) = ask.call(self.way.protocol == "netrpc");
        match client.call(name, argument).await {
            Ok(reply) => Answer::Is(reply.get("C").and_then(Value::as_i64).unwrap_or(i64::MIN)),
            Err(status) if status.origin() == Origin::Remote => {
                let (code, text) = (status.code(), status.text().to_owned());
                Answer::Failed(Failure { code, text })
            }
            Err(status) => closed(&status),
        }
    }
}

/// A failure that no peer told: the connection is gone, or there never was one.
fn closed(status: &Status) -> Answer {
    if status.code() == Code::InvalidArgument && status.sent() == Sent::No {
        return Answer::Unsent(status.text().to_owned());
    }
    let gone = matches!(status.code(), Code::Unavailable | Code::Internal | Code::Unknown);
    assert!(gone, "neither answered nor closed: {status}");
    Answer::Closed
}

impl Ask {
    fn call(self, gob: bool) -> (&'static str, Value) {
        match self {
            Ask::Mul(a, b) => ("Probe.Mul", json!({"A": a, "B": b})),
            Ask::BadBody => ("Probe.Mul", Value::from("none")),
            Ask::NoMethod => ("Probe.Nothing", json!({"A": 1})),
            Ask::NoService => ("Nobody.Mul", json!({"A": 1})),
            // Gob wants names as Go exports them.
            Ask::Deep if gob => {
                let leaf = json!({"Name": "leaf"});
                let tree = (0..10).fold(leaf, |tree, _| json!({"Name": "n", "Next": tree}));
                ("Probe.Tree", tree)
            }
            Ask::Long if gob => ("Probe.Tree", json!({"Name": ("x".repeat(64 * 1024))})),
            Ask::Deep => {
                let leaf = json!({"name": "leaf"});
                let tree = (0..10).fold(leaf, |tree, _| json!({"name": "n", "next": tree}));
                ("Probe.Tree", tree)
            }
            Ask::Long => ("Probe.Tree", json!({"name": ("x".repeat(64 * 1024))})),
        }
    }
}

/// Asks by HTTP, as curl would.
async fn http(mut io: Box<dyn Io>, ask: Ask, token: Option<&str>) -> Answer {
    let (name, argument) = ask.call(false);
    let path = name.replace('.', "/");
    let body = farcall::format::encode_to_vec(farcall::Format::Json, &argument).expect("JSON");
    let token = token.map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: h\r\n{token}Connection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = io.write_all(head.as_bytes()).await;
    let _ = io.write_all(&body).await;
    let mut answer = Vec::new();
    let _ = io.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return Answer::Closed };
    let body = farcall::format::decode_from::<Value>(farcall::Format::Json, body.as_bytes());
    let body = body.expect("JSON");
    if head.starts_with("HTTP/1.1 200") {
        return Answer::Is(body.get("C").and_then(Value::as_i64).unwrap_or(i64::MIN));
    }
    assert_eq!(head.contains("WWW-Authenticate: Bearer"), head.starts_with("HTTP/1.1 401"));
    let error = body.get("error").expect("an error");
    let text = error.get("message").and_then(Value::as_str).expect("a text").to_owned();
    let name = error.get("code").and_then(Value::as_str).unwrap_or_default().replace('_', " ");
    let code = (1..=16).map(Code::from_number).find(|code| code.name() == name);
    Answer::Failed(Failure { code: code.expect("a code"), text })
}
