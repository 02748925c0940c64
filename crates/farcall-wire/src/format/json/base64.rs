//! Base64, the standard alphabet with padding (RFC 4648 §4): how JSON carries bytes.
//!
//! As Go's `StdEncoding`, the reader does not insist that the unused bits of the last character are
//! zero.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a byte stands for; 64: nothing.
const VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let mut i = 0;
    while i < 64 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// Appends the text of `bytes`.
pub(super) fn write(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    let sextet = |bits: u32| ALPHABET[bits as usize & 63];
    let (triples, rest) = bytes.as_chunks::<3>();
    for &[a, b, c] in triples {
        let bits = u32::from_be_bytes([0, a, b, c]);
        out.extend_from_slice(&[
            sextet(bits >> 18),
            sextet(bits >> 12),
            sextet(bits >> 6),
            sextet(bits),
        ]);
    }
    match *rest {
        [a] => {
            let bits = u32::from_be_bytes([0, a, 0, 0]);
            out.extend_from_slice(&[sextet(bits >> 18), sextet(bits >> 12), b'=', b'=']);
        }
        [a, b] => {
            let bits = u32::from_be_bytes([0, a, b, 0]);
            let (first, second, third) = (bits >> 18, bits >> 12, bits >> 6);
            out.extend_from_slice(&[sextet(first), sextet(second), sextet(third), b'=']);
        }
        _ => {}
    }
}

/// Appends the bytes that `text` stands for; false if it is not base64.
pub(super) fn read(text: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut quads, rest) = text.as_chunks::<4>();
    if !rest.is_empty() {
        return false;
    }
    out.reserve(quads.len() * 3);
    let value = |byte: u8| u32::from(VALUES[usize::from(byte)]);
    let mut last: &[u8] = &[];
    if let Some((quad, before)) = quads.split_last()
        && quad[3] == b'='
    {
        last = if quad[2] == b'=' { &quad[..2] } else { &quad[..3] };
        quads = before;
    }
    for &[a, b, c, d] in quads {
        let (a, b, c, d) = (value(a), value(b), value(c), value(d));
        if (a | b | c | d) & 64 != 0 {
            return false;
        }
        let [_, x, y, z] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
        out.extend_from_slice(&[x, y, z]);
    }
    let mut bits = 0;
    for (i, &byte) in last.iter().enumerate() {
        if value(byte) == 64 {
            return false;
        }
        bits |= value(byte) << (18 - 6 * i);
    }
    // Two characters are one byte, three are two.
    out.extend_from_slice(&bits.to_be_bytes()[1..1 + last.len().saturating_sub(1)]);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            write(plain.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
            out.clear();
            assert!(read(text.as_bytes(), &mut out));
            assert_eq!(out, plain.as_bytes());
        }
    }

    #[test]
    fn refuses_what_is_not_base64() {
        for text in
            ["Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zg==Zg==", "Zm9-", "Z=9v", "Zm9v\n"]
        {
            assert!(!read(text.as_bytes(), &mut Vec::new()), "{text}");
        }
    }

    #[test]
    fn every_byte_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..bytes.len() {
            let (mut text, mut back) = (Vec::new(), Vec::new());
            write(&bytes[cut..], &mut text);
            assert!(read(&text, &mut back));
            assert_eq!(back, bytes[cut..]);
        }
    }
}
