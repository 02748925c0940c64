//! Compressions that are not built in, by the number that a wire carries.

use crate::compress::Unfold;
use bytes::Bytes;
use farcall_core::Compress;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A compression of one's own, for one of rpcx's numbers 2 to 7. Both ends must know it.
///
/// It runs where messages are written and read, in turn with all others of its connection.
pub trait Compressor: Send + Sync + 'static {
    /// The compressed form. `None`, a panic, and what is no shorter: the body goes as it is.
    fn fold(&self, plain: &[u8]) -> Option<Vec<u8>>;
    /// The plain form. The peer chose these bytes: memory should grow with what unfolds, and no
    /// further than `limit`, `Limits::unfolded_bytes`; more is refused in any case.
    ///
    /// # Errors
    /// [`Unfold::TooLarge`] beyond the limit, [`Unfold::Corrupt`] for what is not compressed so. A
    /// panic is corrupt as well.
    fn unfold(&self, body: &[u8], limit: usize) -> Result<Vec<u8>, Unfold>;
}

/// The compressions that one end knows beside those that are built in.
#[derive(Clone, Default)]
pub struct Compressors {
    known: [Option<Arc<dyn Compressor>>; 6],
}

impl Compressors {
    /// Adds one, or puts it in the place of another. False where the number is not from 2 to 7.
    pub fn add(&mut self, number: u8, compressor: Arc<dyn Compressor>) -> bool {
        match self.known.get_mut(usize::from(number.wrapping_sub(FIRST))) {
            Some(place) => {
                *place = Some(compressor);
                true
            }
            None => false,
        }
    }

    fn find(&self, compress: Compress) -> Option<&dyn Compressor> {
        let Compress::Other(number) = compress else { return None };
        self.known.get(usize::from(number.wrapping_sub(FIRST)))?.as_deref()
    }

    /// Replaces `tail[from..]` by its compressed form. False, and nothing changed, where that is
    /// not known or does not help.
    pub fn fold(&self, compress: Compress, tail: &mut Vec<u8>, from: usize) -> bool {
        let Some(compressor) = self.find(compress) else { return false };
        let folded = catch_unwind(AssertUnwindSafe(|| compressor.fold(&tail[from..])));
        match folded {
            Ok(Some(folded)) if folded.len() < tail.len() - from => {
                tail.truncate(from);
                tail.extend_from_slice(&folded);
                true
            }
            _ => false,
        }
    }

    /// The plain body, of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`compress::unfold`](crate::compress::unfold).
    pub fn unfold(&self, compress: Compress, body: &[u8], limit: usize) -> Result<Bytes, Unfold> {
        let compressor = self.find(compress).ok_or(Unfold::Unknown(compress))?;
        match catch_unwind(AssertUnwindSafe(|| compressor.unfold(body, limit))) {
            Ok(Ok(plain)) if plain.len() > limit => Err(Unfold::TooLarge { limit }),
            Ok(plain) => plain.map(Bytes::from),
            Err(_) => Err(Unfold::Corrupt("the compressor panicked".to_owned())),
        }
    }
}

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = (FIRST..).zip(&self.known).filter(|(_, known)| known.is_some());
        f.debug_set().entries(numbers.map(|(number, _)| number)).finish()
    }
}

/// The first number that is not built in.
const FIRST: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts bytes in rows: `aaab` is `3a1b`.
    struct Rows;

    impl Compressor for Rows {
        fn fold(&self, plain: &[u8]) -> Option<Vec<u8>> {
            assert_ne!(plain.first(), Some(&b'!'), "asked to panic");
            let rows = plain.chunk_by(|a, b| a == b).flat_map(|row| row.chunks(255));
            Some(rows.flat_map(|row| [row.len() as u8, row[0]]).collect())
        }
        fn unfold(&self, body: &[u8], _: usize) -> Result<Vec<u8>, Unfold> {
            assert_ne!(body.first(), Some(&b'!'), "asked to panic");
            Ok(body.chunks(2).flat_map(|row| vec![row[1]; usize::from(row[0])]).collect())
        }
    }

    #[test]
    fn it_holds_the_ceiling_and_survives_panics() {
        let mut known = Compressors::default();
        assert!(known.add(2, Arc::new(Rows)) && known.add(7, Arc::new(Rows)));
        assert!(!known.add(1, Arc::new(Rows)) && !known.add(8, Arc::new(Rows)));
        assert_eq!(format!("{known:?}"), "{2, 7}");
        let (two, plain) = (Compress::Other(2), vec![b'a'; 1000]);
        let mut tail = [b"head", &plain[..]].concat();
        assert!(known.fold(two, &mut tail, 4));
        assert_eq!((&tail[..4], tail.len()), (&b"head"[..], 12));
        assert_eq!(known.unfold(two, &tail[4..], 1000), Ok(plain.into()));
        assert_eq!(known.unfold(two, &tail[4..], 999), Err(Unfold::TooLarge { limit: 999 }));
        // What does not get shorter, or cannot be done, stays.
        for text in [&b"abc"[..], b"!!!!!!"] {
            let mut tail = text.to_vec();
            assert!(!known.fold(two, &mut tail, 0));
            assert_eq!(tail, text);
        }
        assert!(matches!(known.unfold(two, b"!x", 10), Err(Unfold::Corrupt(_))));
        // A row cut in the middle: indexing panics.
        assert!(matches!(known.unfold(two, b"\x01", 10), Err(Unfold::Corrupt(_))));
        for other in [Compress::Other(3), Compress::Other(1), Compress::Other(200), Compress::Gzip]
        {
            assert_eq!(known.unfold(other, b"", 10), Err(Unfold::Unknown(other)));
            assert!(!known.fold(other, &mut vec![b'a'; 100], 0));
        }
    }
}
