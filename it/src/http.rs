//! HTTP/1.1 written by hand, and a reader of its answers that is none of farcall's.

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A request with a body.
pub fn post(path: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, in order.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        fields.next().map(|(_, value)| value.as_str())
    }
}

/// A connection that requests are written to by hand.
#[derive(Debug)]
pub struct Http {
    socket: TcpStream,
    input: Vec<u8>,
    /// The next answer has no body, whatever length it names: it answers `HEAD`.
    pub head: bool,
}

impl Http {
    /// Connects to `rpcx://…`.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(url: &str) -> Http {
        let address = url.trim_start_matches("rpcx://");
        let socket = TcpStream::connect(address).await.expect("the server accepts");
        Http { socket, input: Vec::new(), head: false }
    }

    /// Writes bytes; false when the server has closed.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// Says that no more is written.
    pub async fn finish(&mut self) {
        let _ = self.socket.shutdown().await;
    }

    /// The next answer; none when the server closes.
    ///
    /// # Panics
    /// When nothing happens for ten seconds, or what comes is no answer.
    pub async fn receive(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, length)) = cut(&self.input, self.head) {
                self.input.drain(..length);
                return Some(answer);
            }
            let mut chunk = vec![0; 64 * 1024];
            let read = timeout(Duration::from_secs(10), self.socket.read(&mut chunk)).await;
            match read.expect("an answer or a close within ten seconds") {
                Ok(0) | Err(_) => {
                    assert!(self.input.is_empty(), "half an answer");
                    return None;
                }
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// One request and its answer.
    ///
    /// # Panics
    /// When the server closes instead.
    pub async fn call(&mut self, request: &str) -> Answer {
        self.send(request.as_bytes()).await;
        self.receive().await.expect("an answer")
    }
}

/// Cuts an answer from the front of `bytes`, and tells how long it was.
fn cut(bytes: &[u8], head: bool) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..end]).expect("text");
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|l| l.get(..3)).expect(first);
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(':').expect("a colon");
        (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
    });
    let (status, fields) = (status.parse().expect("a status"), fields.collect());
    let mut answer = Answer { status, fields, body: String::new() };
    let length: usize = match answer.field("content-length") {
        Some(length) if !head => length.parse().expect("a number"),
        _ => 0,
    };
    let body = bytes.get(end + 4..end + 4 + length)?;
    answer.body = String::from_utf8(body.to_vec()).expect("text");
    Some((answer, end + 4 + length))
}
