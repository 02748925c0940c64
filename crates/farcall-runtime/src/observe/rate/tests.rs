//! Buckets at chosen times, and a table that does not grow.

use super::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SECOND: u64 = 1_000_000_000;

#[test]
fn rates_as_text() {
    for (text, calls, seconds, burst) in
        [("1000/s", 1000, 1, 100), ("60/m", 60, 60, 1), ("5/h", 5, 3600, 1)]
    {
        let rate: Rate = text.parse().expect(text);
        let want = Rate { calls, per: Duration::from_secs(seconds), burst };
        assert_eq!((rate, rate.to_string()), (want, text.to_owned()));
    }
    for text in ["", "1000", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "1/d", "1/s ", "99999999999/s"] {
        let status = text.parse::<Rate>().expect_err(text);
        assert!(status.text().contains("is not a rate"), "{status}");
    }
    assert_eq!(Rate::new(0, Duration::ZERO).burst(0).burst, 1);
}

#[test]
fn a_bucket_empties_and_fills() {
    let bucket = Bucket::new(Rate::per_second(10).burst(3));
    for _ in 0..3 {
        assert_eq!(bucket.take(0), Ok(()));
    }
    // The next one comes a tenth of a second later, and refused calls take nothing.
    for _ in 0..100 {
        assert_eq!(bucket.take(0), Err(Duration::from_millis(100)));
    }
    assert_eq!(bucket.take(SECOND / 10 - 1), Err(Duration::from_nanos(1)));
    assert_eq!(bucket.take(SECOND / 10), Ok(()));
    assert!(bucket.take(SECOND / 10).is_err());
    // However long the pause, it holds no more than it can.
    let taken = (0..100).filter(|_| bucket.take(1_000_000 * SECOND).is_ok()).count();
    assert_eq!(taken, 3);
    // Rates beyond what a clock tells are as good as none; the slowest there is still ends.
    let fast = Bucket::new(Rate::new(u32::MAX, Duration::from_nanos(1)));
    assert!((0..1_000).all(|_| fast.take(0).is_ok()));
    let slow = Bucket::new(Rate::new(1, Duration::MAX));
    assert!(slow.take(5).is_ok() && slow.take(u64::MAX / 8).is_err());
}

#[test]
fn a_rate_is_kept_over_time() {
    let bucket = Bucket::new(Rate::per_second(1_000).burst(10));
    let taken = (0..10_000).filter(|i| bucket.take(i * SECOND / 10_000).is_ok()).count();
    assert!((1_000..=1_010).contains(&taken), "{taken}");
}

#[test]
fn addresses_have_their_own() {
    let peers = Peers::new(Rate::per_second(1), 1 << 16);
    let four = |last| IpAddr::from(Ipv4Addr::new(10, 0, 0, last));
    assert!(peers.take(four(1), 0).is_ok() && peers.take(four(1), 0).is_err());
    assert!(peers.take(four(2), 0).is_ok());
    let mapped = IpAddr::from(Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped());
    assert!(peers.take(mapped, 0).is_err(), "the same address");
    let six = |net, host| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, net, 0, 0, 0, host));
    assert!(peers.take(six(1, 1), 0).is_ok() && peers.take(six(1, 2), 0).is_err());
    assert!(peers.take(six(2, 1), 0).is_ok());
}

#[test]
fn the_table_is_bounded() {
    let peers = Peers::new(Rate::per_second(1), 160);
    let ip = |i: u32| IpAddr::from(Ipv4Addr::from_bits(i));
    let passed = (0..100_000).filter(|i| peers.take(ip(*i), 0).is_ok()).count();
    assert!(peers.len() <= 160, "{}", peers.len());
    // Those without a place share one bucket for each part.
    assert!(passed <= 160 + 16, "{passed}");
    // Who was quiet is forgotten, and makes room.
    let passed = (0..50).filter(|i| peers.take(ip(1 << 20 | i), 10 * SECOND).is_ok()).count();
    assert!(passed >= 40, "{passed}");
    assert!(peers.len() <= 160);
}
