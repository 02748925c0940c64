//! A bucket for each address, in a table that never grows beyond its bound. A full bucket is what a
//! new one is, so forgetting those loses nothing.

use super::{Rate, bucket::Step};
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Parts of the table, each with a lock of its own.
const PARTS: usize = 16;

/// The least time between two walks through a part: else whoever keeps it full would make each call
/// walk through all of it.
const PAUSE: u64 = 100_000_000;

pub(super) struct Peers {
    step: Step,
    /// Of each part.
    most: usize,
    hasher: RandomState,
    parts: [Mutex<Part>; PARTS],
}

#[derive(Default)]
struct Part {
    /// When each bucket is full.
    full_at: HashMap<u128, u64>,
    /// The bucket of all that find no place.
    others: u64,
    /// When to walk through it again.
    walk_at: u64,
}

/// An address, or the network that its owner has all of.
fn key(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits() >> 64 << 64,
    }
}

impl Peers {
    pub(super) fn new(rate: Rate, most: usize) -> Peers {
        let (step, hasher) = (Step::new(rate), RandomState::new());
        let parts = std::array::from_fn(|_| Mutex::default());
        Peers { step, most: most.div_ceil(PARTS).max(1), hasher, parts }
    }

    /// Takes one call of this address, at this time in nanoseconds, or says how long to wait.
    pub(super) fn take(&self, ip: IpAddr, now: u64) -> Result<(), Duration> {
        let key = key(ip);
        let part = &self.parts[self.hasher.hash_one(key) as usize % PARTS];
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = part.full_at.get_mut(&key) {
            *full_at = self.step.after(*full_at, now)?;
            return Ok(());
        }
        if part.full_at.len() >= self.most && now >= part.walk_at {
            part.full_at.retain(|_, full_at| *full_at > now);
            part.walk_at = now.saturating_add(PAUSE);
        }
        if part.full_at.len() >= self.most {
            part.others = self.step.after(part.others, now)?;
            return Ok(());
        }
        let full_at = self.step.after(0, now)?;
        part.full_at.insert(key, full_at);
        Ok(())
    }

    /// How many addresses are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().expect("no panic").full_at.len()).sum()
    }
}
