//! Compression of bodies, with a ceiling on what may unfold.

use bytes::Bytes;
use farcall_core::Compress;
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
            let mut plain = Vec::with_capacity((body.len() * 3).min(limit).min(64 * 1024));
            let room = (limit as u64).saturating_add(1);
            // It reads the body where it lies: the other `GzDecoder` copies it through 32 KiB.
            let read = GzDecoder::new(&body[..]).take(room).read_to_end(&mut plain);
            read.map_err(|e| Unfold::Corrupt(reason(&e)))?;
            if plain.len() > limit { Err(Unfold::TooLarge { limit }) } else { Ok(plain.into()) }
        }
        other => Err(Unfold::Unknown(other)),
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
        for cut in 0..body.len() {
            let broken = unfold(Compress::Gzip, body.slice(..cut), 10_000);
            assert!(matches!(broken, Err(Unfold::Corrupt(_))), "cut at {cut}");
        }
    }
}
