//! Address rules: who may connect, decided before a byte is read.

use super::plugin::{Moments, Plugin, Verdict};
use crate::net::Peer;
use farcall_core::Status;
use std::net::IpAddr;

/// Lets only these addresses connect: `server.plug(Allow::new(["10.0.0.0/8", "::1"])?)`.
///
/// Ranges are CIDR (RFC 4632, RFC 4291 §2.3); an address alone is a range of one; bits behind the
/// prefix are ignored. IPv4 peers of an IPv6 socket (`::ffff:10.0.0.1`) count as IPv4: `::/0` is
/// all of IPv6 and nothing else. Peers in this process (memory) always pass, and so do those of a
/// Unix socket, for which its folder says who may connect; of a stream that was handed in nobody
/// knows the address, so it does not.
#[derive(Clone, Debug)]
pub struct Allow(Vec<Range>);

/// Lets these addresses not connect: `server.plug(Deny::new(["203.0.113.0/24"])?)`. Ranges as of
/// [`Allow`]; peers without an address pass.
#[derive(Clone, Debug)]
pub struct Deny(Vec<Range>);

impl Allow {
    /// These ranges. An error names the one that is none.
    pub fn new<R: AsRef<str>>(ranges: impl IntoIterator<Item = R>) -> Result<Allow, Status> {
        parse(ranges).map(Allow)
    }
}

impl Deny {
    /// These ranges. An error names the one that is none.
    pub fn new<R: AsRef<str>>(ranges: impl IntoIterator<Item = R>) -> Result<Deny, Status> {
        parse(ranges).map(Deny)
    }
}

impl Plugin for Allow {
    fn moments(&self) -> Moments {
        Moments::CONNECT
    }
    fn on_connect(&self, peer: &Peer) -> Verdict {
        let allowed = match peer {
            Peer::Memory | Peer::Unix { .. } => true,
            peer => peer.ip().is_some_and(|ip| self.0.iter().any(|range| range.holds(ip))),
        };
        if allowed { Verdict::Go } else { refuse() }
    }
}

impl Plugin for Deny {
    fn moments(&self) -> Moments {
        Moments::CONNECT
    }
    fn on_connect(&self, peer: &Peer) -> Verdict {
        let denied = peer.ip().is_some_and(|ip| self.0.iter().any(|range| range.holds(ip)));
        if denied { refuse() } else { Verdict::Go }
    }
}

#[cold]
fn refuse() -> Verdict {
    Verdict::Stop(Status::permission_denied("the address may not connect"))
}

/// A range of addresses: a prefix of so many bits. IPv4 is the range of IPv6 that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    bits: u128,
    prefix: u32,
    four: bool,
}

/// Address and whether it is IPv4, mapped or not.
fn bits(ip: IpAddr) -> (u128, bool) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped().to_bits(), true),
        IpAddr::V6(ip) => (ip.to_bits(), false),
    }
}

impl Range {
    fn parse(text: &str) -> Result<Range, &'static str> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let ip: IpAddr = address.parse().map_err(|_| "it does not begin with an IP address")?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| "its prefix is not a number of bits")?
            }
            Some(_) => return Err("its prefix is not a number of bits"),
        };
        if prefix > most {
            return Err("its prefix is longer than the address");
        }
        // A range of mapped addresses is one of IPv4; a wider one has other addresses too.
        let wide = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()) && prefix < 96;
        let (bits, four) = match ip {
            IpAddr::V6(ip) if wide => (ip.to_bits(), false),
            ip => bits(ip),
        };
        let prefix = if ip.is_ipv4() { prefix + 96 } else { prefix };
        Ok(Range { bits: bits & mask(prefix), prefix, four })
    }

    fn holds(&self, ip: IpAddr) -> bool {
        let (bits, four) = bits(ip);
        four == self.four && bits & mask(self.prefix) == self.bits
    }
}

/// The first bits.
fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(u128::BITS - prefix).unwrap_or(0)
}

fn parse<R: AsRef<str>>(ranges: impl IntoIterator<Item = R>) -> Result<Vec<Range>, Status> {
    let parse = |text: R| {
        let text = text.as_ref();
        Range::parse(text).map_err(|why| {
            Status::invalid_argument(format!("`{text}` is not a range of addresses: {why}"))
                .with_hint("write ranges as 10.0.0.0/8, 192.0.2.1 or 2001:db8::/32")
        })
    };
    ranges.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(range: &str, ip: &str) -> bool {
        Range::parse(range).expect(range).holds(ip.parse().expect(ip))
    }

    #[test]
    fn ranges() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
            ("10.0.0.0/8", "::ffff:10.1.0.2", "::ffff:11.1.0.2"),
            ("::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.0"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.0"),
            ("192.0.2.128/25", "192.0.2.129", "192.0.2.127"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("::/0", "::1", "::ffff:1.2.3.4"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "127.0.0.1"),
            ("fe80::/10", "febf::1", "fec0::1"),
        ] {
            assert!(holds(range, inside) && !holds(range, outside), "{range}");
        }
        for (text, why) in [
            ("", "IP address"),
            ("10.0.0", "IP address"),
            ("localhost", "IP address"),
            ("10.0.0.0/33", "longer"),
            ("::/129", "longer"),
            ("10.0.0.0/", "number of bits"),
            ("10.0.0.0/+8", "number of bits"),
            ("10.0.0.0/99999999999", "number of bits"),
            ("10.0.0.0/8/8", "number of bits"),
        ] {
            let status = Allow::new([text]).expect_err(text);
            assert!(status.text().contains(why), "{status}");
        }
    }

    #[test]
    fn peers_without_an_address() {
        let (allow, deny) = (Allow::new(["10.0.0.0/8"]), Deny::new(["0.0.0.0/0", "::/0"]));
        let (allow, deny) = (allow.expect("a range"), deny.expect("ranges"));
        assert!(matches!(allow.on_connect(&Peer::Memory), Verdict::Go));
        assert!(matches!(allow.on_connect(&Peer::Unknown), Verdict::Stop(_)));
        assert!(matches!(deny.on_connect(&Peer::Memory), Verdict::Go));
        assert!(matches!(deny.on_connect(&Peer::Unknown), Verdict::Go));
        let peer = Peer::Tcp("10.0.0.1:9".parse().expect("an address"));
        assert!(matches!(allow.on_connect(&peer), Verdict::Go));
        assert!(matches!(deny.on_connect(&peer), Verdict::Stop(_)));
    }
}
