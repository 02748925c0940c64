//! Several connections behind one client.
//!
//! Where answers come in the order of the calls (HTTP/1.1), a connection is lent to one call at a
//! time: the one that was used last if one is idle, a new one while there are fewer than
//! `Limits::connections_per_client`, and else the call stands in line. A call that gave up leaves
//! its connection useless, and it is closed. Where calls share connections, a client may be told to
//! spread them over several: those take turns.
//!
//! A client of one connection has nothing of all this: its handle owns the one link.

use super::{
    Handle,
    link::{Link, Rest},
    local::Local,
    many::Many,
    over::Connector,
    queue::{Place, Queue},
    state::closed,
};
use crate::clock::after;
use farcall_core::Status;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Waker,
};
use tokio::time::{Instant, sleep_until};

/// What a handle is for.
pub(crate) enum Role {
    /// It owns its link, and closes it at last.
    Alone,
    /// Calls borrow a link of their own.
    Front(Arc<Pool>),
    /// Calls take the next of these.
    Spread(Spread),
    /// Calls take those of the runtime that they are made on.
    Local(Local),
    /// Calls pick one of several addresses.
    Many(Many),
    /// It has borrowed its link for one call.
    Lent(Loan),
}

/// Links that take turns.
pub(crate) struct Spread {
    handles: Vec<Arc<Handle>>,
    turn: AtomicUsize,
}

impl Spread {
    pub(crate) fn new(count: usize, link: impl Fn() -> Link) -> Spread {
        let handle = |_| Arc::new(Handle::alone(link()));
        Spread { handles: (0..count).map(handle).collect(), turn: AtomicUsize::new(0) }
    }

    /// The one whose turn it is.
    pub(crate) fn next(&self) -> Arc<Handle> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.handles[turn % self.handles.len()])
    }

    pub(crate) fn handles(&self) -> &[Arc<Handle>] {
        &self.handles
    }
}

/// A link that is lent to one call.
pub(crate) struct Loan {
    pool: Arc<Pool>,
    /// Other calls were on this connection before: the server may have closed it meanwhile.
    used: bool,
    /// It was given back.
    over: AtomicBool,
}

impl Loan {
    /// The call is over, or leaves: the next may have the link, if it is fit for that.
    pub(crate) fn give_back(&self, link: &Arc<Link>) {
        if !self.over.swap(true, Ordering::AcqRel) {
            self.pool.give_back(link);
        }
    }

    pub(crate) fn used(&self) -> bool {
        self.used
    }

    /// Another link in place of this one, which was of no use.
    pub(crate) fn replace(&self, link: &Arc<Link>) -> Option<Arc<Handle>> {
        if self.over.swap(true, Ordering::AcqRel) { None } else { self.pool.replace(link) }
    }
}

/// Links that are lent to calls.
pub(crate) struct Pool {
    /// Never opened: what all others are made after.
    model: Arc<Link>,
    connector: Connector,
    most: usize,
    state: Mutex<State>,
}

struct State {
    /// All links, lent and idle.
    links: Vec<Arc<Link>>,
    /// Those that are not lent, and since when; the last was used last.
    idle: Vec<(Arc<Link>, Instant)>,
    /// Callers that wait for one.
    queue: Queue,
    closed: bool,
    /// A task looks for links that have been idle for too long.
    sweeping: bool,
}

/// What a caller gets.
pub(crate) enum Taken {
    Link(Arc<Handle>),
    /// A place in the line; the waker is kept.
    Line(Place),
}

impl Pool {
    pub(crate) fn new(model: Arc<Link>, connector: Connector, most: usize) -> Pool {
        let state = State {
            links: Vec::new(),
            idle: Vec::new(),
            queue: Queue::default(),
            closed: false,
            sweeping: false,
        };
        Pool { model, connector, most: most.max(1), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a link, or gives a place in the line. `place` is what the last try gave.
    pub(crate) fn take(
        self: &Arc<Pool>,
        place: Option<Place>,
        waker: &Waker,
    ) -> Result<Taken, Status> {
        let mut useless = Vec::new();
        let mut state = self.lock();
        // Who waited is let through; who comes new, only where nobody waits.
        let first = place.is_some() || state.queue.is_empty();
        let old = place.and_then(|place| state.queue.leave(place));
        let result = if state.closed {
            Err(closed())
        } else if let Some((link, used)) =
            first.then(|| self.pick(&mut state, &mut useless)).flatten()
        {
            Ok(Taken::Link(self.lend(link, used)))
        } else {
            Ok(Taken::Line(state.queue.enter(place, waker)))
        };
        let next = state.next(self.most);
        drop(state);
        drop(old);
        // Links are told outside of the lock: that wakes tasks.
        useless.iter().for_each(|link| link.close());
        next.into_iter().for_each(Waker::wake);
        result
    }

    /// Whether a call that came now would be lent a link.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.lock();
        let room = !state.idle.is_empty() || state.links.len() < self.most;
        room && state.queue.is_empty() && !state.closed
    }

    /// A link, and whether it was used before: an open one first, then one that is being opened,
    /// then a new one.
    fn pick(&self, state: &mut State, useless: &mut Vec<Arc<Link>>) -> Option<(Arc<Link>, bool)> {
        let mut trying = None;
        for at in (0..state.idle.len()).rev() {
            match state.idle[at].0.rest() {
                Rest::Open => return Some((state.idle.remove(at).0, true)),
                Rest::Trying => trying = Some(at),
                Rest::Over => {
                    let (link, _) = state.idle.remove(at);
                    state.forget(&link);
                    useless.push(link);
                    // All that was looked at before has moved down.
                    trying = trying.map(|at| at - 1);
                }
            }
        }
        match trying {
            Some(at) => Some((state.idle.remove(at).0, false)),
            None if state.links.len() < self.most => Some((self.add(state), false)),
            None => None,
        }
    }

    fn add(&self, state: &mut State) -> Arc<Link> {
        let link = Arc::new(self.model.another(self.connector.clone()));
        state.links.push(Arc::clone(&link));
        link
    }

    fn lend(self: &Arc<Pool>, link: Arc<Link>, used: bool) -> Arc<Handle> {
        let loan = Loan { pool: Arc::clone(self), used, over: AtomicBool::new(false) };
        Arc::new(Handle { link, role: Role::Lent(loan), budget: None })
    }

    /// A link that is not lent, to be opened before a call needs it.
    pub(crate) fn spare(&self) -> Option<Arc<Link>> {
        let mut useless = Vec::new();
        let mut state = self.lock();
        let picked = if state.closed { None } else { self.pick(&mut state, &mut useless) };
        let spare = picked.map(|(link, _)| link);
        state.idle.extend(spare.clone().map(|link| (link, Instant::now())));
        let next = state.next(self.most);
        drop(state);
        useless.iter().for_each(|link| link.close());
        next.into_iter().for_each(Waker::wake);
        spare
    }

    /// Whether the address was set aside.
    pub(crate) fn aside(&self) -> bool {
        self.model.is_aside()
    }

    /// Closes what is open and not lent.
    pub(crate) fn shed(&self) {
        let mut useless = Vec::new();
        let mut state = self.lock();
        let State { links, idle, .. } = &mut *state;
        idle.retain(|(link, _)| {
            let open = link.rest() == Rest::Open;
            useless.extend(open.then(|| Arc::clone(link)));
            !open
        });
        links.retain(|link| !useless.iter().any(|other| Arc::ptr_eq(link, other)));
        drop(state);
        useless.iter().for_each(|link| link.close());
    }

    fn replace(self: &Arc<Pool>, link: &Arc<Link>) -> Option<Arc<Handle>> {
        let mut state = self.lock();
        state.forget(link);
        let other = (!state.closed).then(|| self.add(&mut state));
        drop(state);
        link.close();
        Some(self.lend(other?, false))
    }

    fn give_back(self: &Arc<Pool>, link: &Arc<Link>) {
        let fit = link.rest() != Rest::Over;
        let mut state = self.lock();
        let keep = fit && !state.closed;
        if keep {
            state.idle.push((Arc::clone(link), Instant::now()));
        } else {
            state.forget(link);
        }
        let next = state.next(self.most);
        let sweep = !state.sweeping && state.due(self).is_some();
        if sweep && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            state.sweeping = true;
            runtime.spawn(sweep_up(Sweeping(Arc::downgrade(self))));
        }
        drop(state);
        if !keep {
            link.close();
        }
        next.into_iter().for_each(Waker::wake);
    }

    /// A caller leaves the line.
    pub(crate) fn leave(&self, place: Place) {
        let mut state = self.lock();
        let old = state.queue.leave(place);
        let next = state.next(self.most);
        drop(state);
        drop(old);
        next.into_iter().for_each(Waker::wake);
    }

    /// Nothing new is lent. All links, of which those that are lent go on: they are closed when
    /// they come back.
    pub(crate) fn close(&self) -> Vec<Arc<Link>> {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        let links = state.links.clone();
        state.queue.call_all(&mut wakers);
        drop(state);
        idle.iter().for_each(|(link, _)| link.close());
        wakers.into_iter().for_each(Waker::wake);
        links
    }

    /// Closes what has been idle for too long; when to look again.
    fn sweep(&self) -> Option<Instant> {
        let mut useless = Vec::new();
        let now = Instant::now();
        let mut state = self.lock();
        let due = loop {
            match state.due(self) {
                Some(at) if at <= now => {
                    let (link, _) = state.idle.remove(0);
                    state.forget(&link);
                    useless.push(link);
                }
                due => break due,
            }
        };
        state.sweeping = due.is_some();
        drop(state);
        useless.iter().for_each(|link| link.close());
        due
    }
}

impl State {
    fn forget(&mut self, link: &Arc<Link>) {
        self.links.retain(|other| !Arc::ptr_eq(other, link));
    }

    /// Calls the next in line, if there is a link for it.
    fn next(&mut self, most: usize) -> Option<Waker> {
        let room = !self.idle.is_empty() || self.links.len() < most;
        if self.queue.waits() && room { self.queue.call() } else { None }
    }

    /// When the first idle link is to be closed. The only link there is stays.
    fn due(&self, pool: &Pool) -> Option<Instant> {
        let (_, since) = self.idle.first()?;
        (self.links.len() > 1).then(|| after(*since, pool.model.limits.pool_idle))
    }
}

/// The task that sweeps; another may be started when it is gone.
struct Sweeping(Weak<Pool>);

impl Drop for Sweeping {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.lock().sweeping = false;
        }
    }
}

async fn sweep_up(sweeping: Sweeping) {
    while let Some(at) = sweeping.0.upgrade().and_then(|pool| pool.sweep()) {
        sleep_until(at).await;
    }
    // The last sweep has said so under its lock; another may sweep already.
    std::mem::forget(sweeping);
}
