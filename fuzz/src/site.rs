//! What a server of HTTP has beside methods: pages, paths, origins that may call, secrets.

use crate::Table;
use farcall_core::{Cors, Found, MethodId, Routes, Way};

/// The table of methods, with more around it.
#[derive(Default)]
pub struct Site {
    pages: bool,
    secret: bool,
    cors: Option<Cors>,
}

impl Site {
    /// One of four.
    pub fn new(which: u8) -> Site {
        let some = Cors::origins(["https://a.b", "null"]).credentials().expose(["ETag", "no\r\n"]);
        match which % 4 {
            0 => Site::default(),
            1 => Site { pages: true, ..Site::default() },
            2 => Site { pages: true, secret: false, cors: Some(some) },
            _ => Site { pages: false, secret: true, cors: Some(Cors::any()) },
        }
    }
}

impl Routes for Site {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        Table.find(service, method)
    }

    fn secret(&self) -> bool {
        self.secret
    }

    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        !self.secret && Table.names(each)
    }

    fn way(&self, path: &[u8]) -> Way {
        match path {
            b"/page" | b"*" if self.pages => Way::Page(MethodId(100)),
            b"/rpc" => Way::JsonRpc,
            b"/raw" => Way::Tunnel("jsonrpc"),
            path => Way::usual(path),
        }
    }

    fn rest(&self) -> Option<MethodId> {
        self.pages.then_some(MethodId(101))
    }

    fn speaks(&self, protocol: &str) -> bool {
        !self.secret || protocol != "netrpc"
    }

    fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }
}
