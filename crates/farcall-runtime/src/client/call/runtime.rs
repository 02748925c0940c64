//! What a call needs of the runtime it is polled on: a timer, and the task behind its client.

use crate::client::{driver::drive, link::Link};
use farcall_core::Status;
use std::{future::Future, pin::Pin, sync::Arc, task::Context};
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that wakes the caller; at once, if it is late.
#[cold]
pub(in crate::client) fn timer_at(
    at: Instant,
    cx: &mut Context<'_>,
) -> Result<Pin<Box<Sleep>>, Status> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(outside());
    }
    let mut sleep = Box::pin(sleep_until(at));
    if sleep.as_mut().poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
    Ok(sleep)
}

#[cold]
pub(in crate::client) fn outside() -> Status {
    Status::failed_precondition("a call was polled outside a tokio runtime")
}

/// Starts the task behind a client on the runtime of whoever calls.
#[cold]
pub(in crate::client) fn start_driver(link: &Arc<Link>) -> Result<(), Status> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        link.unclaim(None);
        return Err(outside());
    };
    match link.take_connector() {
        Some(connector) => drop(runtime.spawn(drive(Arc::clone(link), connector))),
        // The client is closed, and its driver gone.
        None => link.unclaim(None),
    }
    Ok(())
}
