//! The closed loop over raw connections.

use load::{Caller, Fallible, Flags, Report, closed_loop};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Connects every caller and lets it call.
pub(crate) async fn load(flags: &Flags) -> Fallible<Report> {
    let body = r#"{"A":7,"B":8}"#;
    let request = format!(
        "POST /Arith/Mul HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        flags.addr,
        body.len()
    );
    let mut callers = Vec::new();
    for _ in 0..flags.callers {
        let stream = TcpStream::connect(&flags.addr).await?;
        stream.set_nodelay(true)?;
        callers.push(Connection { stream, request: request.clone().into(), input: Vec::new() });
    }
    closed_loop(flags, callers).await
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    input: Vec<u8>,
}

impl Caller for Connection {
    async fn call(&mut self) -> Fallible<()> {
        self.stream.write_all(&self.request).await?;
        self.input.clear();
        loop {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(body) = answer(&self.input)? {
                return match body {
                    br#"{"C":56}"# => Ok(()),
                    other => Err(format!("7 * 8 = {}", String::from_utf8_lossy(other)).into()),
                };
            }
        }
    }
}

/// The body of an answer, if all of it is there.
fn answer(input: &[u8]) -> Fallible<Option<&[u8]>> {
    let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&input[..end])?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("not a success: {head}").into());
    }
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    let length: usize = length.ok_or("an answer without a length")?.parse()?;
    let body = &input[end + 4..];
    Ok((body.len() >= length).then_some(body))
}
