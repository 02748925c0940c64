//! Room for the handlers that are away: the bound on calls per connection.

use tokio::task::AbortHandle;

/// The handlers of one connection that are away, by slot.
#[derive(Default)]
pub(crate) struct Slots {
    away: Vec<Option<AbortHandle>>,
    free: Vec<usize>,
}

impl Slots {
    /// How many are away.
    pub(crate) fn taken(&self) -> usize {
        self.away.len() - self.free.len()
    }

    /// A slot for a handler that is about to leave.
    pub(crate) fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.away.push(None);
            self.away.len() - 1
        })
    }

    /// Remembers how to stop it.
    pub(crate) fn fill(&mut self, slot: usize, handle: AbortHandle) {
        self.away[slot] = Some(handle);
    }

    /// It came home.
    pub(crate) fn release(&mut self, slot: usize) {
        self.away[slot] = None;
        self.free.push(slot);
        if self.free.len() == self.away.len() {
            // Nobody is away: give the room back, so that an idle connection holds none.
            *self = Slots::default();
        }
    }

    /// Stops all that are away: nobody will read their answers.
    pub(crate) fn abort(&mut self) {
        self.away.iter_mut().filter_map(Option::take).for_each(|handle| handle.abort());
    }
}
