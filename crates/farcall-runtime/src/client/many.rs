//! A client of several addresses: each has a link or a pool of its own, and a call picks one that
//! is open.
//!
//! No call waits for an address that cannot be reached while another can: those that are down are
//! asked to connect in the background, in their own time, and take part again once they have. Only
//! where none is open do calls wait, in the *lobby*: for the first that opens, or until every one
//! of them has failed.

use super::{
    Client, ClientBuilder, Handle,
    aside::Silence,
    link::{Joins, Link, Rest},
    local::Local,
    over::Connector,
    pool::{Pool, Role, Spread},
    pulse,
    queue::{Place, Queue},
    state::closed,
};
use crate::{clock::after, net::Dialer, target::Target};
use farcall_core::{Limits, Status};
use std::{
    collections::hash_map::RandomState,
    future::poll_fn,
    hash::{BuildHasher, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

/// How a client of several addresses chooses among those that can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Select {
    /// They take turns.
    #[default]
    RoundRobin,
    /// One at random.
    Random,
    /// The first; the others stand by.
    First,
}

/// The addresses of a client.
pub(crate) struct Many {
    nodes: Vec<Node>,
    select: Select,
    turn: AtomicUsize,
    lobby: Arc<Lobby>,
}

/// One address.
struct Node {
    handle: Arc<Handle>,
    health: Arc<Health>,
}

/// How an address stands; its links tell.
pub(crate) struct Health {
    /// Which of the addresses it is.
    index: usize,
    /// Its open connections.
    open: AtomicUsize,
    /// It was asked to connect, and nothing has come of that yet.
    asked: AtomicBool,
    /// How long it has answered nothing, where its connections cannot tell.
    pub(super) silence: Silence,
    lobby: Arc<Lobby>,
}

/// Where calls wait while no address is open.
struct Lobby {
    state: Mutex<Waiting>,
}

struct Waiting {
    queue: Queue,
    /// Attempts to connect that have failed, at all addresses.
    failures: u64,
    /// Per address, which of them was its last, and why it failed.
    last: Vec<Option<(u64, Status)>>,
    closed: bool,
}

/// Which address somebody wants, if anybody does.
pub(crate) type Prefers<'a> = Option<&'a dyn Fn(&Many) -> Option<usize>>;

/// What a caller gets.
pub(crate) enum Picked {
    Node(Arc<Handle>),
    /// A place in the lobby, and the failures there had been when the caller came.
    Lobby(Place, u64),
}

impl Health {
    /// A connection was opened, or is open no more.
    pub(crate) fn opened(&self, is: bool) {
        match is {
            true => self.open.fetch_add(1, Ordering::AcqRel),
            false => self.open.fetch_sub(1, Ordering::AcqRel),
        };
        self.asked.store(false, Ordering::Release);
    }

    /// Something has changed that callers in the lobby should know; not called under a lock.
    pub(crate) fn tell(&self, failure: Option<&Status>) {
        self.asked.store(false, Ordering::Release);
        let mut wakers = Vec::new();
        let mut state = self.lobby.lock();
        if let Some(status) = failure {
            state.failures += 1;
            let failures = state.failures;
            state.last[self.index] = Some((failures, status.clone()));
        }
        state.queue.call_all(&mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0 && !self.silence.is_aside()
    }

    /// It is open, and nothing speaks against it.
    fn is_sure(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0 && self.silence.is_sure()
    }
}

impl Node {
    /// Asks for a connection, where there is none and nobody has.
    fn nudge(&self) -> Result<(), Status> {
        if self.health.is_open() || self.health.asked.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.handle.nudge().inspect_err(|_| self.health.asked.store(false, Ordering::Release))
    }
}

impl Handle {
    fn nudge(&self) -> Result<(), Status> {
        match &self.role {
            Role::Alone | Role::Lent(_) => Link::nudge(&self.link),
            Role::Spread(spread) => spread.handles().iter().try_for_each(|h| h.nudge()),
            Role::Front(pool) => Pool::nudge(pool),
            Role::Local(local) => local.here()?.nudge(),
            Role::Many(_) => Ok(()),
        }
    }
}

impl Lobby {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, place: Place) {
        // Wakers are dropped outside of the lock.
        let old = self.lock().queue.leave(place);
        drop(old);
    }

    /// A place to wait; an error where every address has failed since.
    fn enter(&self, place: Option<Place>, since: u64, waker: &Waker) -> Result<Place, Status> {
        let mut state = self.lock();
        let old = place.and_then(|place| state.queue.leave(place));
        let all = state.last.iter().all(|last| matches!(last, Some((at, _)) if *at > since));
        let result = match state.closed {
            true => Err(closed()),
            false if all => {
                let text = format!("none of the {} addresses can be reached", state.last.len());
                Err(Status::unavailable(text).with_earlier(state.reasons()))
            }
            false => Ok(state.queue.enter(place, waker)),
        };
        drop(state);
        drop(old);
        result
    }
}

impl Waiting {
    fn reasons(&self) -> Vec<Status> {
        self.last.iter().flatten().map(|(_, status)| status.clone()).collect()
    }
}

impl Many {
    /// One node for each address of the target, made by `handle`.
    pub(crate) fn new(
        target: &Target,
        select: Select,
        handle: impl Fn(Target, Arc<Health>) -> Result<Handle, Status>,
    ) -> Result<Many, Status> {
        let targets = target.each();
        let state = Waiting {
            queue: Queue::default(),
            failures: 0,
            last: vec![None; targets.len()],
            closed: false,
        };
        let lobby = Arc::new(Lobby { state: Mutex::new(state) });
        let node = |(index, target)| {
            let (open, asked) = (AtomicUsize::new(0), AtomicBool::new(false));
            let (silence, lobby) = (Silence::default(), Arc::clone(&lobby));
            let health = Arc::new(Health { index, open, asked, silence, lobby });
            Ok(Node { handle: Arc::new(handle(target, Arc::clone(&health))?), health })
        };
        let nodes = targets.into_iter().enumerate().map(node).collect::<Result<_, Status>>()?;
        // Clients do not all begin with the same one.
        let turn = AtomicUsize::new(RandomState::new().build_hasher().finish() as u16 as usize);
        Ok(Many { nodes, select, turn, lobby })
    }

    /// An address that is open: the one that is preferred, and else rather none of those to avoid.
    fn pick(&self, avoid: &[usize], prefers: Prefers<'_>) -> Result<Option<&Node>, Status> {
        let count = self.nodes.len();
        if let Some(prefers) = prefers
            && self.nodes.iter().any(|node| node.health.is_open())
            && let Some(node) = prefers(self).and_then(|at| self.nodes.get(at))
        {
            if node.health.is_open() {
                return Ok(Some(node));
            }
            node.nudge()?;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (first, other) = match self.select {
            Select::RoundRobin => (turn % count, turn / count),
            Select::Random => {
                let random = mixed(turn as u64);
                (random as u32 as usize % count, (random >> 32) as usize)
            }
            Select::First => (0, 0),
        };
        let node = &self.nodes[first];
        if node.health.is_sure() && avoid.is_empty() {
            return Ok(Some(node));
        }
        node.nudge()?;
        // The turns of those that are down or in doubt go to all others alike.
        let rank = |node: &&Node| {
            let Health { index, .. } = &*node.health;
            let fresh = !avoid.contains(index);
            node.health.is_open().then(|| (node.health.is_sure(), fresh))
        };
        let best = self.nodes.iter().filter_map(|node| rank(&node)).max();
        let nodes = || self.nodes.iter().filter(|node| best.is_some() && rank(node) == best);
        Ok(nodes().nth(other % nodes().count().max(1)))
    }

    /// An address to go to instead of this one, whose connections are all taken: one that has room,
    /// or one that still answers where this does so no more.
    pub(crate) fn instead(&self, of: &Link, avoid: &[usize]) -> Option<&Arc<Handle>> {
        let own = of.joins.health.as_deref()?;
        if let Select::First = self.select {
            return None;
        }
        let start = self.turn.load(Ordering::Relaxed);
        let others = || {
            let turns =
                (0..self.nodes.len()).map(|at| &self.nodes[(start + at) % self.nodes.len()]);
            turns.filter(|node| {
                let Health { index, .. } = *node.health;
                index != own.index && node.health.is_sure() && !avoid.contains(&index)
            })
        };
        let room = |node: &&Node| match &node.handle.role {
            Role::Front(pool) => pool.has_room(),
            _ => false,
        };
        let lately = own.silence.last().map(|last| after(last, pulse::look(&of.limits)));
        let answers = |node: &&Node| {
            let last = node.health.silence.last();
            last.is_some_and(|last| lately.is_none_or(|lately| last > lately))
        };
        let other = others().find(room).or_else(|| others().find(answers))?;
        Some(&other.handle)
    }

    /// An address, or a place in the lobby. `waited` is what the last try gave.
    pub(crate) fn take(
        &self,
        waited: Option<(Place, u64)>,
        avoid: &[usize],
        prefers: Prefers<'_>,
        waker: &Waker,
    ) -> Result<Picked, Status> {
        let mut place = waited.map(|(place, _)| place);
        let picked = self.try_take(waited, &mut place, (avoid, prefers), waker);
        if !matches!(picked, Ok(Picked::Lobby(..))) {
            place.into_iter().for_each(|place| self.lobby.leave(place));
        }
        picked
    }

    fn try_take(
        &self,
        waited: Option<(Place, u64)>,
        place: &mut Option<Place>,
        (avoid, prefers): (&[usize], Prefers<'_>),
        waker: &Waker,
    ) -> Result<Picked, Status> {
        if let Some(node) = self.pick(avoid, prefers)? {
            return Ok(Picked::Node(Arc::clone(&node.handle)));
        }
        let since = waited.map_or_else(|| self.lobby.lock().failures, |(_, since)| since);
        self.nodes.iter().try_for_each(Node::nudge)?;
        // Whatever the place before was, the lobby knows of it now.
        let entered = self.lobby.enter(place.take(), since, waker)?;
        *place = Some(entered);
        // One may have opened before the waker was there.
        match self.pick(avoid, prefers)? {
            Some(node) => Ok(Picked::Node(Arc::clone(&node.handle))),
            None => Ok(Picked::Lobby(entered, since)),
        }
    }

    pub(crate) fn leave(&self, place: Place) {
        self.lobby.leave(place);
    }

    /// Why addresses could not be reached, of those that could not.
    pub(crate) fn reasons(&self) -> Vec<Status> {
        self.lobby.lock().reasons()
    }

    /// Which address a link leads to.
    pub(crate) fn index_of(&self, link: &Link) -> Option<usize> {
        let of = |node: &Node| node.handle.link.target.address == link.target.address;
        self.nodes.iter().position(of)
    }

    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_open(&self, index: usize) -> bool {
        self.nodes.get(index).is_some_and(|node| node.health.is_open())
    }

    pub(crate) fn handle(&self, index: usize) -> &Arc<Handle> {
        &self.nodes[index].handle
    }

    /// Nothing new begins; all links there are.
    pub(crate) fn close(&self) -> Vec<Arc<Link>> {
        let mut wakers = Vec::new();
        let mut state = self.lobby.lock();
        state.closed = true;
        state.queue.call_all(&mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        self.nodes.iter().flat_map(|node| node.handle.links()).collect()
    }

    /// Waits until an address is open, or all have failed.
    pub(crate) async fn ready(&self) -> Result<(), Status> {
        let mut line = InLobby { many: self, waited: None };
        poll_fn(|cx| match line.many.take(line.waited.take(), &[], None, cx.waker()) {
            Ok(Picked::Node(_)) => Poll::Ready(Ok(())),
            Ok(Picked::Lobby(place, since)) => {
                line.waited = Some((place, since));
                Poll::Pending
            }
            Err(status) => Poll::Ready(Err(status)),
        })
        .await
    }
}

/// A place in the lobby, until an address is open.
struct InLobby<'m> {
    many: &'m Many,
    waited: Option<(Place, u64)>,
}

impl Drop for InLobby<'_> {
    fn drop(&mut self) {
        if let Some((place, _)) = self.waited.take() {
            self.many.leave(place);
        }
    }
}

/// A number that looks like chance: the finish of splitmix64.
fn mixed(count: u64) -> u64 {
    let mut z = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Client {
    /// The handle of one address.
    pub(super) fn handle_of(
        target: Target,
        limits: &Limits,
        connector: Connector,
        (connections, local): (Option<usize>, bool),
        joins: Joins,
    ) -> Handle {
        let another = {
            let (limits, connector) = (limits.clone(), connector.clone());
            move || Link::new(target.clone(), &limits, connector.clone(), joins.clone())
        };
        let link = Arc::new(another());
        let role = if link.ordered {
            let most = connections.unwrap_or(link.limits.connections_per_client);
            let most = if connector.many() { most } else { 1 };
            Role::Front(Arc::new(Pool::new(Arc::clone(&link), connector, most)))
        } else if local {
            let most = limits.connections_per_client;
            Role::Local(Local::new(most, move || {
                let link = Arc::new(another());
                let role = Client::role_of(connections, &another);
                Handle { link, role, budget: None }
            }))
        } else {
            Client::role_of(connections, another)
        };
        Handle { link, role, budget: None }
    }

    /// One connection, or several that take turns.
    fn role_of(connections: Option<usize>, another: impl Fn() -> Link) -> Role {
        match connections {
            Some(count @ 2..) => Role::Spread(Spread::new(count, another)),
            _ => Role::Alone,
        }
    }
}

impl<C> ClientBuilder<C> {
    /// What leads to the target: a connection, or several, or several addresses.
    pub(super) fn handle(&mut self, target: Target) -> Result<Handle, Status> {
        let joins = Joins::new(&self.limits, std::mem::take(&mut self.hooks));
        let ClientBuilder { limits, connections, local, transport, .. } = self;
        let connector = |target: &Target| {
            let dialer = Dialer::new(target.address.clone(), transport.clone())?;
            Ok::<_, Status>(Connector::to(target, dialer))
        };
        let one = |target: Target, health| {
            let connector = connector(&target)?;
            let joins = Joins { health, ..joins.clone() };
            Ok(Client::handle_of(target, limits, connector, (*connections, *local), joins))
        };
        let [first, _, ..] = &target.each()[..] else { return one(target, None) };
        let connector = connector(first)?;
        let many = Many::new(&target, self.select, |target, health| one(target, Some(health)))?;
        let link = Arc::new(Link::new(target, limits, connector, joins));
        Ok(Handle { link, role: Role::Many(many), budget: None })
    }

    /// Calls these addresses, `HOST:PORT` each, instead of that in the URL, which may be left out
    /// there: `rpcx:///Arith`. The same as `rpcx://HOST:PORT,HOST:PORT/Arith`. Each has a
    /// connection of its own; [`Select`] says how calls choose.
    pub fn addresses<A: AsRef<str>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        let addresses: Vec<_> = addresses.into_iter().map(|a| a.as_ref().to_owned()).collect();
        self.addresses = Some(addresses);
        self
    }

    /// How calls choose among several addresses. Default: they take turns.
    pub fn select(mut self, select: Select) -> Self {
        self.select = select;
        self
    }
}

impl Pool {
    /// Asks for a connection that no call needs yet.
    fn nudge(pool: &Arc<Pool>) -> Result<(), Status> {
        if pool.aside() {
            // The address is not judged by what it answered on these.
            pool.shed();
        }
        match pool.spare() {
            Some(link) if link.rest() != Rest::Open => Link::nudge(&link),
            _ => Ok(()),
        }
    }
}
