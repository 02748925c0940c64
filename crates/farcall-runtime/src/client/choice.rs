//! Plugins that say which of a client's addresses a call goes to.

use super::{
    many::Many,
    plugin::{ClientCall, Hooks},
};
use crate::{server::Moments, target::Address};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The addresses of a client, of which one is to be chosen for a call. See
/// [`ClientPlugin::on_select`](super::ClientPlugin::on_select).
pub struct Choice<'a> {
    pub(super) many: &'a Many,
    /// Those that attempts of the call have failed at.
    pub(super) tried: &'a [usize],
}

impl Choice<'_> {
    /// How many there are: as many as the client was given, in their order.
    pub fn count(&self) -> usize {
        self.many.count()
    }

    /// One of them.
    ///
    /// # Panics
    /// Beyond [`count`](Choice::count).
    pub fn address(&self, at: usize) -> &Address {
        &self.many.handle(at).link.target.address
    }

    /// Whether it can be called now: it has an open connection, and is not set aside for its
    /// silence.
    pub fn is_open(&self, at: usize) -> bool {
        self.many.is_open(at)
    }

    /// Whether an attempt of this call has failed there.
    pub fn was_tried(&self, at: usize) -> bool {
        self.tried.contains(&at)
    }
}

impl fmt::Debug for Choice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = (0..self.count()).map(|at| (self.address(at), self.is_open(at)));
        f.debug_list().entries(list).finish()
    }
}

impl Hooks {
    /// What the first plugin says that says anything. One that panics says nothing.
    pub(super) fn select(&self, call: &ClientCall, choice: &Choice<'_>) -> Option<usize> {
        self.plugins(Moments::SELECT).find_map(|plugin| {
            let asked = catch_unwind(AssertUnwindSafe(|| plugin.on_select(call, choice)));
            asked.ok().flatten().filter(|at| *at < choice.count())
        })
    }
}
