//! The check that short text is UTF-8.
//!
//! Fields of messages are short, and for those the set-up of a vectorised checker costs more than
//! the text: here eight or sixteen ASCII bytes, or two three-byte characters (most of Chinese and
//! Japanese), pass in one step. Whatever does not fit these steps is left to the standard library.

use super::SHARE_FROM;
use bytes::Bytes;
use farcall_core::Str;

/// The text, if the bytes are UTF-8.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Option<&str> {
    let known = known_prefix(bytes);
    if known == bytes.len() || std::str::from_utf8(&bytes[known..]).is_ok() {
        // SAFETY: `known_prefix` steps only over whole characters that are valid UTF-8: ASCII
        // bytes, and three-byte sequences 1110xxxx 10xxxxxx 10xxxxxx whose lead is neither E0 nor
        // ED. Those two leads are the only ones whose second byte is restricted further (overlong
        // forms and surrogates; Unicode 16, table 3-7). The rest was checked by the standard
        // library, and valid text followed by valid text is valid.
        Some(unsafe { std::str::from_utf8_unchecked(bytes) })
    } else {
        None
    }
}

/// The text at a place in the frame: shared if it is long, copied if it is short.
pub(crate) fn share(frame: &Bytes, start: usize, end: usize) -> Option<Str> {
    let text = check(&frame[start..end])?;
    if text.len() < SHARE_FROM {
        return Some(Str::from(text));
    }
    // SAFETY: `check` has just passed these very bytes, and `Bytes` is immutable.
    Some(unsafe { Str::from_utf8_unchecked(frame.slice(start..end)) })
}

const ASCII: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the start are certainly whole characters. Stops at anything unusual.
#[inline(always)]
fn known_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let high = word & ASCII;
        if high == 0 {
            at += 8;
            // Long runs of ASCII: two words a step.
            while let Some(two) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
                if u128::from_le_bytes(*two) & (u128::from(ASCII) << 64 | u128::from(ASCII)) != 0 {
                    break;
                }
                at += 16;
            }
        } else if word & 0xc0c0_f0c0_c0f0 == 0x8080_e080_80e0
            && !restricted(word as u8)
            && !restricted((word >> 24) as u8)
        {
            at += 6;
        } else if high & 0x80 == 0 {
            // ASCII up to the next character.
            at += high.trailing_zeros() as usize / 8;
        } else if word & 0xc0_c0f0 == 0x80_80e0 && !restricted(word as u8) {
            at += 3;
        } else {
            break;
        }
    }
    at
}

/// Leads whose second byte may not be any continuation byte.
#[inline(always)]
fn restricted(lead: u8) -> bool {
    matches!(lead, 0xe0 | 0xed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn agree(bytes: &[u8]) {
        assert_eq!(check(bytes), std::str::from_utf8(bytes).ok(), "{bytes:x?}");
    }

    #[test]
    fn agrees_on_every_character() {
        for c in '\0'..=char::MAX {
            agree(format!("{c}{c}{c}abcdefgh").as_bytes());
        }
    }

    /// Every lead with every pair of bytes at the edges of their ranges, at every place in a word.
    #[test]
    fn agrees_on_every_lead() {
        let edges = [0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xe0, 0xed, 0xff];
        for lead in 0..=255u8 {
            for second in edges {
                for third in edges {
                    for place in 0..9 {
                        let mut bytes = "abcdefgh中文字一二三".as_bytes().to_vec();
                        bytes.splice(place..place, [lead, second, third]);
                        agree(&bytes);
                    }
                }
            }
        }
    }

    #[test]
    fn agrees_on_noise() {
        let mut x = 88_172_645_463_325_252_u64;
        let mut next = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        for _ in 0..300_000 {
            let len = next() % 40;
            let bytes: Vec<u8> = (0..len)
                .map(|_| match next() % 8 {
                    0 => 0xe0 | (next() & 15) as u8,
                    1 | 2 => 0x80 | (next() & 63) as u8,
                    3 => next() as u8,
                    _ => (next() & 127) as u8,
                })
                .collect();
            agree(&bytes);
        }
    }
}
