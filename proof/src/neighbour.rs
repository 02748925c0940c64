//! The good neighbour: one client that makes a small call each millisecond, on a thread of its own,
//! while others do what they do.

use crate::{Done, service::ProofClient};
use farcall::Limits;
use farcall_it::services::Args;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What its calls took.
#[derive(Clone, Debug, Default)]
pub struct Times {
    sorted: Vec<Duration>,
    /// Calls that failed.
    pub failed: u64,
}

impl Times {
    /// The time that so many of a thousand calls did not take longer than, in milliseconds.
    pub fn permille(&self, of: usize) -> f64 {
        let at = (self.sorted.len() * of / 1000).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.sorted.len()
    }
}

/// Runs something while the neighbour calls `url`.
pub async fn beside<T>(url: &str, work: impl Future<Output = Done<T>>) -> Done<(T, Times)> {
    let over = Arc::new(AtomicBool::new(false));
    let (url, stop) = (url.to_owned(), Arc::clone(&over));
    let calling = thread::spawn(move || call(&url, &stop));
    let done = work.await;
    over.store(true, Ordering::Relaxed);
    let times = tokio::task::spawn_blocking(|| calling.join()).await?;
    Ok((done?, times.map_err(|_| "the neighbour panicked")??))
}

fn call(url: &str, over: &AtomicBool) -> Done<Times> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let limits = Limits { call_time: Some(Duration::from_secs(30)), ..Limits::default() };
        let builder = farcall::ClientBuilder::<ProofClient>::new(url).limits(limits);
        let client = builder.build().await?;
        let mut times = Times::default();
        while !over.load(Ordering::Relaxed) {
            let since = Instant::now();
            match client.mul(Args { a: 6, b: 7 }).await {
                Ok(reply) if reply.c == 42 => times.sorted.push(since.elapsed()),
                _ => times.failed += 1,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.sorted.sort_unstable();
        Ok(times)
    })
}
