//! Boxes of handlers that are done, for the next call of the same method: a call that finishes
//! where it began allocates nothing.

use std::{
    array,
    cell::Cell,
    pin::Pin,
    sync::{
        Mutex, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Empty boxes of one method. Each thread has a place, shared with few others or none; who finds it
/// taken goes without.
pub(super) struct Spares<T>([Place<T>; PLACES]);

/// As long as a line of the cache, so that threads do not fight for one.
#[repr(align(64))]
struct Place<T>(Mutex<Option<Pin<Box<T>>>>);

impl<T> Default for Spares<T> {
    fn default() -> Spares<T> {
        Spares(array::from_fn(|_| Place(Mutex::new(None))))
    }
}

impl<T> Spares<T> {
    /// A box, if there is one.
    #[inline]
    pub(super) fn take(&self) -> Option<Pin<Box<T>>> {
        match self.here().try_lock() {
            Ok(mut place) => place.take(),
            Err(TryLockError::Poisoned(place)) => place.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Keeps a box. One that finds no room is freed.
    #[inline]
    pub(super) fn give(&self, spare: Pin<Box<T>>) {
        // What it replaces is freed after the lock is.
        let _freed = match self.here().try_lock() {
            Ok(mut place) => place.replace(spare),
            Err(_) => Some(spare),
        };
    }

    #[inline]
    fn here(&self) -> &Mutex<Option<Pin<Box<T>>>> {
        &self.0[THREAD.with(Cell::get) % PLACES].0
    }
}

const PLACES: usize = 8;

thread_local! {
    /// Threads count off.
    static THREAD: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn one_box_is_kept_and_the_others_are_freed() {
        let (spares, count) = (Spares::default(), Arc::new(()));
        assert!(spares.take().is_none());
        spares.give(Box::pin(Arc::clone(&count)));
        spares.give(Box::pin(Arc::clone(&count)));
        assert_eq!(Arc::strong_count(&count), 2);
        assert!(spares.take().is_some() && spares.take().is_none());
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
