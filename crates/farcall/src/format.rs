//! Bodies without calls: a message as bytes, and back.

use bytes::Bytes;
use farcall_core::{Bounds, Fault, Format, Put, Take};
use farcall_wire::format;

/// The bytes of a value in a format. A fault names the path to the field that cannot be written.
pub fn encode_to_vec<T: Put + ?Sized>(format: Format, value: &T) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    format::encode(format, value, Bounds::default(), &mut out)?;
    Ok(out)
}

/// The value of bytes in a format, within the default [`Bounds`]. A fault names the path to the
/// field that cannot be read.
pub fn decode_from<T: Take>(format: Format, bytes: &[u8]) -> Result<T, Fault> {
    decode_within(format, Bytes::copy_from_slice(bytes), Bounds::default())
}

/// The value of bytes in a format, within `bounds`; `Str` and `Bytes` fields share `bytes`.
pub fn decode_within<T: Take>(
    format: Format,
    bytes: impl Into<Bytes>,
    bounds: Bounds,
) -> Result<T, Fault> {
    format::decode(format, &bytes.into(), None, bounds)
}
