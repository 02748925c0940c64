//! Limits as they can be kept: what no machine could do becomes the next best thing.

use farcall_core::Limits;

/// Bytes of a message that no wire's length could count. The lengths of rpcx have 32 bits, and
/// compression may make what cannot be compressed a little longer.
const MOST_BYTES: usize = 0xf000_0000;

/// At least one call, and no message whose length cannot be written down.
pub(crate) fn sane(mut limits: Limits) -> Limits {
    let one = |limit: &mut usize| *limit = (*limit).max(1);
    one(&mut limits.calls_per_connection);
    one(&mut limits.connections_per_client);
    one(&mut limits.turn_calls);
    one(&mut limits.turn_bytes);
    one(&mut limits.stream_bytes);
    limits.message_bytes = limits.message_bytes.min(MOST_BYTES);
    limits.meta_bytes = limits.meta_bytes.min(MOST_BYTES);
    limits.name_bytes = limits.name_bytes.min(MOST_BYTES);
    limits
}

/// Bytes of a block of metadata as wires lay it out, with room for what a wire adds: a deadline.
pub(crate) fn meta_bytes(pairs: &[(String, String)]) -> usize {
    const OWN: usize = 48;
    OWN + pairs.iter().map(|(key, value)| 8 + key.len() + value.len()).sum::<usize>()
}
