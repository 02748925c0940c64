//! Bounds-checked reads.

/// A big-endian `u32` at an offset.
#[inline(always)]
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*word))
}

/// A big-endian `u64` at an offset.
#[inline(always)]
pub(crate) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    let word = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_be_bytes(*word))
}
