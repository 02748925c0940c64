//! A timer that costs nothing while it waits.
//!
//! A task's turn would otherwise register its waker with the timer every time; here that happens once
//! per setting, and a turn only looks at a flag.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::time::{Instant, Sleep, sleep_until};

/// At most one moment to be woken at.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    set: bool,
    waker: Option<Waker>,
}

impl Alarm {
    /// When it rings, if it is set.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.sleep.as_ref().filter(|_| self.set).map(|sleep| sleep.deadline())
    }

    /// Rings at this moment, and at no other.
    pub(crate) fn set(&mut self, at: Instant) {
        if self.at() == Some(at) {
            return;
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
        self.set = true;
        self.waker = None;
    }

    /// Ready once when it rings; then it is not set any more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = self.sleep.as_mut().filter(|_| self.set) else { return Poll::Pending };
        if !self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        } else if !sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.set = false;
        Poll::Ready(())
    }
}
