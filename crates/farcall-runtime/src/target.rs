//! One URL shape everywhere: `PROTOCOL[+TRANSPORT]://HOST:PORT/Service/Method[?option=value…]` for
//! calls, `TRANSPORT://HOST:PORT` for listening.

use crate::address::{TlsOptions, socket_path};
use farcall_core::Status;
use farcall_wire::{Protocol, sniff};
use std::{fmt, path::PathBuf};

/// The transports that targets may name.
const TRANSPORTS: &str = "tcp, tls, unix, mem";

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
    /// A stream that was handed in.
    Given,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) | Address::Tls(address, _) => f.write_str(address),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Memory(name) => write!(f, "mem://{name}"),
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
    /// Reads a target URL. Errors name what is wrong with it.
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
        let (mut protocol, mut tls) = (protocol, TlsOptions::default());
        for option in options.split('&').filter(|o| !o.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            if transport == "tls" && tls.take(key, value).map_err(|why| bad(url, why))? {
                continue;
            }
            protocol = protocol.with_option(key, value).ok_or_else(|| {
                let name = protocol.name();
                bad(url, format!("option `{key}` is not built for {name}, or not as `{value}`"))
            })?;
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = match transport {
            "tcp" => Address::Tcp(host_and_port(host).map_err(|why| bad(url, why))?),
            "tls" => Address::Tls(host_and_port(host).map_err(|why| bad(url, why))?, tls),
            "unix" => Address::Unix(socket_path(host).map_err(|why| bad(url, why))?),
            "mem" if host.is_empty() => return Err(bad(url, "it names no memory listener")),
            "mem" => Address::Memory(host.to_owned()),
            other => {
                let why = format!("transport `{other}` is not built; built: {TRANSPORTS}");
                return Err(bad(url, why));
            }
        };
        let mut parts = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned);
        let (service, method) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(bad(url, "the path has more than Service/Method"));
        }
        Ok(Target { protocol, address, service, method })
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `tcp://HOST:PORT`; port 0 takes a free one.
    Tcp(String),
    /// `tls://HOST:PORT`: the same, for a server that has a certificate.
    Tls(String),
    /// `unix:///PATH`: a socket file, made when listening begins and removed when it ends.
    Unix(PathBuf),
    /// `mem://NAME`
    Memory(String),
}

impl Listen {
    /// Reads a URL to listen on.
    pub fn parse(url: &str) -> Result<Listen, Status> {
        let wrong = |why: String| {
            Status::invalid_argument(format!("cannot listen on `{url}`: {why}"))
                .with_hint("listen on tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH or mem://NAME")
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(wrong("it has no `://`".to_owned()));
        };
        let rest = rest.trim_end_matches('/');
        match scheme {
            "tls" => Ok(Listen::Tls(host_and_port(rest).map_err(|why| wrong(why.to_owned()))?)),
            // Here nothing follows the path, so it may be written as it is.
            "unix" => Ok(Listen::Unix(socket_path(rest).map_err(wrong)?)),
            "tcp" => Ok(Listen::Tcp(host_and_port(rest).map_err(|why| wrong(why.to_owned()))?)),
            "mem" if !rest.is_empty() => Ok(Listen::Memory(rest.to_owned())),
            "mem" => Err(wrong("it names no memory listener".to_owned())),
            other => Err(wrong(format!("transport `{other}` is not built; built: {TRANSPORTS}"))),
        }
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
        assert_eq!(Listen::parse("unix:///run/s.sock"), Ok(Listen::Unix("/run/s.sock".into())));
        for url in ["jsonrpc://h:1/Arith/Mul", "jsonrpc://h:1?version=1", "jsonrpc://h:1?version=2"]
        {
            assert_eq!(Target::parse(url).expect(url).protocol.name(), "jsonrpc");
        }
        for (url, why) in [
            ("127.0.0.1:1", "no `://`"),
            ("smtp://h:1", "protocol `smtp` is not built"),
            ("http://h:1/Arith/Mul", "the http client is not built yet"),
            ("rpcx+quic://h:1", "transport `quic` is not built"),
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
        ] {
            let status = Target::parse(url).expect_err(url);
            assert!(status.text().contains(why), "{status}");
        }
    }
}
