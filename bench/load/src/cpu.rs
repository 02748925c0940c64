//! CPU time and wall time between two moments, of this process and of the server's.

use crate::{Fallible, Report};
use nix::{
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};
use std::time::{Duration, Instant};

/// Started when all callers are warm, stopped when the last one is done.
#[derive(Debug)]
pub struct Meter {
    server: Option<(ClockId, Duration)>,
    client: Duration,
    begin: Instant,
}

impl Meter {
    /// Reads the clocks. A process's CPU clock counts all its threads, those that have ended
    /// included, and is exact; the counters of `/proc/PID/stat` move in steps of 10 ms.
    pub fn start(server: Option<i32>) -> Fallible<Meter> {
        let server = match server {
            None => None,
            Some(pid) => {
                let clock = clock_getcpuclockid(Pid::from_raw(pid))?;
                Some((clock, clock.now()?.into()))
            }
        };
        Ok(Meter { server, client: own()?, begin: Instant::now() })
    }

    /// Reads the clocks again. Latencies are in nanoseconds, in any order.
    pub fn stop(self, calls: usize, latencies: Vec<u32>) -> Fallible<Report> {
        let wall = self.begin.elapsed();
        let client = own()? - self.client;
        let server = match self.server {
            None => None,
            Some((clock, before)) => Some(Duration::from(clock.now()?) - before),
        };
        Ok(Report::new(calls, wall, client, server, latencies))
    }
}

fn own() -> Fallible<Duration> {
    Ok(ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?.into())
}
