//! Names to numbers, asked once per call while the frame is cut; and the paths of HTTP.

use crate::Cors;

/// The number of a method in the table of the server that is being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MethodId(pub u32);

/// Which sides of a call are streams of items. Default neither: one argument, one result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// The caller sends items in place of an argument.
    pub inbound: bool,
    /// The method answers with items in place of a result.
    pub outbound: bool,
}

impl Streams {
    /// Whether either side is a stream.
    #[inline]
    pub fn any(self) -> bool {
        self.inbound | self.outbound
    }
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This method.
    Method(MethodId),
    /// The service exists, the method does not.
    NoMethod,
    /// No such service.
    NoService,
}

/// What a path of HTTP leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To methods, `/Service/Method`.
    Methods,
    /// To a page: what comes is a request, not a call.
    Page(MethodId),
    /// To JSON-RPC, posted.
    JsonRpc,
    /// By `CONNECT` to the protocol of this name.
    Tunnel(&'static str),
}

/// Where Go's net/rpc answers `CONNECT` (`net/rpc`, `DefaultRPCPath`), and where it shows its page.
pub const NETRPC_PATH: &str = "/_goRPC_";
/// Where Go's rpcx answers `CONNECT` (`share/share.go`, `DefaultRPCPath`).
pub const RPCX_PATH: &str = "/_rpcx_";
/// Where JSON-RPC is posted to.
pub const JSONRPC_PATH: &str = "/jsonrpc";

impl Way {
    /// Where a path leads on a server that was told nothing else.
    pub fn usual(path: &[u8]) -> Way {
        match path {
            path if path == NETRPC_PATH.as_bytes() => Way::Tunnel("netrpc"),
            path if path == RPCX_PATH.as_bytes() => Way::Tunnel("rpcx"),
            path if path == JSONRPC_PATH.as_bytes() => Way::JsonRpc,
            _ => Way::Methods,
        }
    }
}

/// A server's table of methods, as a wire sees it.
pub trait Routes: Sync {
    /// Looks up the bytes of a service and a method name as they stand in the frame.
    fn find(&self, service: &[u8], method: &[u8]) -> Found;

    /// Whether strangers may not learn what the table holds: then a wire answers by itself only
    /// what it would answer to a call of a method that does not exist.
    fn secret(&self) -> bool {
        false
    }

    /// Whether somebody takes calls of methods that do not exist: then a wire keeps their bodies.
    fn fallback(&self) -> bool {
        false
    }

    /// Whether a method streams: a wire must know before it gathers the body.
    fn streams(&self, method: MethodId) -> Streams {
        let _ = method;
        Streams::default()
    }

    /// Calls `each` with every service and method, the methods of a service in a row, if the table
    /// wants to be read by peers; false if it does not, which is the default.
    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        let _ = each;
        false
    }

    /// Where a path of HTTP leads; its percent-encoding is not undone.
    fn way(&self, path: &[u8]) -> Way {
        Way::usual(path)
    }

    /// The page that is given what nothing else takes.
    fn rest(&self) -> Option<MethodId> {
        None
    }

    /// Whether the protocol of this name is spoken, whatever carries it.
    fn speaks(&self, protocol: &str) -> bool {
        let _ = protocol;
        true
    }

    /// Which pages of other origins may call over HTTP; none: none may.
    fn cors(&self) -> Option<&Cors> {
        None
    }
}

/// A client's table: nobody calls a client.
impl Routes for () {
    fn find(&self, _: &[u8], _: &[u8]) -> Found {
        Found::NoService
    }
}
