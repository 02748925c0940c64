//! Classes of characters and how they are found: every byte of a head is asked for its class, so
//! the answer is a look into a table.

const TOKEN: u8 = 1;
const URI: u8 = 2;
const HOST: u8 = 4;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            classes[byte as usize] = TOKEN | URI | HOST;
        }
        byte += 1;
    }
    let classes = with(classes, b"!#$%&'*+-.^_`|~", TOKEN);
    let classes = with(classes, b"-._~!$&'()*+,;=:@/?%[]", URI);
    with(classes, b"-._~%", HOST)
};

const fn with(mut classes: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut at = 0;
    while at < bytes.len() {
        classes[bytes[at] as usize] |= class;
        at += 1;
    }
    classes
}

/// A character of a token (RFC 9110 §5.6.2).
#[inline]
pub(super) fn is_token(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TOKEN != 0
}

/// A character of a URI's path or query (RFC 3986 §3.3, §3.4), or `%`, or a bracket.
#[inline]
pub(super) fn is_in_uri(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & URI != 0
}

/// A character of a host's name. Fewer than RFC 3986 §3.2.2 allows: none that means something to a
/// shell or to a list.
#[inline]
pub(super) fn is_in_host(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & HOST != 0
}

/// A character that no value of a field may hold (RFC 9110 §5.5).
#[inline]
pub(super) fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t' || byte == 0x7f
}

/// Whether one of them is there: eight are looked at at once, and mostly there is none.
#[inline]
pub(super) fn has_control(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let may_have = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        // Below a space: what borrows and was no high byte. Tabs are among them.
        let low = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        low | zeros(word ^ (ONES * 0x7f)) != 0
    };
    words.iter().any(|word| may_have(word) && word.iter().any(|byte| is_control(*byte)))
        || rest.iter().any(|byte| is_control(*byte))
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// The high bit of the lowest byte that is zero, and perhaps of others above it; none if none is.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Turns letters of ASCII text to lower case where they stand, eight at once.
#[inline]
pub(super) fn lower(text: &mut [u8]) {
    let (words, rest) = text.as_chunks_mut::<8>();
    for bytes in words {
        let word = u64::from_le_bytes(*bytes);
        // The high bit of a byte: it is `A` or above, and not above `Z`. Text has none of its own.
        let plain = word & !HIGH;
        let upper = (plain + ONES * (0x80 - 0x41)) & !(plain + ONES * (0x80 - 0x5b)) & !word & HIGH;
        *bytes = (word | upper >> 2).to_le_bytes();
    }
    rest.make_ascii_lowercase();
}

/// Where a byte stands first, looked for in eight at once.
#[inline]
pub(super) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = zeros(u64::from_le_bytes(*word) ^ (ONES * u64::from(byte)));
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|b| *b == byte)?;
    Some(words.len() * 8 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_where_they_stand() {
        let mut dice = 7_u32;
        for length in 0..40 {
            for _ in 0..200 {
                let mut bytes = vec![0; length];
                for byte in &mut bytes {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *byte = [0x7f, 1, b'\n', b' ', 0x80, 0x8a, 0xff, 9][(dice >> 29) as usize];
                    *byte |= 0x20 * u8::from(dice & 0x700_0000 > 0 && length % 3 > 0);
                }
                for byte in [0, 1, b'\n', 0x2a, 0x7f, 0x80, 0x8a, 0xff] {
                    let want = bytes.iter().position(|b| *b == byte);
                    assert_eq!(find(&bytes, byte), want, "{bytes:?}");
                }
                assert_eq!(has_control(&bytes), bytes.iter().any(|b| is_control(*b)));
            }
        }
    }

    #[test]
    fn letters_become_small() {
        let all: Vec<u8> = (0..=255).collect();
        for start in 0..20 {
            let (mut ours, mut want) = (all[start..].to_vec(), all[start..].to_vec());
            lower(&mut ours);
            want.make_ascii_lowercase();
            assert_eq!(ours, want);
        }
    }

    #[test]
    fn classes_are_those_of_the_grammar() {
        for byte in 0..=255_u8 {
            let of = |others: &[u8]| byte.is_ascii_alphanumeric() || others.contains(&byte);
            assert_eq!(is_token(byte), of(b"!#$%&'*+-.^_`|~"), "{byte}");
            assert_eq!(is_in_uri(byte), of(b"-._~!$&'()*+,;=:@/?%[]"), "{byte}");
            assert_eq!(is_in_host(byte), of(b"-._~%"), "{byte}");
        }
    }
}
