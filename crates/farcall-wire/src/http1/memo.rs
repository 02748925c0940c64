//! What was made of the last request's head.
//!
//! Who keeps a connection mostly repeats itself: the same path, the same fields, the same length.
//! One comparison then stands for reading the head and deciding on it. It is exact: what is decided
//! depends on the head, on the table of methods and on the limits, and the last two stay.

use farcall_core::{Compress, Meta, MethodId};
use std::time::Duration;

/// The last head, remembered; from a connection's second request on.
#[derive(Default)]
pub(super) struct Memo {
    /// The head as it came: reading turns the names of fields to lower case where they stand.
    raw: Vec<u8>,
    known: Option<Known>,
    warm: bool,
}

/// A call, as its head tells it; the answer keeps the connection.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) to: MethodId,
    pub(super) compress: Compress,
    pub(super) timeout: Option<Duration>,
    /// Bytes of the body.
    pub(super) length: usize,
    pub(super) meta: Meta,
}

impl Memo {
    /// What is known of the request that begins here, and how long its head is.
    #[inline]
    pub(super) fn find(&self, input: &[u8]) -> Option<(&Known, usize)> {
        let known = self.known.as_ref()?;
        input.starts_with(&self.raw).then_some((known, self.raw.len()))
    }

    /// A head is about to be read for the first time.
    pub(super) fn look(&mut self, input: &[u8]) {
        self.known = None;
        self.raw.clear();
        if self.warm {
            self.raw.extend_from_slice(&input[..input.len().min(MOST)]);
        }
    }

    /// A head of this length was read whole. `known` is not asked where it cannot be kept.
    pub(super) fn keep(&mut self, length: usize, known: impl FnOnce() -> Option<Known>) {
        if length <= self.raw.len() {
            self.raw.truncate(length);
            self.known = known();
        }
        self.warm = true;
    }
}

/// Longer ones are not worth the memory: there is one memo for each connection.
const MOST: usize = 1024;
