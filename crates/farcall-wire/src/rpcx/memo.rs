//! What was made of the last call's names and metadata, and what was written for the last one's.
//!
//! A connection mostly repeats itself: the same method, the same metadata, the same time to wait.
//! One comparison then stands for finding the sections, looking the method up and reading the time.
//! It is exact: the bytes between header and body are the same, so all that is read from them is.
//! And one copy stands for writing header, names and metadata: only the number differs.

use super::{Place, header, write_call};
use farcall_core::MethodId;
use std::time::Duration;

/// The last call, remembered.
#[derive(Default)]
pub(super) struct Memo {
    /// The frame from behind its header to the length of its body; empty when there is none.
    bytes: Box<[u8]>,
    /// How many of those are in use: the box is kept for shorter ones.
    len: usize,
    meta_len: usize,
    known: Known,
}

/// What those bytes mean.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) to: MethodId,
    pub(super) timeout: Option<Duration>,
}

impl Memo {
    /// What is known of a complete frame, if it begins like the last one.
    #[inline(always)]
    pub(super) fn find(&self, frame: &[u8]) -> Option<(Known, Place)> {
        let (known, body_at) = (&self.bytes[..self.len], header::LEN + self.len + 4);
        if known.is_empty() || frame.len() < body_at || frame[header::LEN..body_at - 4] != *known {
            return None;
        }
        // More body than the frame has room for is for the long way to name.
        let claimed = frame[body_at - 4..].first_chunk().map_or(0, |c| u32::from_be_bytes(*c));
        if claimed as usize > frame.len() - body_at {
            return None;
        }
        Some((self.known, Place { meta_len: self.meta_len, body_at, end: frame.len() }))
    }

    /// Remembers a call.
    #[inline(never)]
    pub(super) fn keep(
        &mut self,
        frame: &[u8],
        place: Place,
        to: MethodId,
        timeout: Option<Duration>,
    ) {
        let bytes = &frame[header::LEN..place.body_at - 4];
        if bytes.len() > MOST {
            return;
        }
        if self.bytes.len() < bytes.len() {
            self.bytes = bytes.into();
        } else {
            self.bytes[..bytes.len()].copy_from_slice(bytes);
        }
        (self.len, self.meta_len) = (bytes.len(), place.meta_len);
        self.known = Known { to, timeout };
    }
}

/// The last call that was written without metadata of its caller's, remembered.
#[derive(Default)]
pub(super) struct Said {
    /// Up to the body, the total and the body's length still open; empty when there is none.
    bytes: Vec<u8>,
    word: u32,
    /// Lengths of the names.
    names: [usize; 2],
    timeout: Option<Duration>,
}

impl Said {
    /// Appends such a call up to its body; returns where the frame and the body begin.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        tail: &mut Vec<u8>,
        word: u32,
        seq: u64,
        names: [&str; 2],
        timeout: Option<Duration>,
    ) -> (usize, usize) {
        if !self.is(word, names, timeout) {
            return self.anew(tail, word, seq, names, timeout);
        }
        let frame = tail.len();
        tail.extend_from_slice(&self.bytes);
        tail[frame + 4..frame + 12].copy_from_slice(&seq.to_be_bytes());
        (frame, tail.len())
    }

    #[inline(always)]
    fn is(&self, word: u32, [service, method]: [&str; 2], timeout: Option<Duration>) -> bool {
        let at = header::LEN + 4;
        word == self.word
            && timeout == self.timeout
            && self.names == [service.len(), method.len()]
            && self.bytes.get(at..at + service.len()) == Some(service.as_bytes())
            && self.bytes[at + service.len() + 4..][..method.len()] == *method.as_bytes()
    }

    #[inline(never)]
    fn anew(
        &mut self,
        tail: &mut Vec<u8>,
        word: u32,
        seq: u64,
        names: [&str; 2],
        timeout: Option<Duration>,
    ) -> (usize, usize) {
        let (frame, body) = write_call(tail, word, seq, names, &[], timeout);
        self.bytes.clear();
        if body - frame <= MOST {
            self.bytes.extend_from_slice(&tail[frame..body]);
        }
        (self.word, self.names, self.timeout) = (word, names.map(str::len), timeout);
        (frame, body)
    }
}

/// Longer ones are not worth the memory: there is one memo for each connection.
const MOST: usize = 256;
