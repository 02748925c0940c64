//! A point in time as wires carry it. Nothing here reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds and nanoseconds since 1970-01-01 00:00:00 UTC; years 0001 to 9999 travel in every format
/// (`google.protobuf.Timestamp`, Go's `time.Time`). `SystemTime` converts both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds past the second, below 1,000,000,000.
    pub nanos: u32,
}

impl Timestamp {
    /// Go's zero `time.Time`: 0001-01-01 00:00:00 UTC.
    pub const GO_ZERO: Timestamp = Timestamp { seconds: -62_135_596_800, nanos: 0 };

    /// Year, month (1–12), day (1–31) and second of the day, in the proleptic Gregorian calendar.
    pub fn civil(self) -> (i64, u32, u32, u32) {
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: eras of
        // 400 years that begin on the first of March, so that the leap day is the last day of a
        // year.
        let days = self.seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month + 2) / 5 + 1) as u32;
        let month = if month < 10 { month + 3 } else { month - 9 } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day, self.seconds.rem_euclid(86_400) as u32)
    }

    /// The time of a calendar date; `None` where month or day is out of range.
    pub fn from_civil(year: i64, month: u32, day: u32, second_of_day: i64) -> Option<Timestamp> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if day == 0 || day > length || !(-20_000..=20_000).contains(&year) {
            return None;
        }
        let year = year - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted = i64::from(if month > 2 { month - 3 } else { month + 9 });
        let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Some(Timestamp { seconds: days * 86_400 + second_of_day, nanos: 0 })
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp { seconds: after.as_secs() as i64, nanos: after.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                let (seconds, nanos) = (before.as_secs() as i64, before.subsec_nanos());
                match nanos {
                    0 => Timestamp { seconds: -seconds, nanos: 0 },
                    n => Timestamp { seconds: -seconds - 1, nanos: 1_000_000_000 - n },
                }
            }
        }
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = ();
    fn try_from(time: Timestamp) -> Result<SystemTime, ()> {
        let whole = Duration::from_secs(time.seconds.unsigned_abs());
        let start = match time.seconds {
            0.. => UNIX_EPOCH.checked_add(whole),
            _ => UNIX_EPOCH.checked_sub(whole),
        };
        start.and_then(|t| t.checked_add(Duration::from_nanos(time.nanos.into()))).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_both_ways() {
        for (seconds, civil) in [
            (0, (1970, 1, 1, 0)),
            (1_700_000_000, (2023, 11, 14, 80_000)),
            (951_782_400, (2000, 2, 29, 0)),
            (-62_135_596_800, (1, 1, 1, 0)),
            (253_402_300_799, (9999, 12, 31, 86_399)),
            (-1, (1969, 12, 31, 86_399)),
        ] {
            let time = Timestamp { seconds, nanos: 0 };
            assert_eq!(time.civil(), civil);
            let (y, m, d, s) = civil;
            assert_eq!(Timestamp::from_civil(y, m, d, s.into()), Some(time));
        }
        assert_eq!(Timestamp::from_civil(2023, 2, 29, 0), None);
        assert_eq!(Timestamp::from_civil(2023, 13, 1, 0), None);
    }

    #[test]
    fn system_time_both_ways() {
        for time in [
            Timestamp { seconds: 5, nanos: 7 },
            Timestamp { seconds: -5, nanos: 7 },
            Timestamp { seconds: -5, nanos: 0 },
        ] {
            assert_eq!(SystemTime::try_from(time).map(Timestamp::from), Ok(time));
        }
    }
}
