//! What becomes of a call whose attempt failed: the error as it is, or another attempt.

use super::{
    Call, Client, ClientBuilder, Defaults, Oneway,
    call::{Raw, Stage},
    plugin::{ClientCall, Hooks},
    pool::Role,
};
use crate::server::Moments;
use farcall_core::{Code, Origin, Sent, Status};
use std::sync::Arc;
use tokio::time::Instant;

/// What a call does when an attempt has failed.
///
/// Only what is safe is repeated: a call that never left, and one that may have left if its method
/// is idempotent. What the server answered is the result, whatever it is, and so is a deadline that
/// passed: all attempts share one. Retries come out of a budget (`Limits::retry_budget`), so that
/// an outage is not multiplied. Calls that stream are not repeated.
///
/// A call that a leaving server did not run goes to another connection or address in any case: that
/// is no failure, and takes nothing from the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fail {
    /// Fails, with the error as it is.
    #[default]
    Fast,
    /// Tries the same address again.
    Try {
        /// How often at most.
        retries: u32,
    },
    /// Tries another address, or the same where there is no other.
    Over {
        /// How often at most.
        retries: u32,
    },
}

impl Fail {
    fn retries(self) -> u32 {
        match self {
            Fail::Fast => 0,
            Fail::Try { retries } | Fail::Over { retries } => retries,
        }
    }
}

/// The attempts of a call that have failed.
#[derive(Default)]
pub(super) struct Tries {
    retries: u32,
    /// How often a server was leaving.
    moves: u32,
    failed: Vec<Status>,
    /// Who is told of each, and asked for an address.
    pub(super) told: Option<(Arc<Hooks>, Arc<ClientCall>)>,
    /// The addresses that they were made at.
    pub(super) addresses: Vec<usize>,
}

/// As many failed attempts are kept to be told; of more, the first and the last.
const TOLD: usize = 32;

/// A call that meets more servers that are leaving than this has failed.
const MOVES: u32 = 8;

const SPENT: &str = "not tried again, the budget for that is used up (Limits::retry_budget)";

impl<Req> Raw<Req> {
    /// Counts a call that begins and may be repeated, when it is first tried.
    pub(super) fn earn(&self) {
        let first = matches!(self.stage, Stage::Fresh) && self.front.is_none();
        let once = self.tries.as_ref().is_none_or(|tries| tries.retries + tries.moves == 0);
        if let Some(budget) = &self.front().budget
            && first
            && once
        {
            budget.earn();
        }
    }

    /// The handle of the client, not of the connection that the call is on.
    fn front(&self) -> &super::Handle {
        self.front.as_deref().unwrap_or(&self.client.handle)
    }

    /// An attempt failed: the call is made ready for another, or it has failed.
    #[cold]
    pub(super) fn failed(&mut self, mut status: Status) -> Result<(), Status> {
        self.leave();
        status = self.client.link().place(status);
        let fail = self.client.defaults.fail;
        let (made, moves) = self.tries.as_ref().map_or((0, 0), |t| (t.retries, t.moves));
        let moves_on = status.is_leaving() && moves < MOVES;
        if !(moves_on || made < fail.retries()) || !self.repeatable(&status) {
            return Err(self.told(status));
        }
        if !moves_on && !self.front().budget.as_ref().is_some_and(|budget| budget.spend()) {
            return Err(self.told(status.with_hint(SPENT)));
        }
        let mut again = None;
        let tries = self.tries.get_or_insert_default();
        match moves_on {
            true => tries.moves += 1,
            false => tries.retries += 1,
        }
        if let Some((hooks, call)) = &tries.told {
            hooks.tell(Moments::RETRY, |plugin| plugin.on_retry(call, &status));
        }
        tries.note(status);
        if let Some(front) = self.front.take() {
            if let Role::Many(many) = &front.role {
                let index = many.index_of(self.client.link());
                match (fail, index) {
                    (Fail::Try { .. }, Some(index)) if !moves_on => {
                        again = Some(Arc::clone(many.handle(index)))
                    }
                    (_, index) => tries.addresses.extend(index),
                }
            }
            match again {
                Some(node) => {
                    self.client.handle = node;
                    self.front = Some(front);
                }
                None => self.client.handle = front,
            }
        }
        self.take_what_is_left();
        self.stage = Stage::Fresh;
        Ok(())
    }

    fn repeatable(&self, status: &Status) -> bool {
        let safe = match status.sent() {
            Sent::No => true,
            Sent::Maybe => status.origin() == Origin::Local && self.idempotent(),
            Sent::Yes => false,
        };
        let in_time = self.deadline.is_none_or(|at| Instant::now() < at);
        safe && status.code() == Code::Unavailable && in_time
    }

    /// The status of a call that has failed, with all its attempts.
    #[cold]
    pub(super) fn told(&mut self, status: Status) -> Status {
        match self.tries.take() {
            None => status.with_attempts(1),
            Some(mut tries) => {
                let status = tries.settle(status);
                status.with_attempts(tries.retries + tries.moves + 1).with_earlier(tries.failed)
            }
        }
    }
}

impl Tries {
    fn note(&mut self, status: Status) {
        // Where no address could be reached, each has its own reason.
        match status.earlier() {
            [] => self.push(status),
            several => several.iter().for_each(|one| self.push(one.clone())),
        }
    }

    fn push(&mut self, status: Status) {
        if self.failed.len() == TOLD {
            self.failed.remove(TOLD / 2);
        }
        self.failed.push(status);
    }

    /// What the last attempt has to tell of others goes before it.
    fn settle(&mut self, status: Status) -> Status {
        status.earlier().iter().for_each(|one| self.push(one.clone()));
        status.with_earlier(Vec::new())
    }
}

impl Defaults {
    fn set_fail(&mut self, fail: Fail) {
        self.fail = fail;
        self.minds = self.hooked || fail != Fail::Fast;
    }
}

impl Client {
    /// What calls do when an attempt has failed. Default: [`Fail::Fast`].
    #[must_use]
    pub fn fail(mut self, fail: Fail) -> Client {
        self.defaults.set_fail(fail);
        self
    }

    /// Says of all calls of this clone that they may be repeated; see [`Call::idempotent`].
    #[must_use]
    pub fn idempotent(mut self) -> Client {
        self.defaults.idempotent = true;
        self
    }
}

impl<C> ClientBuilder<C> {
    /// What calls do when an attempt has failed. Default: [`Fail::Fast`].
    pub fn fail(mut self, fail: Fail) -> Self {
        self.fail = fail;
        self
    }
}

impl<Req, Resp> Call<Req, Resp> {
    /// What the call does when an attempt has failed. Default: the client's.
    pub fn fail(mut self, fail: Fail) -> Self {
        self.raw.client.defaults.set_fail(fail);
        self
    }

    /// Running the call twice does what running it once does: it may be repeated even if it may
    /// have left. Typed methods say so themselves (`#[method(idempotent)]`).
    pub fn idempotent(mut self) -> Self {
        self.raw.client.defaults.idempotent = true;
        self
    }
}

impl<Req> Oneway<Req> {
    /// What the call does when it could not be sent. Default: the client's.
    pub fn fail(mut self, fail: Fail) -> Self {
        self.0.client.defaults.set_fail(fail);
        self
    }
}
