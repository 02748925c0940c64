//! One URL shape everywhere: `PROTOCOL[+TRANSPORT]://HOST:PORT/Service/Method[?option=value…]` for
//! calls, `TRANSPORT://HOST:PORT` for listening. Calls may name several: `HOST:PORT,HOST:PORT`.
//! Transports are `tcp`, which may be left out, `tls`, `unix`, `mem`, and `http`: requests for
//! JSON-RPC, a tunnel behind `CONNECT` for rpcx and net/rpc, with `?path=/…` where the server does
//! not have it at the usual path. `https` is `http` inside of TLS.

use crate::address::{TlsOptions, socket_path};
use farcall_core::Status;
use farcall_wire::{
    OverHttp, Place, Protocol, Tunnel,
    sniff::{self, Spoken},
};
use std::{fmt, path::PathBuf};

/// The transports that targets may name.
const TRANSPORTS: &str = "tcp, tls, http, https, unix, mem";

/// The transports that may be listened on.
const LISTENERS: &str = "tcp, tls, unix, mem, fd";

/// Where and how to call.
#[derive(Clone)]
pub struct Target {
    /// The protocol spoken.
    pub protocol: &'static dyn Protocol,
    /// Where the server is.
    pub address: Address,
    /// The service in the path, if any.
    pub service: Option<String>,
    /// The method in the path, if any.
    pub method: Option<String>,
    /// Where on the server, with `+http` or `+https`: `?path=/…`. `None`: where the protocol
    /// usually is.
    pub path: Option<String>,
    /// The tunnel that the protocol goes through, if it goes through one.
    pub tunnel: Option<Tunnel>,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`; the host may be a name, an IPv4 address, or an IPv6 address in brackets.
    Tcp(String),
    /// The same, and how its server proves who it is.
    Tls(String, TlsOptions),
    /// The file of a Unix socket.
    Unix(PathBuf),
    /// The name of a listener in this process.
    Memory(String),
    /// A listener that was passed to this process: the number of its descriptor, or its name.
    Inherited(String),
    /// Several servers that serve the same.
    Several(Vec<Address>),
    /// A stream that was handed in.
    Given,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) | Address::Tls(address, _) => f.write_str(address),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Memory(name) => write!(f, "mem://{name}"),
            Address::Inherited(which) => write!(f, "fd://{which}"),
            Address::Several(several) => several
                .iter()
                .enumerate()
                .try_for_each(|(at, one)| write!(f, "{}{one}", if at == 0 { "" } else { "," })),
            Address::Given => f.write_str("a given stream"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}://{}", self.protocol.name(), self.address)?;
        self.service.iter().chain(&self.method).try_for_each(|part| write!(f, "/{part}"))?;
        f.write_str(")")
    }
}

fn bad(url: &str, why: impl fmt::Display) -> Status {
    Status::invalid_argument(format!("`{url}` is not a target: {why}"))
        .with_hint("a target is PROTOCOL[+TRANSPORT]://HOST:PORT/Service/Method")
}

impl Target {
    /// A target that is a stream of the caller's.
    pub(crate) fn given(protocol: &'static dyn Protocol) -> Target {
        let address = Address::Given;
        Target { protocol, address, service: None, method: None, path: None, tunnel: None }
    }

    /// What the wire may tell the server of it.
    pub(crate) fn place(&self) -> Place<'_> {
        let host = match &self.address {
            Address::Tcp(address) | Address::Tls(address, _) => address,
            // Each of several has a place of its own.
            Address::Unix(_)
            | Address::Memory(_)
            | Address::Inherited(_)
            | Address::Given
            | Address::Several(_) => "localhost",
        };
        Place { host, path: self.path.as_deref() }
    }

    /// The targets of which it is made, where it has several addresses.
    pub(crate) fn each(&self) -> Vec<Target> {
        let of = |address: &Address| Target { address: address.clone(), ..self.clone() };
        match &self.address {
            Address::Several(several) => several.iter().map(of).collect(),
            address => vec![of(address)],
        }
    }

    /// Reads a target URL, with these addresses instead of its own.
    pub(crate) fn parse_at(url: &str, addresses: &[String]) -> Result<Target, Status> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(bad(url, "it has no `://`"));
        };
        if addresses.is_empty() {
            return Err(bad(url, "the list of its addresses is empty"));
        }
        if let Some(wrong) = addresses.iter().find(|a| a.contains(['/', '?', ','])) {
            return Err(bad(url, format!("`{wrong}` is not one HOST:PORT")));
        }
        let rest = &rest[rest.find(['/', '?']).unwrap_or(rest.len())..];
        Target::parse(&format!("{scheme}://{}{rest}", addresses.join(",")))
    }

    /// Reads a target URL. Several addresses have commas between them. Errors name what is wrong
    /// with it.
    pub fn parse(url: &str) -> Result<Target, Status> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(bad(url, "it has no `://`"));
        };
        let (protocol, transport) = match scheme {
            "https" => ("http", "tls"),
            scheme => scheme.split_once('+').unwrap_or((scheme, "tcp")),
        };
        let Some(protocol) = sniff::by_name(protocol) else {
            let built = sniff::PROTOCOLS.iter().filter(|p| p.has_client());
            let known: Vec<_> = built.map(|p| p.name()).collect();
            let known = known.join(", ");
            return Err(bad(url, format!("protocol `{protocol}` is not built; built: {known}")));
        };
        if !protocol.has_client() {
            return Err(bad(url, format!("the {} client is not built yet", protocol.name())));
        }
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (secure, by_http) = match transport {
            "tls" => (true, false),
            "http" => (false, true),
            "https" => (true, true),
            _ => (false, false),
        };
        let (mut protocol, mut path, mut tls) = (protocol, None, TlsOptions::default());
        for option in options.split('&').filter(|o| !o.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            if secure && tls.take(key, value).map_err(|why| bad(url, why))? {
                continue;
            }
            if key == "path" && by_http {
                path = Some(http_path(value).map_err(|why| bad(url, why))?);
                continue;
            }
            protocol = protocol.with_option(key, value).ok_or_else(|| {
                let name = protocol.name();
                bad(url, format!("option `{key}` is not built for {name}, or not as `{value}`"))
            })?;
        }
        let (host, names) = rest.split_once('/').unwrap_or((rest, ""));
        let mut tunnel = None;
        let address = match transport {
            "tcp" | "http" => address(host, |one| Ok(Address::Tcp(host_and_port(one)?))),
            "tls" | "https" => {
                address(host, |one| Ok(Address::Tls(host_and_port(one)?, tls.clone())))
            }
            "unix" => address(host, |one| Ok(Address::Unix(socket_path(one)?))),
            "mem" => address(host, |one| match one {
                "" => Err("it names no memory listener".to_owned()),
                name => Ok(Address::Memory(name.to_owned())),
            }),
            other => Err(format!("transport `{other}` is not built; built: {TRANSPORTS}")),
        };
        let address = address.map_err(|why| bad(url, why))?;
        if by_http {
            match protocol.over_http() {
                Some(OverHttp::Requests(by_requests)) => protocol = by_requests,
                Some(OverHttp::Tunnel(through)) => tunnel = Some(through),
                None => {
                    let name = protocol.name();
                    let why = format!("{name} does not go over transport `{transport}`");
                    return Err(bad(url, why));
                }
            }
        }
        let mut parts = names.split('/').filter(|part| !part.is_empty()).map(str::to_owned);
        let (service, method) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(bad(url, "the path has more than Service/Method"));
        }
        Ok(Target { protocol, address, service, method, path, tunnel })
    }
}

/// One address, or several with commas between them.
fn address(text: &str, read: impl Fn(&str) -> Result<Address, String>) -> Result<Address, String> {
    if !text.contains(',') {
        return read(text);
    }
    let mut several: Vec<Address> = Vec::new();
    for one in text.split(',') {
        let address = read(one).map_err(|why| format!("`{one}`: {why}"))?;
        if several.contains(&address) {
            return Err(format!("`{one}` is there twice"));
        }
        several.push(address);
    }
    Ok(Address::Several(several))
}

/// Where to listen, and what to speak there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub(crate) address: Address,
    /// All that the server speaks, unless the URL names fewer.
    pub(crate) spoken: Option<Spoken>,
}

impl Listen {
    /// Reads a URL to listen on: `tcp://HOST:PORT` (port 0 takes a free one), `tls://HOST:PORT`
    /// (the same, for a server that has a certificate), `unix:///PATH` (a socket file, made when
    /// listening begins and removed when it ends) or `mem://NAME`, with `?speak=rpcx,http` where
    /// not all that the server speaks is to be spoken.
    pub fn parse(url: &str) -> Result<Listen, Status> {
        let wrong = |why: String| {
            Status::invalid_argument(format!("cannot listen on `{url}`: {why}"))
                .with_hint("listen on tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH or mem://NAME")
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(wrong("it has no `://`".to_owned()));
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = rest.trim_end_matches('/');
        let address = match scheme {
            "tcp" => Address::Tcp(host_and_port(rest).map_err(|why| wrong(why.to_owned()))?),
            "tls" => {
                let address = host_and_port(rest).map_err(|why| wrong(why.to_owned()))?;
                Address::Tls(address, TlsOptions::default())
            }
            // Here no names follow the path, so it may be written as it is.
            "unix" => Address::Unix(socket_path(rest).map_err(wrong)?),
            "mem" if !rest.is_empty() => Address::Memory(rest.to_owned()),
            "mem" => return Err(wrong("it names no memory listener".to_owned())),
            "fd" if !rest.is_empty() => Address::Inherited(rest.to_owned()),
            "fd" => return Err(wrong("it names no descriptor: fd://3".to_owned())),
            other => {
                let why = format!("transport `{other}` is not built; built: {LISTENERS}");
                return Err(wrong(why));
            }
        };
        let mut spoken = None;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            spoken = match option.split_once('=') {
                Some(("speak", names)) => Some(speak(names.split(',')).map_err(wrong)?),
                _ => return Err(wrong(format!("option `{option}` is not built; built: speak"))),
            };
        }
        Ok(Listen { address, spoken })
    }
}

/// The protocols of these names; an error says what is wrong with them.
pub(crate) fn speak<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Spoken, String> {
    let spoken = Spoken::named(names).map_err(|name| {
        let built: Vec<_> = sniff::PROTOCOLS.iter().map(|protocol| protocol.name()).collect();
        format!("protocol `{name}` is not built; built: {}", built.join(", "))
    })?;
    match spoken.protocols().next() {
        Some(_) => Ok(spoken),
        None => Err("it speaks no protocol".to_owned()),
    }
}

/// A path that may stand in the first line of a request as it is.
fn http_path(text: &str) -> Result<String, &'static str> {
    match text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        true => Ok(text.to_owned()),
        false => Err("the option `path` is not a path: /_rpcx_, others percent-encoded"),
    }
}

fn host_and_port(text: &str) -> Result<String, &'static str> {
    let Some((host, port)) = text.rsplit_once(':') else { return Err("it has no port") };
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address goes in brackets: [::1]:8972");
    }
    match port.parse::<u16>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("its port is not a number from 0 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target = Target::parse("rpcx://127.0.0.1:8972/Arith/Mul").expect("a good one");
        assert_eq!(format!("{target:?}"), "Target(rpcx://127.0.0.1:8972/Arith/Mul)");
        let target = Target::parse("rpcx+mem://here").expect("a good one");
        assert_eq!(target.address, Address::Memory("here".into()));
        let target = Target::parse("rpcx+unix://%2Frun%2Fs.sock/Arith").expect("a good one");
        assert_eq!(target.address, Address::Unix("/run/s.sock".into()));
        let target = Target::parse("netrpc+tls://h:1/Arith?ca=%2Fca.pem&server_name=n");
        let options = TlsOptions {
            ca: Some("/ca.pem".into()),
            server_name: Some("n".into()),
            ..Default::default()
        };
        assert_eq!(target.expect("a good one").address, Address::Tls("h:1".into(), options));
        for url in ["jsonrpc://h:1/Arith/Mul", "jsonrpc://h:1?version=1", "jsonrpc://h:1?version=2"]
        {
            assert_eq!(Target::parse(url).expect(url).protocol.name(), "jsonrpc");
        }
        for (url, protocol, path, tunnel) in [
            ("http://h:1/Arith/Mul", "http", None, None),
            ("http+mem://here/Arith/Mul", "http", None, None),
            ("jsonrpc+http://h:1/a/b", "jsonrpc", None, None),
            ("jsonrpc+http://h:1?path=/rpc&version=1", "jsonrpc", Some("/rpc"), None),
            ("rpcx+http://h:1", "rpcx", None, Some("/_rpcx_")),
            ("netrpc+http://h:1?path=/x/y", "netrpc", Some("/x/y"), Some("/_goRPC_")),
            ("https://h:1/Arith/Mul?ca=f", "http", None, None),
            ("http+tls://h:1/Arith/Mul", "http", None, None),
            ("http+unix://%2Fs/Arith/Mul", "http", None, None),
            ("jsonrpc+https://h:1?path=/rpc&ca=f", "jsonrpc", Some("/rpc"), None),
            ("rpcx+https://h:1", "rpcx", None, Some("/_rpcx_")),
        ] {
            let target = Target::parse(url).expect(url);
            assert_eq!((target.protocol.name(), target.path.as_deref()), (protocol, path), "{url}");
            assert_eq!(target.tunnel.map(|tunnel| tunnel.path), tunnel, "{url}");
        }
        for (url, host) in [("https://h:1", "h:1"), ("http+unix://%2Fs", "localhost")] {
            assert_eq!(Target::parse(url).expect(url).place().host, host, "{url}");
        }
        let in_order = |url| Target::parse(url).expect(url).protocol.in_flight();
        assert_eq!(in_order("jsonrpc+http://h:1?version=1"), Some(1));
        assert_eq!(in_order("jsonrpc://h:1?version=1"), None);
        for (url, why) in [
            ("127.0.0.1:1", "no `://`"),
            ("smtp://h:1", "protocol `smtp` is not built"),
            ("rpcx+quic://h:1", "transport `quic` is not built; built: tcp, tls, http, https"),
            ("rpcx+ws://h:1", "transport `ws` is not built"),
            ("rpcx+kcp://h:1", "transport `kcp` is not built"),
            ("http+http://h:1", "http does not go over transport `http`"),
            ("http+https://h:1", "http does not go over transport `https`"),
            ("rpcx+tls://h:1?path=/x", "option `path` is not built for rpcx"),
            ("rpcx://h:1?path=/x", "option `path` is not built for rpcx"),
            ("rpcx+http://h:1?path=x", "`path` is not a path"),
            ("rpcx+http://h:1?path=", "`path` is not a path"),
            ("rpcx+http://h:1?path=/a b", "`path` is not a path"),
            ("rpcx+http://h:1?path=/a\r\nb", "`path` is not a path"),
            ("rpcx://h", "no port"),
            ("rpcx://:1", "no host"),
            ("rpcx://::1:1", "in brackets"),
            ("rpcx://h:70000", "0 to 65535"),
            ("rpcx://h:1/a/b/c", "more than Service/Method"),
            ("rpcx+tls://h:1?ca=", "names no file"),
            ("rpcx+unix:///run/s", "each / as %2F"),
            ("rpcx+unix://%2Frun%/s", "two hexadecimal digits"),
            ("rpcx://h:1?ca=f", "option `ca`"),
            ("rpcx://h:1?version=1", "option `version` is not built for rpcx"),
            ("jsonrpc://h:1?version=3", "not as `3`"),
            ("rpcx://h:1,i/a", "`i`: it has no port"),
            ("rpcx://h:1,", "``: it has no port"),
            ("rpcx://h:1,i:1,h:1", "`h:1` is there twice"),
            ("rpcx+mem://a,", "no memory listener"),
        ] {
            let status = Target::parse(url).expect_err(url);
            assert!(status.text().contains(why), "{status}");
        }
    }

    #[test]
    fn listeners() {
        let listen = Listen::parse("tcp://[::1]:0?speak=rpcx,http").expect("a good one");
        assert_eq!(listen.address, Address::Tcp("[::1]:0".into()));
        assert_eq!(format!("{:?}", listen.spoken), "Some({\"rpcx\", \"http\"})");
        assert_eq!(Listen::parse("mem://here").expect("a good one").spoken, None);
        let listen = Listen::parse("unix:///run/s.sock?speak=http").expect("a good one");
        assert_eq!(listen.address, Address::Unix("/run/s.sock".into()));
        assert_eq!(format!("{:?}", listen.spoken), "Some({\"http\"})");
        let listen = Listen::parse("tls://h:1?speak=rpcx").expect("a good one");
        assert_eq!(listen.address, Address::Tls("h:1".into(), TlsOptions::default()));
        assert_eq!(format!("{:?}", listen.spoken), "Some({\"rpcx\"})");
        for (url, why) in [
            ("127.0.0.1:1", "no `://`"),
            ("tcp://h", "no port"),
            ("quic://h:1", "transport `quic` is not built; built: tcp, tls, unix, mem"),
            ("http://h:1", "transport `http`"),
            ("tls://h", "no port"),
            ("unix://", "names no socket"),
            ("tls://h:1?ca=f", "option `ca=f`"),
            ("mem://", "no memory listener"),
            ("fd://", "no descriptor"),
            ("tcp://h:1?speak=smtp", "protocol `smtp` is not built; built: rpcx"),
            ("tcp://h:1?speak=", "protocol `` is not built"),
            ("tcp://h:1?speak=rpcx,", "protocol `` is not built"),
            ("tcp://h:1?speak", "option `speak`"),
            ("tcp://h:1?ca=f", "option `ca=f`"),
        ] {
            let status = Listen::parse(url).expect_err(url);
            assert!(status.text().contains(why), "{status}");
        }
    }
}
