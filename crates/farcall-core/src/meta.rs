//! Metadata, left undecoded until someone asks.

use bytes::Bytes;
use std::fmt;

/// How a wire lays out metadata: calls `each` with every key and value until it answers false. The
/// wire has checked the block when it cut the frame, so walking cannot fail.
pub type MetaWalk = fn(block: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool);

/// The metadata of a call or a reply: names and values. Kept as the bytes that came in; looking up
/// a key walks them, so ask once and keep what you need.
#[derive(Clone)]
pub struct Meta {
    block: Bytes,
    walk: MetaWalk,
}

impl Meta {
    /// A block and the way to walk it.
    pub fn new(block: Bytes, walk: MetaWalk) -> Meta {
        Meta { block, walk }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// A copy that keeps nothing else alive.
    #[must_use]
    pub fn detached(&self) -> Meta {
        Meta { block: Bytes::copy_from_slice(&self.block), walk: self.walk }
    }

    /// How many bytes it has on the wire.
    pub fn block_bytes(&self) -> usize {
        self.block.len()
    }

    /// The value of a key as text; invalid UTF-8 is replaced. A repeated key keeps the last value.
    pub fn get(&self, key: &str) -> Option<String> {
        self.get_bytes(key).map(|v| String::from_utf8_lossy(&v).into_owned())
    }

    /// The value of a key.
    pub fn get_bytes(&self, key: &str) -> Option<Bytes> {
        let mut found = None;
        (self.walk)(&self.block, &mut |k, v| {
            if k == key.as_bytes() {
                found = Some(self.block.slice_ref(v));
            }
            true
        });
        found
    }

    /// The value of a key that comes exactly once: what two readers might read differently is none.
    pub fn only(&self, key: &str) -> Option<&[u8]> {
        let (mut found, mut count) = (None, 0);
        (self.walk)(&self.block, &mut |k, v| {
            if k == key.as_bytes() {
                // Walks lend values for the time of this call; where they lie is known.
                let start = (v.as_ptr() as usize).wrapping_sub(self.block.as_ptr() as usize);
                (found, count) = (Some(start..start.wrapping_add(v.len())), count + 1);
            }
            true
        });
        found.filter(|_| count == 1).and_then(|range| self.block.get(range))
    }

    /// All names and values, in the order they came; invalid UTF-8 is replaced.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        (self.walk)(&self.block, &mut |k, v| {
            let text = |b| String::from_utf8_lossy(b).into_owned();
            pairs.push((text(k), text(v)));
            true
        });
        pairs
    }
}

impl Default for Meta {
    fn default() -> Meta {
        Meta { block: Bytes::new(), walk: |_, _| () }
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.pairs()).finish()
    }
}
