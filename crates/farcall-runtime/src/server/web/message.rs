//! A request that is no call, and the answer to it.

use crate::server::Cx;
use bytes::Bytes;
use farcall_core::Str;
use std::fmt;

/// An HTTP request to a page: what [`Server::mount`](crate::Server::mount) hands over. Its body
/// has come whole; it is at most `Limits::message_bytes` long.
pub struct HttpRequest {
    pub(crate) cx: Cx,
    pub(crate) method: Str,
    pub(crate) target: Str,
    /// Bytes of the path that lead to the mount.
    pub(crate) mounted: usize,
    /// Bytes that the answer may have: `Limits::message_bytes`.
    #[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "pages that stream ask for it"))]
    pub(crate) most: usize,
    pub(crate) body: Bytes,
}

impl HttpRequest {
    /// `GET`, `POST`, …
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path and the query, as they came: percent-encoded.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The whole path, percent-encoded: `/app/pages/1`.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The path behind the mount: `/pages/1` of what is mounted at `/app`; empty for `/app` itself.
    pub fn rest(&self) -> &str {
        self.path().get(self.mounted..).unwrap_or_default()
    }

    /// The query, without the question mark, percent-encoded; empty if there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// A field of the head, its name in lower case. Of fields of one name, the last.
    pub fn field(&self, name: &str) -> Option<String> {
        self.cx.meta().get(name)
    }

    /// All fields in the order they came, names in lower case.
    pub fn fields(&self) -> Vec<(String, String)> {
        self.cx.meta().pairs()
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Who asks, and over what.
    pub fn cx(&self) -> &Cx {
        &self.cx
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRequest({} {})", self.method, self.target)
    }
}

/// The answer of a page. The length, and what concerns the connection, is added by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl HttpResponse {
    /// An answer without a body. A status that is not between 200 and 599 is sent as 500.
    pub fn new(status: u16) -> HttpResponse {
        HttpResponse { status, fields: Vec::new(), body: Bytes::new() }
    }

    /// 200 with plain text.
    pub fn text(text: impl Into<String>) -> HttpResponse {
        HttpResponse::new(200).body("text/plain; charset=utf-8", text.into())
    }

    /// 200 with HTML. Nothing in it is escaped.
    pub fn html(text: impl Into<String>) -> HttpResponse {
        HttpResponse::new(200).body("text/html; charset=utf-8", text.into())
    }

    /// 200 with JSON that is already text.
    pub fn json(text: impl Into<String>) -> HttpResponse {
        HttpResponse::new(200).body("application/json", text.into())
    }

    /// With another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> HttpResponse {
        self.status = status;
        self
    }

    /// With one more field. One whose name or value cannot stand in a head is left out.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> HttpResponse {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// With a body of this type, at most `Limits::message_bytes` long. Statuses that have none drop
    /// it.
    #[must_use]
    pub fn body(mut self, kind: &str, body: impl Into<Bytes>) -> HttpResponse {
        self.body = body.into();
        self.field("Content-Type", kind)
    }
}
