//! gob's numbers (package `encoding/gob`, "Encoding Details"), and a place in bytes to read them
//! from.
//!
//! An unsigned number below 128 is one byte; a larger one is a byte with minus the count of bytes
//! that follow, most significant first. A signed one keeps its sign in the lowest bit. A float is
//! an unsigned number too: its bits with the bytes reversed, so that short fractions are short.

/// Why a number or a run of bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// The bytes end.
    Cut,
    /// A number claims more than eight bytes.
    Wide,
}

/// A place in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) buf: &'a [u8],
    pub(super) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(buf: &'a [u8]) -> Cursor<'a> {
        Cursor { buf, pos: 0 }
    }

    #[inline]
    pub(super) fn left(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// An unsigned number. More bytes than it needs are taken, as Go takes them.
    #[inline(always)]
    pub(super) fn uint(&mut self) -> Result<u64, Bad> {
        match self.buf.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(byte.into())
            }
            Some(&byte) => self.long(byte),
            None => Err(Bad::Cut),
        }
    }

    #[inline(never)]
    fn long(&mut self, first: u8) -> Result<u64, Bad> {
        let count = usize::from(first.wrapping_neg());
        if count > 8 {
            return Err(Bad::Wide);
        }
        let from = self.pos + 1;
        let Some(bytes) = self.buf.get(from..from + count) else { return Err(Bad::Cut) };
        self.pos = from + count;
        Ok(bytes.iter().fold(0, |v, byte| v << 8 | u64::from(*byte)))
    }

    /// A signed number.
    #[inline(always)]
    pub(super) fn int(&mut self) -> Result<i64, Bad> {
        self.uint().map(signed)
    }

    /// A count and as many bytes.
    #[inline(always)]
    pub(super) fn blob(&mut self) -> Result<&'a [u8], Bad> {
        let count = self.uint()?;
        if count > self.left() as u64 {
            return Err(Bad::Cut);
        }
        let from = self.pos;
        self.pos += count as usize;
        Ok(&self.buf[from..self.pos])
    }
}

/// The signed number that an unsigned one stands for.
#[inline(always)]
pub(super) fn signed(v: u64) -> i64 {
    (v >> 1) as i64 ^ -((v & 1) as i64)
}

/// The float that an unsigned number stands for.
#[inline(always)]
pub(super) fn float(v: u64) -> f64 {
    f64::from_bits(v.swap_bytes())
}

#[inline(always)]
pub(crate) fn put_uint(out: &mut Vec<u8>, v: u64) {
    if v < 0x80 {
        out.push(v as u8);
    } else {
        put_long(out, v);
    }
}

#[inline(never)]
fn put_long(out: &mut Vec<u8>, v: u64) {
    let count = long_len(v);
    let mut bytes = [0; 9];
    bytes[1..].copy_from_slice(&v.to_be_bytes());
    bytes[8 - count] = (count as u8).wrapping_neg();
    out.extend_from_slice(&bytes[8 - count..]);
}

fn long_len(v: u64) -> usize {
    8 - v.leading_zeros() as usize / 8
}

#[inline(always)]
pub(super) fn put_int(out: &mut Vec<u8>, v: i64) {
    put_uint(out, (v << 1 ^ v >> 63) as u64);
}

#[inline]
pub(crate) fn put_blob(out: &mut Vec<u8>, v: &[u8]) {
    put_uint(out, v.len() as u64);
    out.extend_from_slice(v);
}

/// Where a count of bytes was left open; see [`close`].
#[inline(always)]
pub(super) fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len() - 1
}

/// Fills in how many bytes follow the place that [`open`] gave. A count of more than one byte moves
/// them: what is short, and most is, stays where it is.
#[inline]
pub(super) fn close(out: &mut Vec<u8>, at: usize) {
    let count = (out.len() - at - 1) as u64;
    if count < 0x80 {
        out[at] = count as u8;
    } else {
        let more = long_len(count);
        let len = out.len();
        out.resize(len + more, 0);
        out.copy_within(at + 1..len, at + 1 + more);
        let bytes = count.to_be_bytes();
        out[at] = (more as u8).wrapping_neg();
        out[at + 1..=at + more].copy_from_slice(&bytes[8 - more..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_there_and_back() {
        for shift in 0..64 {
            for v in [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_uint(&mut out, v);
                put_int(&mut out, v as i64);
                put_int(&mut out, !(v as i64));
                let mut from = Cursor::new(&out);
                assert_eq!(from.uint(), Ok(v));
                assert_eq!((from.int(), from.int()), (Ok(v as i64), Ok(!(v as i64))));
                assert_eq!(from.uint(), Err(Bad::Cut));
            }
        }
        assert_eq!(Cursor::new(&[0xf7]).uint(), Err(Bad::Wide));
        assert_eq!(Cursor::new(&[0xf8, 0, 0, 0, 0, 0, 0, 0, 6]).uint(), Ok(6));
        assert_eq!(Cursor::new(&[0xfe, 1]).uint(), Err(Bad::Cut));
    }

    #[test]
    fn counts_are_filled_in() {
        for len in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut out = vec![9];
            let at = open(&mut out);
            out.extend((0..len).map(|i| i as u8));
            close(&mut out, at);
            let mut from = Cursor::new(&out[1..]);
            assert_eq!(from.blob(), Ok(&(0..len).map(|i| i as u8).collect::<Vec<_>>()[..]));
            assert_eq!(from.left(), 0);
        }
    }
}
