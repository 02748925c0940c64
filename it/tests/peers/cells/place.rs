//! The carriers, and what each of them needs on either side.

use crate::go_peer::{GoServer, program};
use farcall::{Result, Server, Tls};
use farcall_it::{
    certs::{Authority, Pair},
    services::Running,
    who::Folder,
};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

/// What carries the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Tcp,
    Tls,
    Unix,
    Connect,
}

impl Carrier {
    pub(super) const ALL: [Carrier; 4] =
        [Carrier::Tcp, Carrier::Tls, Carrier::Unix, Carrier::Connect];

    pub(super) fn name(self) -> &'static str {
        match self {
            Carrier::Tcp => "TCP",
            Carrier::Tls => "TLS",
            Carrier::Unix => "Unix socket",
            Carrier::Connect => "`CONNECT`",
        }
    }
}

/// Files, and certificates.
pub(super) struct Place {
    pub(super) folder: Folder,
    authority: Authority,
    server: Pair,
    made: AtomicUsize,
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

impl Place {
    pub(super) fn new() -> Place {
        let authority = Authority::new();
        let server = authority.pair("server", &["127.0.0.1"]);
        Place { folder: Folder::new(), authority, server, made: AtomicUsize::new(0) }
    }

    /// A name that nothing has yet.
    pub(super) fn fresh(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.made.fetch_add(1, Ordering::Relaxed)))
    }

    pub(super) fn tls(&self) -> Tls {
        self.server.tls()
    }

    /// A server of Go's with these flags, and the URL by which we reach it.
    pub(super) fn go(&self, carrier: Carrier, flags: &[&str]) -> (GoServer, String) {
        match carrier {
            Carrier::Tcp => {
                let go = GoServer::of(&program(), flags, "rpcx");
                let url = go.url.clone();
                (go, url)
            }
            Carrier::Tls => {
                let (cert, key) = (text(&self.server.cert), text(&self.server.key));
                let flags = [flags, &["-tls-cert", cert, "-tls-key", key]].concat();
                let go = GoServer::of(&program(), &flags, "rpcx+tls");
                let url = go.url.clone() + &self.authority.option();
                (go, url)
            }
            Carrier::Unix => self.go_at(&self.fresh("sock"), flags),
            Carrier::Connect => {
                let go = GoServer::of(&program(), &[flags, &["-http"]].concat(), "rpcx+http");
                let url = go.url.clone();
                (go, url)
            }
        }
    }

    /// The same on this Unix socket.
    pub(super) fn go_at(&self, socket: &Path, flags: &[&str]) -> (GoServer, String) {
        let common = ["-unix", "-addr", text(socket), "-until-stdin-closes"];
        let go = GoServer::with(&program(), &[flags, &common].concat(), "rpcx+unix");
        (go, format!("rpcx+unix://{}", text(socket).replace('/', "%2F")))
    }

    /// A server of ours, and the address and the flags by which Go reaches it.
    pub(super) async fn ours(&self, carrier: Carrier, server: Server) -> Result<Reached> {
        let socket = self.fresh("sock");
        let running = match carrier {
            Carrier::Tls => Running::start(server.tls(self.tls())).await,
            Carrier::Unix => {
                Running::start_on(server, &format!("unix://{}", text(&socket))).await?
            }
            Carrier::Tcp | Carrier::Connect => Running::start(server).await,
        };
        let address = match carrier {
            Carrier::Unix => text(&socket).to_owned(),
            _ => running.url.split_once("://").map_or("", |(_, address)| address).to_owned(),
        };
        Ok(Reached { _running: running, address, flags: self.flags(carrier) })
    }

    /// How Go is told of a carrier.
    pub(super) fn flags(&self, carrier: Carrier) -> Vec<String> {
        let flags: &[&str] = match carrier {
            Carrier::Tcp => &[],
            Carrier::Tls => &["-ca", text(&self.authority.ca)],
            Carrier::Unix => &["-unix"],
            Carrier::Connect => &["-connect", "/_rpcx_"],
        };
        flags.iter().map(|flag| (*flag).to_owned()).collect()
    }
}

/// A server of ours that runs.
pub(super) struct Reached {
    _running: Running,
    pub(super) address: String,
    pub(super) flags: Vec<String>,
}
