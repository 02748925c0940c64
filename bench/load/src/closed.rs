//! The closed loop: every caller does one call after the other, and all begin together once warm.

use crate::{Fallible, Flags, Meter, Report};
use std::{future::Future, sync::Arc, time::Instant};
use tokio::{
    runtime::{Builder, Handle},
    sync::Barrier,
};

/// One caller's next call.
pub trait Caller: Send + 'static {
    /// Calls, and checks the reply.
    fn call(&mut self) -> impl Future<Output = Fallible<()>> + Send;
}

/// Runs every caller in a task of its own. The measured calls are shared out evenly; a tenth of
/// them comes before, unmeasured, unless the flags say `plain`.
pub async fn closed_loop<C: Caller>(flags: &Flags, callers: Vec<C>) -> Fallible<Report> {
    let gate = Arc::new(Gate {
        warm: Barrier::new(callers.len() + 1),
        start: Barrier::new(callers.len() + 1),
        plain: flags.plain,
    });
    let (each, rest) = (flags.calls / callers.len(), flags.calls % callers.len());
    let cores = match flags.per_core {
        true => (0..flags.cores()).map(|_| core(flags.before_park)).collect::<Fallible<_>>()?,
        false => vec![Handle::current()],
    };
    let tasks: Vec<_> = callers
        .into_iter()
        .enumerate()
        .map(|(i, caller)| {
            let calls = each + usize::from(i < rest);
            // Who shares a connection shares a core.
            cores[i % flags.conns % cores.len()].spawn(run(caller, calls, Arc::clone(&gate)))
        })
        .collect();

    gate.warm.wait().await;
    let meter = Meter::start(flags.pid)?;
    gate.start.wait().await;
    let mut latencies = Vec::with_capacity(flags.calls);
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await?);
    }
    // The clocks stop before latencies are gathered: sorting is not part of a call.
    let mut report = meter.stop(flags.calls, Vec::new())?;
    for result in results {
        latencies.extend(result?);
    }
    report.latencies(latencies);
    Ok(report)
}

/// A runtime on a thread of its own, for as long as the program runs.
fn core(before_park: fn()) -> Fallible<Handle> {
    let runtime = Builder::new_current_thread().enable_all().on_thread_park(before_park).build()?;
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(handle)
}

/// Where callers wait for each other: before the clocks are read, and until they have been.
struct Gate {
    warm: Barrier,
    start: Barrier,
    plain: bool,
}

async fn run<C: Caller>(mut caller: C, calls: usize, gate: Arc<Gate>) -> Fallible<Vec<u32>> {
    let warmed = match gate.plain {
        true => Ok(()),
        false => warm(&mut caller, calls).await,
    };
    // A caller that failed still passes the gate, or nobody would.
    gate.warm.wait().await;
    gate.start.wait().await;
    warmed?;
    if gate.plain {
        for _ in 0..calls {
            caller.call().await?;
        }
        return Ok(Vec::new());
    }
    let mut latencies = Vec::with_capacity(calls);
    let mut before = Instant::now();
    for _ in 0..calls {
        caller.call().await?;
        let now = Instant::now();
        latencies.push(u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX));
        before = now;
    }
    Ok(latencies)
}

async fn warm<C: Caller>(caller: &mut C, calls: usize) -> Fallible<()> {
    for _ in 0..(calls / 10).max(1) {
        caller.call().await?;
    }
    Ok(())
}
