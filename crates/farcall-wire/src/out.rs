//! Output as a queue of chunks, the last one open for appending.

use bytes::Bytes;
use std::{collections::VecDeque, io::IoSlice};

/// Bytes on their way to a peer. Frames are appended to the open tail; large bodies that need no
/// copy join as chunks of their own. What was written is taken off the front.
#[derive(Debug, Default)]
pub struct Out {
    sealed: VecDeque<Bytes>,
    sealed_len: usize,
    tail: Vec<u8>,
    /// Bytes of the tail that were already written.
    tail_at: usize,
}

/// A tail that grew beyond this is given back to the allocator once it is written.
const KEEP_BYTES: usize = 256 * 1024;

impl Out {
    /// An empty queue.
    pub fn new() -> Out {
        Out::default()
    }

    /// Where bytes are appended. Offsets into it hold until something is written or pushed.
    #[inline]
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends a chunk without copying it.
    pub fn push(&mut self, chunk: Bytes) {
        self.seal();
        if !chunk.is_empty() {
            self.sealed_len += chunk.len();
            self.sealed.push_back(chunk);
        }
    }

    /// Bytes waiting.
    #[inline]
    pub fn len(&self) -> usize {
        self.sealed_len + self.tail.len() - self.tail_at
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first waiting bytes as slices for a vectored write; returns how many were filled.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let tail = &self.tail[self.tail_at..];
        let chunks = self.sealed.iter().map(|c| &c[..]).chain((!tail.is_empty()).then_some(tail));
        let mut count = 0;
        for (slot, chunk) in into.iter_mut().zip(chunks) {
            *slot = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    /// Takes `written` bytes off the front.
    pub fn advance(&mut self, mut written: usize) {
        debug_assert!(written <= self.len());
        while let Some(front) = self.sealed.front_mut() {
            let part = written.min(front.len());
            self.sealed_len -= part;
            written -= part;
            if part < front.len() {
                bytes::Buf::advance(front, part);
                return;
            }
            self.sealed.pop_front();
        }
        self.tail_at = (self.tail_at + written).min(self.tail.len());
        if self.tail_at == self.tail.len() {
            self.tail_at = 0;
            if self.tail.capacity() > KEEP_BYTES {
                self.tail = Vec::new();
            } else {
                self.tail.clear();
            }
        }
    }

    /// Moves everything waiting here to the end of `other`, without copying more than the tail.
    pub fn drain_into(&mut self, other: &mut Out) {
        if other.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        if self.sealed.is_empty() {
            other.tail.extend_from_slice(&self.tail[self.tail_at..]);
        } else {
            self.seal();
            while let Some(chunk) = self.sealed.pop_front() {
                other.push(chunk);
            }
            self.sealed_len = 0;
        }
        self.tail.clear();
        self.tail_at = 0;
    }

    fn seal(&mut self) {
        if self.tail_at < self.tail.len() {
            let mut chunk = Bytes::from(std::mem::take(&mut self.tail));
            bytes::Buf::advance(&mut chunk, self.tail_at);
            self.sealed_len += chunk.len();
            self.sealed.push_back(chunk);
        } else {
            self.tail.clear();
        }
        self.tail_at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(out: &Out) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let count = out.slices(&mut slices);
        slices[..count].iter().flat_map(|s| s.to_vec()).collect()
    }

    #[test]
    fn chunks_and_tail_keep_their_order() {
        let mut out = Out::new();
        out.tail().extend_from_slice(b"abc");
        out.push(Bytes::from_static(b"DEF"));
        out.tail().extend_from_slice(b"ghi");
        assert_eq!(all(&out), b"abcDEFghi");
        for written in [1, 3, 4] {
            out.advance(written);
        }
        assert_eq!((all(&out), out.len()), (b"i".to_vec(), 1));
        out.tail().push(b'j');
        let mut other = Out::new();
        other.tail().push(b'-');
        out.drain_into(&mut other);
        assert_eq!((all(&other), out.is_empty()), (b"-ij".to_vec(), true));
        other.advance(3);
        assert!(other.is_empty());
    }
}
