//! The client's side of a tunnel: `CONNECT` as Go's net/rpc and rpcx clients say it, and what must
//! be answered.
//!
//! Source: `net/rpc/client.go` (`DialHTTPPath`) and rpcx `client/connection.go`. Nothing may be
//! sent behind the request before the answer is there: Go's servers lose it.

use crate::{Tunnel, http1::head::Lines};

/// Opens one tunnel.
#[derive(Debug)]
pub struct Opening {
    wanted: &'static str,
    lines: Lines,
    /// The first line was right.
    begun: bool,
    limit: usize,
}

impl Opening {
    /// An opening, and the request for it. `head_bytes` bounds the answer.
    pub fn new(tunnel: Tunnel, path: Option<&str>, head_bytes: usize) -> (Opening, String) {
        let request = format!("CONNECT {} HTTP/1.0\n\n", path.unwrap_or(tunnel.path));
        let (wanted, limit) = (tunnel.status, head_bytes);
        (Opening { wanted, lines: Lines::default(), begun: false, limit }, request)
    }

    /// Looks at all that has come of the answer: its length, once it is complete. The error says
    /// what else came.
    pub fn read(&mut self, input: &[u8]) -> Result<Option<usize>, String> {
        loop {
            let Ok(line) = self.lines.next(input, self.limit) else {
                let limit = self.limit;
                return Err(format!("the answer has over {limit} bytes (Limits::head_bytes)"));
            };
            let Some((line, _)) = line else { return Ok(None) };
            let line = &input[line];
            if !self.begun {
                self.begun = true;
                let status = line.strip_prefix(b"HTTP/1.0 ").or(line.strip_prefix(b"HTTP/1.1 "));
                let Some(status) = status else {
                    let line = shown(line);
                    return Err(format!("unexpected answer, not HTTP: {line}"));
                };
                if status != self.wanted.as_bytes() {
                    // In the words of Go's client.
                    return Err(format!("unexpected HTTP response: {}", shown(status)));
                }
            } else if line.is_empty() {
                return Ok(Some(self.lines.at));
            }
        }
    }
}

/// The beginning of a line, fit to be shown.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(120)]);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
