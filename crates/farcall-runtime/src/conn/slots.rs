//! Room for the handlers that are away: the bound on calls per connection.

use tokio::task::AbortHandle;

/// The handlers of one connection that are away, by slot.
#[derive(Default)]
pub(crate) struct Slots {
    away: Vec<Away>,
    free: Vec<usize>,
}

/// One that is away, or an empty place.
#[derive(Default)]
struct Away {
    /// How to stop it; none where it is not to be stopped.
    handle: Option<AbortHandle>,
    /// The call's number.
    seq: u64,
    /// Its caller gave it up: no answer is wanted.
    silent: bool,
}

impl Slots {
    /// How many are away.
    pub(crate) fn taken(&self) -> usize {
        self.away.len() - self.free.len()
    }

    /// A slot for a handler that is about to leave.
    pub(crate) fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.away.push(Away::default());
            self.away.len() - 1
        })
    }

    /// Remembers how to stop it, and the number of its call.
    pub(crate) fn fill(&mut self, slot: usize, seq: u64, handle: AbortHandle) {
        self.away[slot] = Away { handle: Some(handle), seq, silent: false };
    }

    /// It came home. Tells whether its answer is wanted.
    pub(crate) fn release(&mut self, slot: usize) -> bool {
        let wanted = !std::mem::take(&mut self.away[slot]).silent;
        self.free.push(slot);
        if self.free.len() == self.away.len() {
            // Nobody is away: give the room back, so that an idle connection holds none.
            *self = Slots::default();
        }
        wanted
    }

    /// Its caller gave it up: it is stopped, and not answered when it comes home. False where no
    /// call of this number is away.
    pub(crate) fn cancel(&mut self, seq: u64) -> bool {
        let found = self.away.iter_mut().find(|away| away.seq == seq && away.handle.is_some());
        let Some(away) = found else { return false };
        away.silent = true;
        if let Some(handle) = away.handle.take() {
            handle.abort();
        }
        true
    }

    /// Stops all that are away: nobody will read their answers.
    pub(crate) fn abort(&mut self) {
        let handles = self.away.iter_mut().filter_map(|away| away.handle.take());
        handles.for_each(|handle| handle.abort());
    }
}
