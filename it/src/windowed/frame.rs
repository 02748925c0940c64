//! How a frame is laid out, and the parts of its payload.

use super::broken;
use bytes::{Buf, BufMut, Bytes};
use farcall::{Code, Compress, Format, Status, protocol::Broken};

/// The first byte of every frame.
pub const MAGIC: u8 = 0xb7;
/// The number of what concerns the whole connection.
pub const CONNECTION: u64 = u64::MAX;

/// Kinds of frames.
#[allow(missing_docs)]
pub mod kind {
    pub const PING: u8 = 0;
    pub const PONG: u8 = 1;
    pub const CALL: u8 = 2;
    pub const REPLY: u8 = 3;
    pub const ITEM: u8 = 4;
    pub const END: u8 = 5;
    pub const CANCEL: u8 = 6;
    pub const WINDOW: u8 = 7;
}

/// Bytes before the payload.
pub const HEAD: usize = 14;

/// Writes a frame.
pub fn frame(kind: u8, seq: u64, payload: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(&[MAGIC, kind]);
    to.put_u32(payload.len() as u32);
    to.put_u64(seq);
    to.extend_from_slice(payload);
}

pub(super) fn short(text: &str, to: &mut Vec<u8>) {
    to.put_u16(text.len() as u16);
    to.extend_from_slice(text.as_bytes());
}

pub(super) fn pairs(meta: &[(String, String)], to: &mut Vec<u8>) {
    let at = to.len();
    to.put_u16(0);
    meta.iter().for_each(|(key, value)| [key, value].iter().for_each(|text| short(text, to)));
    let length = (to.len() - at - 2) as u16;
    to[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

/// The next short text off a payload.
pub(super) fn take(from: &mut Bytes) -> Result<Bytes, Broken> {
    let length = from.try_get_u16().map_err(|_| broken("a frame ends too early"))? as usize;
    if from.len() < length {
        return Err(broken("a text ends too early"));
    }
    Ok(from.split_to(length))
}

pub(super) fn byte(from: &mut Bytes) -> Result<u8, Broken> {
    from.try_get_u8().map_err(|_| broken("a frame ends too early"))
}

pub(super) fn walk(block: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
    let mut rest = block;
    let mut next = || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (text, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = after;
        Some(text)
    };
    while let (Some(key), Some(value)) = (next(), next()) {
        if !each(key, value) {
            return;
        }
    }
}

pub(super) fn format_of(byte: u8) -> Format {
    match byte {
        0 => Format::Raw,
        1 => Format::Json,
        2 => Format::Protobuf,
        _ => Format::MsgPack,
    }
}

pub(super) fn format_byte(format: Format) -> u8 {
    match format {
        Format::Raw => 0,
        Format::Json => 1,
        Format::Protobuf => 2,
        _ => 3,
    }
}

pub(super) fn compress_of(byte: u8) -> Compress {
    if byte == 1 { Compress::Gzip } else { Compress::None }
}

pub(super) fn failure(status: Option<&Status>, to: &mut Vec<u8>) {
    to.push(status.map_or(0, |status| status.code() as u8));
    short(status.map_or("", |status| status.text()), to);
}

pub(super) fn status(from: &mut Bytes) -> Result<Option<Status>, Broken> {
    let (code, text) = (byte(from)?, take(from)?);
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((code > 0).then(|| Status::remote(Code::from_number(code.into()), text)))
}
