//! Where paths lead: collected while a server is built, frozen with its router.

use super::{
    Mounted, Page,
    debug::{About, Own},
};
use crate::server::{Shared, router::Entry};
use farcall_core::{Cors, JSONRPC_PATH, MethodId, NETRPC_PATH, RPCX_PATH, Status, Way};
use std::sync::{Arc, OnceLock, Weak};

/// Where the limits are shown.
const LIMITS: &str = "/debug/limits";

/// What a server that is being built was told of HTTP.
pub(crate) struct Web {
    pub(crate) mounts: Vec<(String, Box<dyn Page>)>,
    pub(crate) jsonrpc: Vec<String>,
    pub(crate) netrpc: String,
    pub(crate) rpcx: String,
    pub(crate) cors: Option<Cors>,
    own: Vec<(&'static str, Own)>,
    server: Arc<OnceLock<Weak<Shared>>>,
}

impl Default for Web {
    fn default() -> Web {
        Web {
            mounts: Vec::new(),
            jsonrpc: vec![JSONRPC_PATH.to_owned()],
            netrpc: NETRPC_PATH.to_owned(),
            rpcx: RPCX_PATH.to_owned(),
            cors: None,
            own: Vec::new(),
            server: Arc::default(),
        }
    }
}

impl Web {
    pub(crate) fn list(&mut self) {
        self.own.push(("/", Own::List));
    }

    pub(crate) fn debug(&mut self) {
        self.own.push(("/debug/rpc", Own::Debug));
    }

    pub(crate) fn health(&mut self) {
        self.own.push(("/healthz", Own::Health));
    }

    pub(crate) fn limits(&mut self) {
        if !self.own().contains(&LIMITS) {
            self.own.push((LIMITS, Own::Limits));
        }
    }

    /// The paths of the server's own pages.
    pub(crate) fn own(&self) -> Vec<&'static str> {
        self.own.iter().map(|(path, _)| *path).collect()
    }

    /// Where the pages will find the server.
    pub(crate) fn server(&self) -> Arc<OnceLock<Weak<Shared>>> {
        Arc::clone(&self.server)
    }

    /// Appends the pages to the methods, and tells where all paths lead.
    pub(crate) fn freeze(self, entries: &mut Vec<Entry>) -> Result<Paths, Status> {
        let Web { mounts, jsonrpc, netrpc, rpcx, cors, own, server } = self;
        if cors.as_ref().is_some_and(|cors| cors.is_any() && cors.has_credentials()) {
            let text = "CORS with credentials needs a list of origins: any page could act as its \
                visitor";
            return Err(Status::invalid_argument(text));
        }
        let mut paths = Paths { ways: Vec::new(), rest: None, cors };
        for (path, name) in [(netrpc, "netrpc"), (rpcx, "rpcx")] {
            paths.add(path, false, Way::Tunnel(name))?;
        }
        let mut page = |path: &str, length, page| {
            let id = MethodId(entries.len() as u32);
            entries.push(Entry::page(path, Box::new(Mounted { page, length })));
            id
        };
        for (path, own) in own {
            let about = Box::new(About { own, server: Arc::clone(&server) });
            paths.add(path.to_owned(), false, Way::Page(page(path, path.len(), about)))?;
        }
        for (path, mount) in mounts {
            if path == "/" {
                // What is mounted at the root begins with the slash itself.
                if paths.rest.replace(page("/", 0, mount)).is_some() {
                    return Err(taken("/"));
                }
                continue;
            }
            let way = Way::Page(page(&path, path.len(), mount));
            paths.add(path, true, way)?;
        }
        for path in jsonrpc {
            paths.add(path, false, Way::JsonRpc)?;
        }
        // The longest first: what is mounted below a mount is found.
        paths.ways.sort_by_key(|(path, ..)| std::cmp::Reverse(path.len()));
        Ok(paths)
    }
}

/// Where paths lead.
pub(crate) struct Paths {
    /// Path, whether what lies below belongs to it, and where it leads.
    ways: Vec<(String, bool, Way)>,
    pub(crate) rest: Option<MethodId>,
    pub(crate) cors: Option<Cors>,
}

impl Paths {
    fn add(&mut self, path: String, below: bool, way: Way) -> Result<(), Status> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&b);
        let is_path = path.starts_with('/') && path.bytes().all(is_plain);
        if !is_path || path.len() > 1 && path.ends_with('/') {
            let text = format!(
                "`{path}` is not a path: it begins with a slash, does not end in one, and has no \
                 query and nothing that is percent-encoded"
            );
            return Err(Status::invalid_argument(text));
        }
        if self.ways.iter().any(|(other, ..)| *other == path) {
            // JSON-RPC is also where it always is; a mount may take that place.
            return match way {
                Way::JsonRpc => Ok(()),
                _ => Err(taken(&path)),
            };
        }
        self.ways.push((path, below, way));
        Ok(())
    }

    pub(crate) fn way(&self, path: &[u8]) -> Way {
        let leads = |(prefix, below, _): &&(String, bool, Way)| {
            path.strip_prefix(prefix.as_bytes())
                .is_some_and(|rest| rest.is_empty() || *below && rest[0] == b'/')
        };
        self.ways.iter().find(leads).map_or(Way::Methods, |(.., way)| *way)
    }
}

fn taken(path: &str) -> Status {
    Status::already_exists(format!("the path {path} is taken twice"))
}
