//! What was made of the last call's names and metadata.
//!
//! A connection mostly repeats itself: the same method, the same metadata, the same time to wait.
//! One comparison then stands for finding the sections, looking the method up and reading the time.
//! It is exact: the bytes between header and body are the same, so all that is read from them is.

use super::{Place, header};
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

/// Longer ones are not worth the memory: there is one memo for each connection.
const MOST: usize = 256;
