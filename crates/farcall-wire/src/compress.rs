//! Compression of bodies, with a ceiling on what may unfold.

use bytes::Bytes;
use farcall_core::{Code, Compress};
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use std::{
    fmt,
    io::{self, Read, Write},
};

/// Why a body did not unfold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfold {
    /// It would grow beyond `Limits::unfolded_bytes`.
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// The bytes are not what they claim to be.
    Corrupt(String),
    /// Nobody here knows this compression.
    Unknown(Compress),
}

impl Unfold {
    /// The status for it: a limit says that it was reached, all else is as its place wants it.
    pub fn code(&self, otherwise: Code) -> Code {
        match self {
            Unfold::TooLarge { .. } => Code::ResourceExhausted,
            Unfold::Corrupt(_) | Unfold::Unknown(_) => otherwise,
        }
    }
}

impl fmt::Display for Unfold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfold::TooLarge { limit } => {
                write!(f, "the body unfolds to more than {limit} bytes (Limits::unfolded_bytes)")
            }
            Unfold::Corrupt(why) => write!(f, "the compressed body is corrupt: {why}"),
            Unfold::Unknown(compress) => write!(f, "unsupported compressor: {compress}"),
        }
    }
}

impl std::error::Error for Unfold {}

/// The plain body. Exactly `limit` bytes are allowed. Memory grows with what unfolds, never with
/// what the body claims.
pub fn unfold(compress: Compress, body: Bytes, limit: usize) -> Result<Bytes, Unfold> {
    match compress {
        Compress::None => Ok(body),
        Compress::Gzip => {
            // It reads the body where it lies: the other `GzDecoder` copies it through 32 KiB.
            let plain = read_within(GzDecoder::new(&body[..]), body.len().saturating_mul(3), limit);
            plain.map_err(|e| Unfold::Corrupt(reason(&e)))?.ok_or(Unfold::TooLarge { limit })
        }
        other => Err(Unfold::Unknown(other)),
    }
}

/// Reads to the end; none where there is more than `limit`. Memory doubles as it fills, and is
/// never more than one byte above the limit: left to itself, a `Vec` would double once more to hold
/// that byte.
fn read_within(mut from: impl Read, guess: usize, limit: usize) -> io::Result<Option<Bytes>> {
    let most = limit.saturating_add(1);
    let mut plain = Vec::with_capacity(guess.clamp(1024, 64 * 1024).min(most));
    loop {
        let room = plain.capacity() - plain.len();
        let read = from.by_ref().take(room as u64).read_to_end(&mut plain)?;
        if plain.len() > limit {
            return Ok(None);
        }
        if read < room {
            return Ok(Some(plain.into()));
        }
        plain.reserve_exact(plain.len().min(most - plain.len()));
    }
}

/// Replaces `tail[from..]` by its compressed form. False, and nothing changed, where nobody here
/// knows the compression.
pub fn fold(compress: Compress, tail: &mut Vec<u8>, from: usize) -> bool {
    match compress {
        Compress::None => true,
        Compress::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to a `Vec` cannot fail.
            let folded = encoder.write_all(&tail[from..]).and_then(|()| encoder.finish());
            let Ok(folded) = folded else { return false };
            tail.truncate(from);
            tail.extend_from_slice(&folded);
            true
        }
        Compress::Other(_) => false,
        _ => false,
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_is_exact() {
        let mut body = vec![b'a'; 10_000];
        assert!(fold(Compress::Gzip, &mut body, 0));
        let body = Bytes::from(body);
        assert!(body.len() < 1000);
        let plain = unfold(Compress::Gzip, body.clone(), 10_000);
        assert_eq!(plain.map(|p| p.len()), Ok(10_000));
        let refused = unfold(Compress::Gzip, body.clone(), 9_999);
        assert_eq!(refused, Err(Unfold::TooLarge { limit: 9_999 }));
        let none = unfold(Compress::Gzip, body.clone(), 0);
        assert_eq!(none, Err(Unfold::TooLarge { limit: 0 }));
        for length in [0, 1, 1023, 1024, 1025, 65_536, 131_072, 131_073] {
            let mut body = vec![b'a'; length];
            assert!(fold(Compress::Gzip, &mut body, 0));
            let plain = unfold(Compress::Gzip, body.into(), 131_072);
            match length {
                131_073 => assert_eq!(plain, Err(Unfold::TooLarge { limit: 131_072 })),
                _ => assert_eq!(plain.map(|p| p.len()), Ok(length)),
            }
        }
        for cut in 0..body.len() {
            let broken = unfold(Compress::Gzip, body.slice(..cut), 10_000);
            assert!(matches!(broken, Err(Unfold::Corrupt(_))), "cut at {cut}");
        }
    }
}
