//! Go's `time.Time` as it marshals itself (package `time`, `MarshalBinary`): a version, seconds
//! since the year 1, nanoseconds, and the zone's offset in minutes, -1 for UTC.
//!
//! Version 2 has one byte more, the seconds of the offset. The offset is of no interest here: what
//! it travels with is a point in time.

use farcall_core::Timestamp;

const LEN: usize = 15;

pub(super) fn read(bytes: &[u8]) -> Option<Timestamp> {
    let seconds = match bytes {
        [1, rest @ ..] if rest.len() == LEN - 1 => rest,
        [2, rest @ ..] if rest.len() == LEN => rest,
        _ => return None,
    };
    let (seconds, rest) = seconds.split_first_chunk::<8>()?;
    let nanos = u32::from_be_bytes(*rest.first_chunk::<4>()?);
    let seconds = i64::from_be_bytes(*seconds).checked_add(Timestamp::GO_ZERO.seconds)?;
    (nanos < 1_000_000_000).then_some(Timestamp { seconds, nanos })
}

/// The bytes; `None` before what Go can count.
pub(super) fn bytes(time: Timestamp) -> Option<[u8; LEN]> {
    let seconds = time.seconds.checked_sub(Timestamp::GO_ZERO.seconds)?;
    let mut bytes = [0; LEN];
    bytes[0] = 1;
    bytes[1..9].copy_from_slice(&seconds.to_be_bytes());
    bytes[9..13].copy_from_slice(&time.nanos.to_be_bytes());
    bytes[13..].copy_from_slice(&(-1_i16).to_be_bytes());
    Some(bytes)
}
