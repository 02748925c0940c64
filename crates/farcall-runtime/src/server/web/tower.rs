//! tower, both ways: its services mounted on a server, and a server as one of them. Behind the
//! feature `tower`.

use super::{HttpRequest, HttpResponse, IntoPage, Page, pages::Answering};
use crate::{
    net::{self, Peer, Stream},
    server::{Server, Shared},
};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::Status;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    fmt::{self, Display},
    future::{Future, poll_fn},
    io::{self, IoSlice},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::task::AbortHandle;
use tower_service::Service;

/// A body that is there as a whole.
#[derive(Clone, Debug, Default)]
pub struct HttpBody(Option<Bytes>);

impl From<Bytes> for HttpBody {
    fn from(bytes: Bytes) -> HttpBody {
        HttpBody((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for HttpBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Marks tower services.
#[derive(Debug)]
pub struct ByTower;

/// A service; one clone of it answers one request.
struct Mounted<S>(Mutex<S>);

impl<S, B> IntoPage<ByTower> for S
where
    S: Service<http::Request<HttpBody>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Display,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Display,
{
    fn into_page(self) -> Box<dyn Page> {
        Box::new(Mounted(Mutex::new(self)))
    }
}

impl<S, B> Page for Mounted<S>
where
    S: Service<http::Request<HttpBody>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Display,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Display,
{
    fn answer(&self, request: HttpRequest) -> Answering {
        let mut service = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let most = request.most;
            let Some(request) = outward(&request) else { return HttpResponse::new(400) };
            let failed = |error: &dyn Display| {
                tracing::warn!(%error, "a mounted service failed");
                HttpResponse::new(500)
            };
            if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
                return failed(&error);
            }
            let (parts, body) = match service.call(request).await {
                Ok(response) => response.into_parts(),
                Err(error) => return failed(&error),
            };
            let body = match collect(body, most).await {
                Ok(body) => body,
                Err(Collect::Failed(error)) => return failed(&error),
                Err(Collect::Long) => return failed(&"its answer is too long (message_bytes)"),
            };
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let fields = parts.headers.iter().map(|(k, v)| (k.as_str().to_owned(), text(v)));
            HttpResponse { status: parts.status.as_u16(), fields: fields.collect(), body }
        })
    }
}

/// A request as tower knows it: the path is what lies behind the mount.
fn outward(request: &HttpRequest) -> Option<http::Request<HttpBody>> {
    let (rest, query) = (request.rest(), request.query());
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let mark = if request.target().contains('?') { "?" } else { "" };
    let mut outward = http::Request::builder()
        .method(request.method())
        .uri(format!("{slash}{rest}{mark}{query}"))
        .body(HttpBody::from(request.body().clone()))
        .ok()?;
    for (name, value) in request.fields() {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        // The body has come: how it was cut is over.
        if name != header::TRANSFER_ENCODING && name != header::EXPECT {
            outward.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
    }
    outward.extensions_mut().insert(request.cx().peer().clone());
    if let Peer::Tcp(address) = request.cx().peer() {
        outward.extensions_mut().insert(*address);
    }
    Some(outward)
}

enum Collect {
    Long,
    Failed(String),
}

async fn collect<B>(body: B, most: usize) -> Result<Bytes, Collect>
where
    B: Body,
    B::Error: Display,
{
    let (mut body, mut bytes) = (pin!(body), BytesMut::new());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| Collect::Failed(error.to_string()))?;
        let Ok(mut data) = frame.into_data() else { continue };
        while data.has_remaining() {
            let chunk = data.chunk();
            let length = chunk.len();
            if bytes.len() + length > most {
                return Err(Collect::Long);
            }
            bytes.extend_from_slice(chunk);
            data.advance(length);
        }
    }
    Ok(bytes.freeze())
}

impl Server {
    /// The server as a tower service, to live inside another HTTP server: axum's `fallback_service`
    /// or `nest_service`, hyper's connections. Whatever HTTP carries here is served, but for
    /// `CONNECT`; other protocols need a port of their own.
    ///
    /// Each request is one connection of this server's, within its limits. Who asks is told by a
    /// `SocketAddr` among the request's extensions.
    pub fn into_service(self) -> Result<HttpService, Status> {
        Ok(HttpService { shared: self.freeze()? })
    }
}

/// A server as a tower service; see [`Server::into_service`].
#[derive(Clone)]
pub struct HttpService {
    shared: Arc<Shared>,
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpService")
    }
}

impl<B> Service<http::Request<B>> for HttpService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Display,
{
    type Response = http::Response<HttpBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            Ok(serve(&shared, request).await.unwrap_or_else(|status| {
                let mut response = http::Response::new(HttpBody::default());
                *response.status_mut() = status;
                response
            }))
        })
    }
}

/// Serves one request over a connection in memory.
async fn serve<B>(
    shared: &Arc<Shared>,
    request: http::Request<B>,
) -> Result<http::Response<HttpBody>, StatusCode>
where
    B: Body,
    B::Error: Display,
{
    let (parts, body) = request.into_parts();
    if parts.method == http::Method::CONNECT {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    let body = collect(body, shared.limits.message_bytes).await.map_err(|error| match error {
        Collect::Long => StatusCode::PAYLOAD_TOO_LARGE,
        Collect::Failed(_) => StatusCode::BAD_REQUEST,
    })?;
    let (ours, mut theirs) = net::pair();
    if let Some(peer) = parts.extensions.get::<Peer>() {
        theirs.peer = peer.clone();
    } else if let Some(address) = parts.extensions.get::<SocketAddr>() {
        theirs.peer = Peer::Tcp(*address);
    }
    let conn = shared.admit(theirs, shared.spoken).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    // Whoever gives the request up takes its handler along.
    let _conn = Conn(tokio::spawn(conn).abort_handle());
    let answer = exchange(ours, [inward(&parts, body.len()).into(), body]).await;
    answer.ok().and_then(|answer| read(&answer)).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A connection that ends with the one request it is for.
struct Conn(AbortHandle);

impl Drop for Conn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The head of a request. Names and values were checked where they were made.
fn inward(parts: &http::request::Parts, length: usize) -> Vec<u8> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut head = format!("{} {target} HTTP/1.1\r\n", parts.method).into_bytes();
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = parts.headers.get(header::HOST).map(HeaderValue::as_bytes).or(authority);
    let mut line = |name: &[u8], value: &[u8]| {
        for part in [name, b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    };
    line(b"Host", host.unwrap_or_default());
    line(b"Connection", b"close");
    line(b"Content-Length", length.to_string().as_bytes());
    for (name, value) in &parts.headers {
        if !HOP.contains(&name.as_str()) {
            line(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Fields that concern one connection, or how a message is cut (RFC 9110 §7.6.1), and those that
/// are written anew.
const HOP: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Writes all chunks and reads until the other end closes.
async fn exchange(mut stream: Stream, mut chunks: [Bytes; 2]) -> io::Result<BytesMut> {
    let mut input = BytesMut::new();
    poll_fn(|cx| {
        while let Some(chunk) = chunks.iter_mut().find(|chunk| !chunk.is_empty()) {
            match stream.write.poll_write(cx, &[IoSlice::new(chunk)]) {
                Poll::Ready(Ok(written)) if written > 0 => chunk.advance(written),
                // Who closes early has answered early.
                Poll::Ready(_) => chunks = Default::default(),
                Poll::Pending => break,
            }
        }
        loop {
            input.reserve(16 * 1024);
            match stream.read.poll_read(cx, &mut input) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await?;
    Ok(input)
}

/// Reads an answer of our own wire.
fn read(answer: &[u8]) -> Option<http::Response<HttpBody>> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let mut lines = answer[..end].split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next()?.get(9..12)?;
    let mut response = http::Response::new(HttpBody::default());
    *response.status_mut() = StatusCode::from_bytes(status).ok()?;
    for line in lines {
        let colon = line.iter().position(|b| *b == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        if name != header::CONNECTION {
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            response.headers_mut().append(name, value);
        }
    }
    *response.body_mut() = HttpBody::from(Bytes::copy_from_slice(&answer[end + 4..]));
    Some(response)
}
