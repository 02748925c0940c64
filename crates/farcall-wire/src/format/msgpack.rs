//! Placeholder until the format lands.
use bytes::Bytes;
use farcall_core::{Bounds, Fault, Put, Take};
/// Placeholder.
pub fn encode<T: Put + ?Sized>(_: &T, _: Bounds, _: &mut Vec<u8>) -> Result<(), Fault> {
    unreachable!()
}
/// Placeholder.
pub fn decode<T: Take>(_: &Bytes, _: Bounds) -> Result<T, Fault> {
    unreachable!()
}
