//! The server's own pages: the list of services, the table of net/rpc, health; `limits.rs` has the
//! page of limits.

use super::{HttpRequest, HttpResponse, Page, limits, pages::Answering};
use crate::server::{Shared, router::Entry};
use farcall_core::{Kind, Shape};
use std::{
    fmt::Write,
    future::ready,
    sync::{OnceLock, Weak, atomic::Ordering},
};

/// One of the server's own pages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// `GET /`: what can be called, with a curl line each.
    List,
    /// Go's `/debug/rpc`.
    Debug,
    /// Whether the server takes calls.
    Health,
    /// Limits and settings. Also answered by POST, as the client's calls are made.
    Limits,
}

/// A page that shows the server itself, which is there once the server is frozen.
pub(super) struct About {
    pub(super) own: Own,
    pub(super) server: std::sync::Arc<OnceLock<Weak<Shared>>>,
}

impl Page for About {
    fn answer(&self, request: HttpRequest) -> Answering {
        Box::pin(ready(self.show(&request)))
    }
}

impl About {
    fn show(&self, request: &HttpRequest) -> HttpResponse {
        let posted = self.own == Own::Limits && request.method() == "POST";
        if !posted && !matches!(request.method(), "GET" | "HEAD") {
            let text = match self.own {
                Own::List => "the list of services is read by GET",
                Own::Debug | Own::Health | Own::Limits => "this page is read by GET",
            };
            let body =
                format!("{{\"error\":{{\"code\":\"unimplemented\",\"message\":\"{text}\"}}}}");
            return HttpResponse::json(body).status(405).field("Allow", "GET, HEAD");
        }
        let Some(server) = self.server.get().and_then(Weak::upgrade) else {
            return HttpResponse::text("stopping\n").status(503);
        };
        match self.own {
            Own::List => list(&server, request.field("host").as_deref()),
            Own::Debug => table(&server),
            Own::Health if server.is_draining() => HttpResponse::text("draining\n").status(503),
            Own::Health => HttpResponse::text("ok\n"),
            Own::Limits => limits::page(&server, request),
        }
    }
}

/// All methods, services in a row, in the order they were added.
fn list(server: &Shared, host: Option<&str>) -> HttpResponse {
    let mut page = "The argument is the body of a POST, as JSON.\n".to_owned();
    let host = host.filter(|host| !host.is_empty()).unwrap_or("HOST:PORT");
    let mut last = "";
    for entry in server.router.methods() {
        if entry.service != last {
            last = &entry.service;
            let _ = write!(page, "\n{last}\n");
        }
        // `null` is the blank value of every type, so that each line works as it stands.
        let (service, name) = (encode(&entry.service), encode(&entry.name));
        let method = &entry.name;
        let _ = writeln!(page, "  {method:<16} curl -d null http://{host}/{service}/{name}");
    }
    HttpResponse::text(page)
}

/// The page of Go's `net/rpc/debug.go`: per service, sorted, a table of methods and calls.
fn table(server: &Shared) -> HttpResponse {
    let mut entries: Vec<&Entry> = server.router.methods().iter().collect();
    entries.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
    let mut page = "<html>\n\t<body>\n\t<title>Services</title>\n\t".to_owned();
    for service in entries.chunk_by(|a, b| a.service == b.service) {
        let name = escape(&service[0].service);
        let _ = write!(page, "\n\t<hr>\n\tService {name}\n\t<hr>\n\t\t<table>\n");
        page.push_str("\t\t<th align=center>Method</th><th align=center>Calls</th>\n\t\t");
        for entry in service {
            let [argument, result] = entry.shapes.map(|shape| shape.map(go).unwrap_or_default());
            let signature = format!("{}({argument}, *{result}) error", entry.name);
            let (signature, calls) = (escape(&signature), entry.calls.load(Ordering::Relaxed));
            let _ = write!(
                page,
                "\n\t\t\t<tr>\n\t\t\t<td align=left font=fixed>{signature}</td>\n\
                 \t\t\t<td align=center>{calls}</td>\n\t\t\t</tr>\n\t\t"
            );
        }
        page.push_str("\n\t\t</table>\n\t");
    }
    page.push_str("\n\t</body>\n\t</html>");
    HttpResponse::html(page)
}

/// A shape as Go would write its type.
fn go(shape: &'static Shape) -> String {
    match shape {
        Shape::One(kind, _) => match kind {
            Kind::Bool => "bool",
            Kind::I8 => "int8",
            Kind::I16 => "int16",
            Kind::I32 => "int32",
            Kind::I64 => "int64",
            Kind::U8 => "uint8",
            Kind::U16 => "uint16",
            Kind::U32 => "uint32",
            Kind::U64 => "uint64",
            Kind::F32 => "float32",
            Kind::F64 => "float64",
            Kind::Text => "string",
            Kind::Bytes => "[]uint8",
            Kind::Time => "time.Time",
            Kind::Span => "time.Duration",
            Kind::Complex => "complex128",
        }
        .to_owned(),
        Shape::Enum(names) => names.name.to_owned(),
        Shape::Marshaled(marshals) => marshals.name.to_owned(),
        Shape::Message(schema) => match schema().name {
            "" => "struct {}".to_owned(),
            name => name.to_owned(),
        },
        Shape::Maybe(inner) => format!("*{}", go(inner)),
        Shape::List(item) => format!("[]{}", go(item)),
        Shape::Array(item, length) => format!("[{length}]{}", go(item)),
        Shape::Map(key, value) => format!("map[{}]{}", go(key), go(value)),
        Shape::Any => "interface {}".to_owned(),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
