//! S4: frames of real clients with a few bytes changed, each on a connection of its own. Nothing
//! panics, nothing costs much, and what is no frame runs nothing: whether it is one is decided by
//! judges that share no code with the wires.

use super::Run;
use crate::{
    Done,
    criteria::bombs::gob_messages,
    peers::small_calls,
    process::Process,
    proxy::Dice,
    service::{count_panics, panics},
    verdict::Verdict,
};
use farcall::{Cx, Limits, Result, Server};
use farcall_it::{
    services::{Args, Reply, Running},
    who::Folder,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinSet,
};

/// Connections at once; each has a server of its own, so that it is known whose call ran.
const WORKERS: u64 = 8;

#[farcall::service(name = "Proof")]
trait Counted {
    async fn mul(&self, cx: &Cx, args: Args) -> Result<Reply>;
}

struct Counter(Arc<AtomicU64>);

impl Counted for Counter {
    async fn mul(&self, _: &Cx, args: Args) -> Result<Reply> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Reply { c: args.a.wrapping_mul(args.b) })
    }
}

/// What one worker saw.
#[derive(Default)]
struct Seen {
    frames: u64,
    ran: u64,
    ran_from_invalid: u64,
    example: Option<Vec<u8>>,
}

/// S4.
pub(super) async fn frames(run: Run) -> Done<Verdict> {
    count_panics();
    let mut verdict = Verdict::new();
    let frames = run.seconds.map_or(1_000_000, |seconds| (seconds * 10_000).min(1_000_000));
    let folder = Folder::new();
    for (protocol, call) in small_calls().await? {
        let (cpu, before) = (Process::own_cpu()?, panics());
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            let path = folder.join(format!("{protocol}-{worker}"));
            let dice = Dice((run.seed << 8 | worker).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let (call, share) = (call.clone(), frames / WORKERS);
            workers.spawn(work(protocol, path, call, dice, share));
        }
        let mut all = Seen::default();
        while let Some(seen) = workers.join_next().await {
            let seen = seen??;
            all.frames += seen.frames;
            all.ran += seen.ran;
            all.ran_from_invalid += seen.ran_from_invalid;
            all.example = all.example.or(seen.example);
        }
        verdict.none(format!("{protocol}.panics"), panics() - before);
        verdict.none(format!("{protocol}.ran_from_invalid"), all.ran_from_invalid);
        // Mutations that spare what matters are valid: without any, the judge would not be tested.
        verdict.at_least(format!("{protocol}.ran"), all.ran as f64, 1.0);
        let each = (Process::own_cpu()? - cpu) * 1e6 / all.frames as f64;
        verdict.at_most(format!("{protocol}.cpu_us_both_sides"), each, 50.0);
        verdict.note(format!("{protocol}.frames"), all.frames);
        if let Some(example) = all.example {
            let text = String::from_utf8_lossy(&example).into_owned();
            verdict.note(format!("{protocol}.example"), format!("{text:?}"));
        }
    }
    Ok(verdict)
}

async fn work(
    protocol: &'static str,
    path: std::path::PathBuf,
    call: Vec<u8>,
    mut dice: Dice,
    frames: u64,
) -> Done<Seen> {
    let ran = Arc::new(AtomicU64::new(0));
    let server = Server::new().add(CountedServer::new(Counter(Arc::clone(&ran))));
    let address = format!("unix://{}", path.display());
    let _running = Running::start_on(server.limits(Limits::default()), &address).await?;
    let mut seen = Seen::default();
    let mut answer = vec![0; 4096];
    for _ in 0..frames {
        let frame = mutated(&call, &mut dice);
        let before = ran.load(Ordering::Relaxed);
        let mut socket = UnixStream::connect(&path).await?;
        // It may be refused before all is written.
        let _ = socket.write_all(&frame).await;
        let _ = socket.shutdown().await;
        while let Ok(1..) = socket.read(&mut answer).await {}
        let now = ran.load(Ordering::Relaxed) - before;
        seen.frames += 1;
        seen.ran += now;
        if now > frames_in(protocol, &frame) {
            seen.ran_from_invalid += now;
            seen.example.get_or_insert(frame);
        }
    }
    Ok(seen)
}

/// One to four changes.
fn mutated(call: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut frame = call.to_vec();
    for _ in 0..1 + dice.below(4) {
        if frame.is_empty() {
            break;
        }
        let at = dice.below(frame.len() as u64) as usize;
        let upto = at + dice.below((frame.len() - at) as u64 + 1) as usize;
        match dice.below(7) {
            0 => frame[at] ^= 1 << dice.below(8),
            1 => frame[at] = dice.below(256) as u8,
            2 => frame.insert(at, dice.below(256) as u8),
            3 => drop(frame.remove(at)),
            4 => frame.truncate(at),
            5 => {
                let piece = frame[at..upto].to_vec();
                let to = dice.below(frame.len() as u64) as usize;
                frame.splice(to..to, piece);
            }
            _ => drop(frame.drain(at..upto)),
        }
    }
    frame
}

/// How many complete calls there may be in these bytes, at most.
fn frames_in(protocol: &str, bytes: &[u8]) -> u64 {
    match protocol {
        "rpcx" => rpcx(bytes),
        "jsonrpc" => json(bytes),
        "http" => http(bytes),
        _ => gob(bytes),
    }
}

/// Frames whose lengths fit into each other.
fn rpcx(mut bytes: &[u8]) -> u64 {
    let word = |bytes: &[u8], at: usize| {
        let four = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(four.try_into().ok()?) as usize)
    };
    let mut count = 0;
    while bytes.first() == Some(&8) {
        let Some(rest) = word(bytes, 12).and_then(|total| bytes.get(16..16 + total)) else { break };
        let (mut at, mut sections) = (0, 0);
        while let Some(length) = word(rest, at) {
            if sections == 2 {
                // Pairs of names and values, to the byte.
                let Some(meta) = rest.get(at + 4..at + 4 + length) else { return count };
                let mut inside = 0;
                while let Some(length) = word(meta, inside) {
                    inside += 4 + length;
                }
                if inside != meta.len() {
                    return count;
                }
            }
            at += 4 + length;
            sections += 1;
            if sections == 4 {
                break;
            }
        }
        // As in Go, a body may claim less than the frame has room for, and is the rest.
        if sections != 4 || at > rest.len() {
            break;
        }
        count += 1;
        bytes = &bytes[16 + rest.len()..];
    }
    count
}

/// JSON texts, one after the other; a list counts its items. Bytes that are no UTF-8 are read as
/// Go reads them, as the character that stands for such.
fn json(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let texts = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    let texts = texts.map_while(std::result::Result::ok);
    texts.map(|text| text.as_array().map_or(1, |list| list.len() as u64)).sum()
}

/// Requests with a length and a body of JSON.
fn http(mut bytes: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let lengths: Vec<&str> =
            head.lines().filter_map(|line| line.strip_prefix("content-length:")).collect();
        let length = match lengths[..] {
            [one] => one.trim().parse::<usize>().ok(),
            [] => Some(0),
            _ => None,
        };
        let Some(body) = length.and_then(|length| bytes.get(end + 4..end + 4 + length)) else {
            break;
        };
        if !body.is_empty() && json(body) == 0 {
            break;
        }
        count += 1;
        bytes = &bytes[end + 4 + body.len()..];
    }
    count
}

/// Every call is two messages at least, and whole.
fn gob(bytes: &[u8]) -> u64 {
    let messages = gob_messages(bytes);
    let ends = messages.iter().skip(1).map(|(start, _)| *start).chain([bytes.len()]);
    let whole = ends.zip(&messages).filter(|(end, (_, content))| end > content).count();
    whole as u64 / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn judges_know_what_is_a_frame() {
        for (protocol, call) in small_calls().await.expect("calls") {
            let count = frames_in(protocol, &call);
            let one = if protocol == "netrpc" { 2 } else { 1 };
            assert!((1..=one).contains(&count), "{protocol}: {count}");
            assert_eq!(frames_in(protocol, &call[..call.len() / 3]), 0, "{protocol}");
        }
        let (mut one, mut two) = (Dice(7), Dice(7));
        assert_eq!(mutated(b"some bytes", &mut one), mutated(b"some bytes", &mut two));
    }
}
