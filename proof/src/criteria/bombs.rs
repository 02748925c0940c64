//! S1 and S2: few bytes that ask for many. Lengths that are claimed and never come, and bodies that
//! unfold without end, to servers and to clients.

use super::{Run, ms};
use crate::{
    Done, PROTOCOLS,
    peers::{Heard, call_of, crowd, hear},
    process::{Process, Start},
    service::ProofClient,
    verdict::Verdict,
};
use farcall::{Code, Compress};
use farcall_it::{
    frames::{Frame, Raw},
    services::Args,
};
use flate2::{Compression, write::GzEncoder};
use std::{
    io::Write,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const MIB: usize = 1 << 20;
const GZIP: u8 = 0x04;
const MSGPACK: u8 = 3;

/// A server that has met each protocol, so that what it keeps for good is there.
pub(super) async fn warm(start: &Start) -> Done<Process> {
    let process = start.start()?;
    for protocol in PROTOCOLS {
        let client = ProofClient::connect(process.url(protocol)).await?;
        client.mul(Args { a: 6, b: 7 }).await?;
        client.count(vec![0; 100_000].into()).await?;
        client.client().close().await?;
    }
    busy(&process.url("rpcx")).await?;
    Ok(process)
}

/// Calls by many at once, so that every worker of the server has made the buffers that it keeps.
pub(super) async fn busy(url: &str) -> Done {
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let client = ProofClient::connect(url).await?;
        callers.spawn(async move {
            for _ in 0..200 {
                client.mul(Args { a: 6, b: 7 }).await?;
            }
            client.client().close().await
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}

/// The messages of a gob stream: where each begins, and where its content does.
pub(super) fn gob_messages(stream: &[u8]) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < stream.len() {
        let wide = 256 - usize::from(stream[at]);
        let (content, length) = match stream[at] {
            small @ ..128 => (at + 1, usize::from(small)),
            _ => {
                let bytes = stream[at + 1..].iter().take(wide);
                (at + 1 + wide, bytes.fold(0, |n, byte| n << 8 | usize::from(*byte)))
            }
        };
        found.push((at, content));
        at = content + length;
    }
    found
}

/// What begins a message of this length, in every way there is.
async fn claims(length: u32) -> Done<Vec<(&'static str, Vec<u8>)>> {
    let mut rpcx = Frame::call(1, "Proof", "Count", 0, b"").bytes();
    rpcx[12..16].copy_from_slice(&length.to_be_bytes());
    let header = rpcx[..16].to_vec();
    let body = rpcx.len() - 4;
    rpcx[body..].copy_from_slice(&(length - (body as u32 - 16) - 4).to_be_bytes());
    let netrpc = call_of("netrpc", 10).await?;
    let (last, _) = *gob_messages(&netrpc).last().ok_or("net/rpc says nothing")?;
    let mut gob = netrpc[..last].to_vec();
    gob.push(0xfc);
    gob.extend_from_slice(&length.to_be_bytes());
    let head = "POST /Proof/Count HTTP/1.1\r\nHost: h\r\n";
    let http = format!("{head}Content-Length: {length}\r\n\r\n[");
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n[");
    Ok(vec![
        ("rpcx_frame", header),
        ("rpcx_body", rpcx),
        ("netrpc", gob),
        ("http", http.into_bytes()),
        ("http_chunk", chunk.into_bytes()),
    ])
}

/// S1.
pub(super) async fn lengths(_: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let count = 200;
    // A message that has begun keeps the buffer that it was read into, 64 KiB, and then there is
    // the connection.
    let most = 64.0 + 8.0;
    let process = warm(&Start::serve()).await?;
    let unfinished = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Proof.Count\",\"params\":[\"";
    let mut within = claims((16 * MIB) as u32 - 1).await?;
    // JSON-RPC says no lengths: a text that has begun is all that there is.
    within.push(("jsonrpc", unfinished.to_vec()));
    for (way, claim) in within {
        let before = process.resident()?;
        let held = crowd(process.place(), count, &claim).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let grown = (process.resident()? - before) / count as f64 / 1024.0;
        verdict.at_most(format!("{way}.kib_each"), grown.max(0.0), most);
        let fresh = ProofClient::connect(process.url("rpcx")).await?;
        verdict.holds(format!("{way}.alive"), fresh.mul(Args { a: 6, b: 7 }).await?.c == 42);
        drop(held);
    }
    for (way, claim) in claims(0x7fff_fff0).await? {
        let mut socket = TcpStream::connect(process.place()).await?;
        let since = Instant::now();
        socket.write_all(&claim).await?;
        let mut heard = hear(&mut socket, Duration::from_secs(5)).await;
        let told = matches!(heard, Heard::Bytes(_));
        // HTTP says what is wrong before it closes; the close lingers, for who still writes.
        while let Heard::Bytes(_) = heard {
            heard = hear(&mut socket, Duration::from_millis(1)).await;
        }
        let refused = told || heard == Heard::Close;
        let took = if refused { ms(since.elapsed()) } else { 5_000.0 };
        verdict.at_most(format!("{way}.refused_ms"), took, 100.0);
    }
    // Counts inside of a body.
    let before = process.resident()?;
    for (format, body) in [
        (MSGPACK, b"\x81\xa4kids\xdd\xff\xff\xff\xff".to_vec()),
        (MSGPACK, b"\x81\xa4name\xdb\xff\xff\xff\xff".to_vec()),
        (2, b"\x0a\xff\xff\xff\xff\x0f".to_vec()),
    ] {
        let mut raw = Raw::connect(&process.url("rpcx")).await;
        let answer = raw.call(&Frame::call(1, "Proof", "Tree", format, &body)).await;
        let error = answer.and_then(|answer| answer.error());
        verdict.holds(format!("counts.{format}.error"), error.is_some());
    }
    let grown = (process.resident()? - before) / 1024.0;
    verdict.at_most("counts.kib", grown.max(0.0), 512.0);
    Ok(verdict)
}

/// A stream that unfolds to `length` zeros.
fn bomb(length: u64) -> Done<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let piece = vec![0; MIB];
    for _ in 0..length / MIB as u64 {
        encoder.write_all(&piece)?;
    }
    Ok(encoder.finish()?)
}

/// S2.
pub(super) async fn unfolding(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let zeros = bomb(if run.seconds.is_some() { 128 << 20 } else { 1 << 30 })?;
    verdict.note("bomb_bytes", zeros.len());
    let process = warm(&Start::serve()).await?;
    let limit = 16.0 + 8.0;
    let mut nested = GzEncoder::new(Vec::new(), Compression::best());
    nested.write_all(&zeros)?;
    let members = [bomb(15 << 20)?, bomb(15 << 20)?].concat();
    let good = Frame::call(8, "Proof", "Mul", MSGPACK, b"\x82\xa1A\x06\xa1B\x07");
    for (what, body, error) in [
        ("zeros", zeros.clone(), true),
        ("nested", nested.finish()?, true),
        ("members", members, true),
    ] {
        process.forget_peak()?;
        let before = process.resident()?;
        let mut raw = Raw::connect(&process.url("rpcx")).await;
        let frame = Frame { flags: GZIP, ..Frame::call(7, "Proof", "Mul", MSGPACK, &body) };
        let answer = raw.call(&frame).await.and_then(|answer| answer.error());
        verdict.holds(format!("{what}.refused"), answer.is_some() == error);
        if what == "zeros" {
            let named = answer.is_some_and(|text| text.contains("Limits::unfolded_bytes"));
            verdict.holds(format!("{what}.names_the_limit"), named);
        }
        let grown = (process.peak()? - before) / MIB as f64;
        verdict.at_most(format!("{what}.peak_mib"), grown, limit);
        let usable = raw.call(&good).await.is_some_and(|answer| answer.error().is_none());
        verdict.holds(format!("{what}.usable"), usable);
    }
    gateway(&process, &zeros, limit, &mut verdict).await?;
    client(&zeros, &mut verdict).await?;
    Ok(verdict)
}

/// The same through rpcx's gateway over HTTP.
async fn gateway(process: &Process, zeros: &[u8], limit: f64, verdict: &mut Verdict) -> Done {
    process.forget_peak()?;
    let before = process.resident()?;
    let mut socket = TcpStream::connect(process.place()).await?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nX-RPCX-Version: 1\r\nX-RPCX-MesssageType: 0\r\n\
         X-RPCX-MessageID: 1\r\nX-RPCX-SerializeType: 3\r\nX-RPCX-CompressType: 1\r\n\
         X-RPCX-ServicePath: Proof\r\nX-RPCX-ServiceMethod: Mul\r\nContent-Length: {}\r\n\r\n",
        zeros.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(zeros).await?;
    let heard = hear(&mut socket, Duration::from_secs(10)).await;
    let said = match &heard {
        Heard::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    verdict.holds("gateway.refused", said.contains("Limits::unfolded_bytes"));
    if !said.contains("Limits::unfolded_bytes") {
        verdict.note("gateway.said", said.chars().take(300).collect::<String>());
    }
    let grown = (process.peak()? - before) / MIB as f64;
    verdict.at_most("gateway.peak_mib", grown, limit);
    Ok(())
}

/// A server that answers with a bomb.
async fn client(zeros: &[u8], verdict: &mut Verdict) -> Done {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("rpcx://{}", listener.local_addr()?);
    let zeros = zeros.to_vec();
    let rogue = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let (mut input, mut piece, mut first) = (Vec::new(), vec![0; 64 * 1024], true);
        loop {
            let read = socket.read(&mut piece).await?;
            if read == 0 {
                return std::io::Result::Ok(());
            }
            input.extend_from_slice(&piece[..read]);
            while let Some((frame, length)) = Frame::cut(&input) {
                input.drain(..length);
                let (flags, body) = match std::mem::take(&mut first) {
                    true => (0x80 | GZIP, zeros.clone()),
                    false => (0x80, b"\x81\xa1C\x2a".to_vec()),
                };
                socket.write_all(&Frame { flags, body, ..frame }.bytes()).await?;
            }
        }
    });
    let before = crate::memory::live();
    let client = ProofClient::connect(&url).await?;
    let args = || Args { a: 6, b: 7 };
    let refused = client.mul(args()).compress(Compress::None).await;
    let exhausted = refused.as_ref().is_err_and(|s| s.code() == Code::ResourceExhausted);
    verdict.holds("client.resource_exhausted", exhausted);
    if let (false, Err(status)) = (exhausted, refused) {
        verdict.note("client.said", status.to_string());
    }
    verdict.holds("client.usable", client.mul(args()).await.is_ok_and(|reply| reply.c == 42));
    let kept = crate::memory::live().saturating_sub(before) as f64 / MIB as f64;
    verdict.at_most("client.kept_mib", kept, 8.0);
    rogue.abort();
    Ok(())
}
