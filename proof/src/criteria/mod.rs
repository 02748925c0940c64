//! The criteria: each one function that makes its world, does harm, and says what it measured.

mod bombs;
mod cuts;
mod deadlines;
mod deep;
mod handshakes;
mod lost;
mod mutated;
mod readers;
mod restart;
mod silent;
mod spent;
mod still;

use crate::{Done, verdict::Verdict};
use std::{future::Future, pin::Pin};

/// How a criterion is run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The short form: about so many seconds of load, and crowds to match.
    pub seconds: Option<u64>,
    /// What chance is made of.
    pub seed: u64,
}

impl Run {
    /// So many seconds, unless fewer were asked for.
    pub fn seconds(&self, usual: u64) -> u64 {
        self.seconds.map_or(usual, |seconds| seconds.clamp(1, usual))
    }

    /// So many of something, or in the short form as many fewer as it is shorter than a minute.
    pub fn share(&self, usual: usize) -> usize {
        match self.seconds {
            Some(seconds) if seconds < 60 => (usual * seconds.max(1) as usize).div_ceil(60),
            _ => usual,
        }
    }
}

type Running = Pin<Box<dyn Future<Output = Done<Verdict>>>>;

/// One criterion.
struct Criterion {
    id: &'static str,
    /// What it is about.
    about: &'static str,
    run: fn(Run) -> Running,
}

macro_rules! criteria {
    ($($id:literal $function:path, $about:literal;)*) => {
        /// All there are.
        const CRITERIA: &[Criterion] = &[$(
            Criterion { id: $id, about: $about, run: |run| Box::pin($function(run)) },
        )*];
    };
}

criteria! {
    "R1" restart::rolling, "rolling restarts of three servers lose no call";
    "R2" restart::in_place, "restarts on an inherited socket refuse and reset nobody";
    "R3" restart::leaving, "told to go, it is gone in time, and what it has received is answered";
    "R4" lost::killed, "a killed server costs what it had in flight, and no more";
    "R5" lost::unreachable, "a server that swallows everything is noticed and left";
    "R6" deadlines::hops, "deadlines hold over three hops";
    "R7" cuts::everywhere, "connections cut at every byte run nothing twice";
    "S1" bombs::lengths, "claimed lengths take no memory";
    "S2" bombs::unfolding, "what unfolds without end is refused within its limit";
    "S3" deep::nesting, "a million levels are an error";
    "S4" mutated::frames, "mutated frames neither panic nor run anything";
    "S6" silent::crowds, "silent and slow connections cost little and are closed";
    "S7" spent::descriptors, "without descriptors it waits, and goes on";
    "readers" readers::deaf, "peers that never read are held to their limit and closed";
    "still" still::clients, "a thousand clients that do not call cost next to nothing";
    "handshakes" handshakes::stalled, "handshakes that stall are closed";
}

/// `accept ID… [--seconds N] [--seed N]`: a line of JSON for each; whether all pass.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "lines are what it is for")]
pub fn accept(args: &[String]) -> Done<bool> {
    let (mut run, mut ids) = (Run { seconds: None, seed: 1 }, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut number = || -> Done<u64> {
            let value = args.next().and_then(|value| value.parse().ok());
            value.ok_or_else(|| format!("{arg} wants a number").into())
        };
        match arg.as_str() {
            "--seconds" => run.seconds = Some(number()?),
            "--seed" => run.seed = number()?,
            "--list" => {
                CRITERIA.iter().for_each(|c| println!("{:<12} {}", c.id, c.about));
                return Ok(true);
            }
            id => ids.push(id.to_owned()),
        }
    }
    let find = |id: &String| CRITERIA.iter().find(|c| c.id.eq_ignore_ascii_case(id));
    if let Some(strange) = ids.iter().find(|id| find(id).is_none()) {
        return Err(format!("there is no criterion {strange}; --list tells which there are").into());
    }
    let chosen: Vec<&Criterion> = match &ids[..] {
        [] => CRITERIA.iter().collect(),
        ids => ids.iter().filter_map(find).collect(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut all = true;
    for criterion in chosen {
        match runtime.block_on((criterion.run)(run)) {
            Ok(verdict) => {
                println!("{}", verdict.line(criterion.id, run.seed));
                all &= verdict.pass();
            }
            Err(error) => {
                // The kit failed: that shows nothing, and is no pass.
                let mut verdict = Verdict::new();
                verdict.note("error", error.to_string());
                println!("{}", verdict.line(criterion.id, run.seed));
                all = false;
            }
        }
    }
    Ok(all)
}

/// Milliseconds of a time.
fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
