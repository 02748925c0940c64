//! Numbers as text: integers quickly, floats in Go's layout, and the grammar of RFC 8259 §6.

use std::io::Write as _;

/// Appends a whole number.
#[inline]
pub(crate) fn write_uint(v: u64, out: &mut Vec<u8>) {
    if v < 10 {
        out.push(b'0' + v as u8);
    } else if v < 100_000_000 {
        eight_digits(v as u32, out);
    } else {
        write_long(v, out);
    }
}

/// Two to eight digits, made side by side in one word whose lowest byte is the first digit.
#[inline]
fn eight_digits(v: u32, out: &mut Vec<u8>) {
    let word = digits_of(v);
    // Leading zeros are the lowest zero bytes.
    let zeros = word.trailing_zeros() / 8;
    let text = (word | 0x3030_3030_3030_3030) >> (8 * zeros);
    let end = out.len() + 8 - zeros as usize;
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(end);
}

/// The eight decimal digits of `v`, one per byte: halves, quarters and eighths are split in
/// parallel, each division a multiplication by the reciprocal.
#[inline]
fn digits_of(v: u32) -> u64 {
    let (high, low) = (u64::from(v / 10_000), u64::from(v % 10_000));
    let fours = high | low << 32;
    let hundreds = (fours * 10_486) >> 20 & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = (twos * 103) >> 10 & 0x000f_000f_000f_000f;
    tens | (twos - 10 * tens) << 8
}

/// Nine digits and more.
#[inline(never)]
fn write_long(v: u64, out: &mut Vec<u8>) {
    write_uint(v / 100_000_000, out);
    let word = digits_of((v % 100_000_000) as u32) | 0x3030_3030_3030_3030;
    out.extend_from_slice(&word.to_le_bytes());
}

/// Appends a signed whole number.
#[inline]
pub(super) fn write_int(v: i64, out: &mut Vec<u8>) {
    if v < 0 {
        out.push(b'-');
    }
    write_uint(v.unsigned_abs(), out);
}

/// Appends a finite `f64` as Go does: "Convert as if by ES6 number to string conversion … %e is
/// used if the exponent from the conversion is less than -6 or greater than or equal to 21"
/// (`encoding/json`, `floatEncoder`).
pub(super) fn write_f64(v: f64, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    if v != 0.0 && !(1e-6..1e21).contains(&v.abs()) {
        let start = out.len();
        let _ = write!(out, "{v:e}");
        sign_exponent(start, out);
    } else {
        let _ = write!(out, "{v}");
    }
}

/// Appends a finite `f32` with the digits that tell it from other `f32`s.
pub(super) fn write_f32(v: f32, out: &mut Vec<u8>) {
    if v != 0.0 && !(1e-6..1e21).contains(&v.abs()) {
        let start = out.len();
        let _ = write!(out, "{v:e}");
        sign_exponent(start, out);
    } else {
        let _ = write!(out, "{v}");
    }
}

/// `1e21` to `1e+21`. Small exponents have no leading zero, which is what Go cleans up to.
fn sign_exponent(start: usize, out: &mut Vec<u8>) {
    if let Some(e) = out[start..].iter().position(|b| *b == b'e')
        && out.get(start + e + 1).is_some_and(u8::is_ascii_digit)
    {
        out.insert(start + e + 1, b'+');
    }
}

/// Where the number that starts at `at` ends, and whether it is whole; `None` if none starts there.
pub(super) fn scan(text: &[u8], at: usize) -> Option<(usize, bool)> {
    let digits = |mut at: usize| {
        let start = at;
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > start).then_some(at)
    };
    let start = at + usize::from(text.get(at) == Some(&b'-'));
    let mut end = digits(start)?;
    if text[start] == b'0' && end > start + 1 {
        return None;
    }
    let mut whole = true;
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
        whole = false;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
        whole = false;
    }
    Some((end, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let mut out = Vec::new();
        let edges = (0..20).flat_map(|n| {
            let power = 10_u64.pow(n);
            [power - 1, power, power + 1, power.saturating_mul(2), power.saturating_mul(9)]
        });
        let spread = (0..200_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 64));
        for v in edges.chain(spread).chain([u64::MAX]) {
            out.clear();
            write_uint(v, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), v.to_string());
        }
        for v in 0..=10_000_u32 {
            out.clear();
            write_uint((v * 9_999).into(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), (v * 9_999).to_string());
        }
        out.clear();
        write_int(i64::MIN, &mut out);
        assert_eq!(out, i64::MIN.to_string().as_bytes());
    }

    /// As printed by Go 1.26: `json.Marshal` of each.
    #[test]
    fn floats_as_go_prints_them() {
        for (v, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-7"),
            (1e-7, "1e-7"),
            (1.25e-10, "1.25e-10"),
            (5e-324, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            let mut out = Vec::new();
            write_f64(v, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
        for (v, text) in [
            (0.1_f32, "0.1"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (16777216.0, "16777216"),
            (1e-7, "1e-7"),
            (f32::MAX, "3.4028235e+38"),
        ] {
            let mut out = Vec::new();
            write_f32(v, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }

    #[test]
    fn grammar() {
        for (text, whole) in
            [("0", true), ("-12", true), ("1.5", false), ("1e3", false), ("-0.1E-2", false)]
        {
            assert_eq!(scan(text.as_bytes(), 0), Some((text.len(), whole)), "{text}");
        }
        for text in ["", "-", "01", "-01", "1.", "1.e3", "1e", "1e+", ".5", "+1"] {
            assert_eq!(scan(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(scan(b"[12,", 1), Some((3, true)));
    }
}
