//! The sixteen bytes before every message, and the numbers in them.
//!
//! Source: rpcx `protocol/message.go`, `Header` and `Encode`. All integers are big-endian.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | magic, `0x08` |
//! | 1 | 1 | version, 0; nobody checks it, a server echoes it |
//! | 2 | 1 | type 0x80, heartbeat 0x40, one-way 0x20, compression 0x1C, status 0x03 |
//! | 3 | 1 | format in the high half; the low half is reserved, a server echoes it |
//! | 4 | 8 | number of the call |
//! | 12 | 4 | bytes that follow these sixteen |

use farcall_core::{Compress, Format, Ticket};

/// The header as three integers, the first four bytes as one word.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// Magic, version, flags, format.
    pub(super) word: u32,
    /// The number of the call.
    pub(super) seq: u64,
    /// Bytes that follow the header.
    pub(super) total: u32,
}

impl Header {
    #[inline(always)]
    pub(super) fn read(bytes: &[u8; LEN]) -> Header {
        let all = u128::from_be_bytes(*bytes);
        Header { word: (all >> 96) as u32, seq: (all >> 32) as u64, total: all as u32 }
    }

    /// The first byte of every message is [`MAGIC`].
    #[inline(always)]
    pub(super) fn magic(self) -> u8 {
        (self.word >> 24) as u8
    }

    #[inline(always)]
    pub(super) fn has(self, flag: u32) -> bool {
        self.word & flag != 0
    }

    #[inline(always)]
    pub(super) fn format(self) -> Format {
        FORMATS[(self.word >> FORMAT_SHIFT & 15) as usize]
    }

    #[inline(always)]
    pub(super) fn compress(self) -> Compress {
        COMPRESSIONS[(self.word >> COMPRESS_SHIFT & 7) as usize]
    }

    /// What the reply to this call needs to know.
    #[inline(always)]
    pub(super) fn ticket(self) -> Ticket {
        Ticket {
            seq: self.seq,
            echo: self.word & ECHO,
            format: self.format(),
            compress: self.compress(),
            oneway: self.has(ONEWAY),
        }
    }
}

/// The bits of a format, in place. What has no number here gets the highest, which nobody answers
/// to, and never another format's.
#[inline(always)]
pub(super) fn format_bits(format: Format) -> u32 {
    let number = match format {
        Format::Raw => 0,
        Format::Json => 1,
        Format::Protobuf => 2,
        Format::MsgPack => 3,
        Format::Thrift => 4,
        Format::Other(number) => number.min(15),
        _ => 15,
    };
    u32::from(number) << FORMAT_SHIFT
}

/// Length of the header.
pub(super) const LEN: usize = 16;
/// The first byte.
pub(super) const MAGIC: u8 = 0x08;
/// The magic in its place, version 0, nothing else.
pub(super) const WORD: u32 = (MAGIC as u32) << 24;
/// What a server echoes: all but the magic.
pub(super) const ECHO: u32 = 0x00ff_ffff;
/// Set in replies.
pub(super) const RESPONSE: u32 = 0x8000;
/// Set in heartbeats, both ways.
pub(super) const HEARTBEAT: u32 = 0x4000;
/// Set where no answer is wanted.
pub(super) const ONEWAY: u32 = 0x2000;
/// The compression.
pub(super) const COMPRESS: u32 = 0x1c00;
/// The compression that is known here.
pub(super) const GZIP: u32 = 1 << COMPRESS_SHIFT;
/// The status.
pub(super) const STATUS: u32 = 0x0300;
/// The one status that means something; 2 and 3 are unused.
pub(super) const ERROR: u32 = 0x0100;

const COMPRESS_SHIFT: u32 = 10;
const FORMAT_SHIFT: u32 = 4;

/// Formats by number. Tables, because this is asked for every call.
pub(super) const FORMATS: [Format; 16] = {
    let mut table = [Format::Raw; 16];
    let mut number = 0;
    while number < 16 {
        table[number as usize] = match number {
            0 => Format::Raw,
            1 => Format::Json,
            2 => Format::Protobuf,
            3 => Format::MsgPack,
            4 => Format::Thrift,
            _ => Format::Other(number),
        };
        number += 1;
    }
    table
};

/// Compressions by number.
pub(super) const COMPRESSIONS: [Compress; 8] = {
    let mut table = [Compress::None; 8];
    let mut number = 1;
    while number < 8 {
        table[number as usize] = if number == 1 { Compress::Gzip } else { Compress::Other(number) };
        number += 1;
    }
    table
};
