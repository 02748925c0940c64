//! rpcx frames written by hand, for peers that do what no honest one does.

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// One frame; every part can be wrong.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The first byte, 8.
    pub magic: u8,
    /// Type, heartbeat, one-way, compression, status.
    pub flags: u8,
    /// The body's format, 0 to 15.
    pub format: u8,
    /// The call's number.
    pub seq: u64,
    /// Service name.
    pub service: String,
    /// Method name.
    pub method: String,
    /// The metadata block, as bytes.
    pub meta: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
}

impl Frame {
    /// A plain request.
    pub fn call(seq: u64, service: &str, method: &str, format: u8, body: &[u8]) -> Frame {
        Frame {
            magic: 8,
            flags: 0,
            format,
            seq,
            service: service.to_owned(),
            method: method.to_owned(),
            meta: Vec::new(),
            body: body.to_vec(),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut sections = Vec::new();
        for part in [self.service.as_bytes(), self.method.as_bytes(), &self.meta, &self.body] {
            sections.extend_from_slice(&(part.len() as u32).to_be_bytes());
            sections.extend_from_slice(part);
        }
        let mut bytes = vec![self.magic, 0, self.flags, self.format << 4];
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&(sections.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&sections);
        bytes
    }

    /// Cuts a frame from the front of `bytes`.
    ///
    /// # Panics
    /// When the bytes are not what farcall may send.
    pub fn cut(bytes: &[u8]) -> Option<(Frame, usize)> {
        let word = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
        let total = 16 + word(12)?;
        if bytes.len() < total {
            return None;
        }
        let mut at = 16;
        let mut section = || {
            let length = word(at).expect("a section");
            let part = bytes[at + 4..at + 4 + length].to_vec();
            at += 4 + length;
            part
        };
        let (service, method, meta, body) = (section(), section(), section(), section());
        assert_eq!((at, bytes[0]), (total, 8), "the frame is exact");
        let frame = Frame {
            magic: bytes[0],
            flags: bytes[2],
            format: bytes[3] >> 4,
            seq: u64::from_be_bytes(*bytes[4..].first_chunk().expect("sixteen bytes")),
            service: String::from_utf8(service).expect("text"),
            method: String::from_utf8(method).expect("text"),
            meta,
            body,
        };
        Some((frame, total))
    }

    /// The error text of a reply.
    pub fn error(&self) -> Option<String> {
        let key = b"__rpcx_error__";
        let at = self.meta.windows(key.len()).position(|w| w == key)? + key.len();
        let length = u32::from_be_bytes(*self.meta.get(at..)?.first_chunk()?) as usize;
        Some(String::from_utf8_lossy(self.meta.get(at + 4..at + 4 + length)?).into_owned())
    }
}

/// A connection that frames are written to by hand.
#[derive(Debug)]
pub struct Raw {
    /// The socket.
    pub socket: TcpStream,
    input: Vec<u8>,
}

impl Raw {
    /// Connects to `tcp://…`.
    pub async fn connect(url: &str) -> Raw {
        let address = url.trim_start_matches("tcp://").trim_start_matches("rpcx://");
        let socket = TcpStream::connect(address).await.expect("the server accepts");
        Raw { socket, input: Vec::new() }
    }

    /// Writes bytes; false when the server has closed.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// The next frame; none when the server closes.
    ///
    /// # Panics
    /// When nothing happens for ten seconds.
    pub async fn receive(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = Frame::cut(&self.input) {
                self.input.drain(..length);
                return Some(frame);
            }
            let mut chunk = [0; 16 * 1024];
            let read = timeout(Duration::from_secs(10), self.socket.read(&mut chunk)).await;
            match read.expect("an answer or a close within ten seconds") {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// One call and its answer.
    pub async fn call(&mut self, frame: &Frame) -> Option<Frame> {
        self.send(&frame.bytes()).await;
        self.receive().await
    }
}
