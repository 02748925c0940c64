//! Points in time as RFC 3339 text, the way Go's `time.Time` goes to JSON.

use farcall_core::Timestamp;

/// Appends `2023-11-14T22:13:20.5Z`, with as many digits of the second as it has. False where the
/// year does not fit four digits ("year outside of range [0,9999]", Go's `Time.MarshalJSON`).
pub(super) fn write(time: Timestamp, out: &mut Vec<u8>) -> bool {
    let (year, month, day, second) = time.civil();
    let Ok(year @ 0..=9999) = u32::try_from(year) else { return false };
    if time.nanos > 999_999_999 {
        return false;
    }
    let mut digits = |before: Option<u8>, width: u32, value: u32| {
        out.extend(before);
        out.extend((0..width).rev().map(|place| b'0' + (value / 10_u32.pow(place) % 10) as u8));
    };
    digits(None, 4, year);
    digits(Some(b'-'), 2, month);
    digits(Some(b'-'), 2, day);
    digits(Some(b'T'), 2, second / 3600);
    digits(Some(b':'), 2, second / 60 % 60);
    digits(Some(b':'), 2, second % 60);
    if time.nanos != 0 {
        digits(Some(b'.'), 9, time.nanos);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    out.push(b'Z');
    true
}

/// Reads RFC 3339 text with any offset; digits of the second after the ninth are dropped, as Go
/// does.
pub(super) fn read(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(19)?;
    let separators = [date[4], date[7], date[10], date[13], date[16]];
    if separators != *b"--T::" {
        return None;
    }
    let (year, month, day) = (number(&date[..4])?, number(&date[5..7])?, number(&date[8..10])?);
    let (hour, minute, second) =
        (number(&date[11..13])?, number(&date[14..16])?, number(&date[17..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut nanos = 0;
    let mut zone = rest;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let len = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if len == 0 {
            return None;
        }
        nanos = number(&fraction[..len.min(9)])? * 10_u32.pow(9 - len.min(9) as u32);
        zone = &fraction[len..];
    }
    let offset = match *zone {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours * 3600 + minutes * 60);
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let second_of_day = i64::from(hour * 3600 + minute * 60 + second) - offset;
    let whole = Timestamp::from_civil(year.into(), month, day, second_of_day)?;
    Some(Timestamp { nanos, ..whole })
}

/// At most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_700_000_000, 500_000_000, "2023-11-14T22:13:20.5Z"),
            (1_700_000_000, 5, "2023-11-14T22:13:20.000000005Z"),
            (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
            (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
        ] {
            let time = Timestamp { seconds, nanos };
            let mut out = Vec::new();
            assert!(write(time, &mut out));
            assert_eq!(String::from_utf8_lossy(&out), text);
            assert_eq!(read(text.as_bytes()), Some(time));
        }
        assert!(!write(Timestamp { seconds: 253_402_300_800, nanos: 0 }, &mut Vec::new()));
    }

    #[test]
    fn offsets() {
        let time = Some(Timestamp { seconds: 1_700_000_000, nanos: 0 });
        assert_eq!(read(b"2023-11-15T06:13:20+08:00"), time);
        assert_eq!(read(b"2023-11-14T16:43:20-05:30"), time);
        assert_eq!(read(b"2023-11-14T22:13:20.0000000001Z"), time);
        for wrong in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20Z",
            "2023-11-14T24:13:20Z",
            "2023-02-29T22:13:20Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20+0800",
            "+023-11-14T22:13:20Z",
            "2023-11-14T22:13:20Zz",
        ] {
            assert_eq!(read(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
