//! The line of callers that wait for room or for a connection.
//!
//! Room is not handed over: whoever is called comes and looks. So that no call is lost, every
//! caller has a place: one that leaves the line, or was called and leaves without taking the room,
//! is known to have left, and the next one is called. A caller that was called and found no room
//! gets its old place back.

use std::{collections::BTreeMap, task::Waker};

/// A place in the line; the lower, the earlier.
pub(crate) type Place = u64;

/// Callers in the order in which they came.
#[derive(Default)]
pub(crate) struct Queue {
    line: BTreeMap<Place, Waker>,
    next: Place,
    /// Callers that were called and have not come yet.
    called: usize,
}

impl Queue {
    /// Whether somebody waits to be called.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        !self.line.is_empty()
    }

    /// Whether nobody comes before a caller that arrives now.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty() && self.called == 0
    }

    /// Lines up, at a place that was held before or at the end.
    pub(crate) fn enter(&mut self, place: Option<Place>, waker: &Waker) -> Place {
        let place = place.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.line.insert(place, waker.clone());
        place
    }

    /// The caller at this place comes, or gives up. Its waker, if it was not called, for the caller
    /// to drop outside of the lock.
    pub(crate) fn leave(&mut self, place: Place) -> Option<Waker> {
        let waker = self.line.remove(&place);
        if waker.is_none() {
            self.called = self.called.saturating_sub(1);
        }
        waker
    }

    /// Calls the first: wake it, outside of the lock.
    pub(crate) fn call(&mut self) -> Option<Waker> {
        let (_, waker) = self.line.pop_first()?;
        self.called += 1;
        Some(waker)
    }

    /// Calls everybody.
    pub(crate) fn call_all(&mut self, wakers: &mut Vec<Waker>) {
        self.called += self.line.len();
        wakers.extend(std::mem::take(&mut self.line).into_values());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_and_nobody_is_lost() {
        let mut queue = Queue::default();
        let places: Vec<_> = (0..3).map(|_| queue.enter(None, Waker::noop())).collect();
        assert!(queue.call().is_some() && queue.waits());
        assert!(queue.leave(places[0]).is_none(), "it was called");
        assert_eq!(queue.enter(Some(places[0]), Waker::noop()), places[0], "found no room");
        assert!(queue.leave(places[1]).is_some(), "gave up");
        assert!(queue.call().is_some());
        assert_eq!(queue.line.keys().collect::<Vec<_>>(), [&places[2]], "the first came first");
        let mut wakers = Vec::new();
        queue.call_all(&mut wakers);
        assert_eq!((wakers.len(), queue.waits(), queue.is_empty()), (1, false, false));
        assert!(queue.leave(places[0]).is_none() && queue.leave(places[2]).is_none());
        assert!(queue.is_empty(), "who gives up leaves nothing behind");
    }
}
