//! Where calls wait for their replies: slots with generations.
//!
//! The number on the wire is slot plus generation, below 2³¹ because some peers keep no more. A
//! call that gave up leaves its slot *abandoned*: it is not used again until its reply came or the
//! connection ended, so that a late reply can never complete another call. Only when every slot is
//! abandoned is the oldest taken again, under its next generation.

use farcall_core::Status;
use farcall_wire::Reply;
use std::{collections::VecDeque, task::Waker};
use tokio::time::Instant;

/// The number of a waiting call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotId {
    index: u32,
    generation: u32,
}

/// The slots of one client.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Abandoned slots in their order, and some that have been freed since.
    abandoned: VecDeque<SlotId>,
    /// Slots that are abandoned.
    lost: usize,
    /// Slots that wait for a reply.
    waiting: usize,
    most: usize,
    index_bits: u32,
    oneway: u32,
}

struct Slot {
    generation: u32,
    state: State,
}

enum State {
    Free,
    Waiting(Waiting),
    /// Nobody waits, and the reply has not come.
    Abandoned,
    /// The deadline passed; the caller has not looked yet. True: the reply came since.
    Expired(Status, bool),
    Done(Result<Reply, Status>),
}

/// A call that waits.
pub(crate) struct Waiting {
    pub(crate) waker: Waker,
    pub(crate) deadline: Option<Instant>,
    /// Where in the connection's output its frame begins.
    pub(crate) position: u64,
}

impl Slots {
    /// Room for `most` calls.
    pub(crate) fn new(most: usize) -> Slots {
        let most = most.clamp(1, 1 << 20);
        Slots {
            slots: Vec::new(),
            free: Vec::new(),
            abandoned: VecDeque::new(),
            lost: 0,
            waiting: 0,
            most,
            // One index more than there are slots: the last is the one-way calls'.
            index_bits: usize::BITS - most.leading_zeros(),
            oneway: 0,
        }
    }

    /// Whether a call can take a slot.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        !self.free.is_empty() || self.slots.len() < self.most || self.lost > 0
    }

    /// How many calls wait for a reply.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether no slot is taken, nor waits for a late reply.
    pub(crate) fn all_free(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// The slot that the next [`wait`](Slots::wait) will take, and its number on the wire.
    #[inline]
    pub(crate) fn reserve(&mut self) -> Option<(SlotId, u64)> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < self.most => {
                self.slots.push(Slot { generation: 0, state: State::Free });
                self.slots.len() as u32 - 1
            }
            None => self.recycle()?,
        };
        let id = SlotId { index, generation: self.slots[index as usize].generation };
        Some((id, self.number(id)))
    }

    /// Gives a reserved slot back: its call could not be written.
    pub(crate) fn release(&mut self, id: SlotId) {
        self.free.push(id.index);
    }

    /// A call begins to wait in a reserved slot.
    #[inline]
    pub(crate) fn wait(&mut self, id: SlotId, waiting: Waiting) {
        self.waiting += 1;
        self.slots[id.index as usize].state = State::Waiting(waiting);
    }

    /// A number for a call that nobody waits for; no reply to it matches any slot.
    pub(crate) fn oneway(&mut self) -> u64 {
        self.oneway = self.oneway.wrapping_add(1);
        self.number(SlotId { index: self.most as u32, generation: self.oneway })
    }

    #[cold]
    fn recycle(&mut self) -> Option<u32> {
        while let Some(id) = self.abandoned.pop_front() {
            let slot = &mut self.slots[id.index as usize];
            if slot.generation == id.generation && matches!(slot.state, State::Abandoned) {
                slot.generation = slot.generation.wrapping_add(1);
                slot.state = State::Free;
                self.lost -= 1;
                return Some(id.index);
            }
        }
        None
    }

    #[inline]
    fn number(&self, id: SlotId) -> u64 {
        let number = u64::from(id.generation) << self.index_bits | u64::from(id.index);
        number & 0x7fff_ffff
    }

    /// A reply came: the waker of the call it completes.
    #[inline]
    pub(crate) fn complete(&mut self, reply: Reply) -> Option<Waker> {
        let index = (reply.seq & ((1 << self.index_bits) - 1)) as u32;
        let slot = self.slots.get(index as usize)?;
        let id = SlotId { index, generation: slot.generation };
        if self.number(id) != reply.seq {
            return None;
        }
        self.settle(id, Ok(reply))
    }

    /// Settles a waiting call; frees an abandoned one.
    #[inline]
    fn settle(&mut self, id: SlotId, result: Result<Reply, Status>) -> Option<Waker> {
        let slot = &mut self.slots[id.index as usize];
        match &slot.state {
            State::Waiting(_) => {
                let State::Waiting(waiting) =
                    std::mem::replace(&mut slot.state, State::Done(result))
                else {
                    return None;
                };
                self.waiting -= 1;
                Some(waiting.waker)
            }
            State::Abandoned => {
                self.lost -= 1;
                self.free_slot(id);
                None
            }
            State::Expired(..) => {
                if let State::Expired(_, answered) = &mut slot.state {
                    *answered = true;
                }
                None
            }
            State::Free | State::Done(_) => None,
        }
    }

    #[inline]
    fn free_slot(&mut self, id: SlotId) {
        let slot = &mut self.slots[id.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.state = State::Free;
        self.free.push(id.index);
    }

    /// The result of a call, once. While there is none it keeps the waker, and gives back the one
    /// it had: that one is to be dropped outside of the lock.
    #[inline]
    pub(crate) fn take(
        &mut self,
        id: SlotId,
        waker: &Waker,
    ) -> Result<Result<Reply, Status>, Option<Waker>> {
        let slot = &mut self.slots[id.index as usize];
        match &mut slot.state {
            State::Waiting(waiting) => {
                let same = waiting.waker.will_wake(waker);
                Err((!same).then(|| std::mem::replace(&mut waiting.waker, waker.clone())))
            }
            State::Done(_) => {
                let State::Done(result) = std::mem::replace(&mut slot.state, State::Free) else {
                    return Err(None);
                };
                self.free_slot(id);
                Ok(result)
            }
            State::Expired(..) => self.leave_expired(id).map(Err).ok_or(None),
            State::Free | State::Abandoned => Err(None),
        }
    }

    /// The caller of an expired call looks, or leaves: the number stays taken until its reply
    /// comes.
    #[cold]
    fn leave_expired(&mut self, id: SlotId) -> Option<Status> {
        let slot = &mut self.slots[id.index as usize];
        let State::Expired(status, answered) = std::mem::replace(&mut slot.state, State::Abandoned)
        else {
            return None;
        };
        if answered {
            self.free_slot(id);
        } else {
            self.forget(id);
        }
        Some(status)
    }

    /// Lines a slot up to be taken again when no other is left.
    fn forget(&mut self, id: SlotId) {
        self.lost += 1;
        self.abandoned.push_back(id);
        // What was answered since is free already: keep the queue as short as the slots.
        if self.abandoned.len() > self.most {
            let Slots { slots, abandoned, .. } = self;
            abandoned.retain(|id| {
                let slot = &slots[id.index as usize];
                slot.generation == id.generation && matches!(slot.state, State::Abandoned)
            });
        }
    }

    /// The call gave up. Its waker is to be dropped outside of the lock.
    pub(crate) fn abandon(&mut self, id: SlotId) -> Option<Waker> {
        let slot = &mut self.slots[id.index as usize];
        match slot.state {
            State::Waiting(_) => {
                let old = std::mem::replace(&mut slot.state, State::Abandoned);
                self.waiting -= 1;
                self.forget(id);
                return if let State::Waiting(waiting) = old { Some(waiting.waker) } else { None };
            }
            State::Expired(..) => drop(self.leave_expired(id)),
            State::Done(_) => self.free_slot(id),
            State::Free | State::Abandoned => {}
        }
        None
    }

    /// Fails the calls whose deadline has passed, with what `status` makes of them, and tells the
    /// next deadline.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        wakers: &mut Vec<Waker>,
        status: impl Fn(&Waiting) -> Status,
    ) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for index in 0..self.slots.len() as u32 {
            let slot = &mut self.slots[index as usize];
            let State::Waiting(waiting) = &slot.state else { continue };
            let Some(deadline) = waiting.deadline else { continue };
            if deadline > now {
                next = Some(next.map_or(deadline, |n| n.min(deadline)));
                continue;
            }
            let expired = State::Expired(status(waiting), false);
            if let State::Waiting(waiting) = std::mem::replace(&mut slot.state, expired) {
                wakers.push(waiting.waker);
            }
            self.waiting -= 1;
        }
        next
    }

    /// Fails every call: the connection is gone, and with it every late reply.
    pub(crate) fn fail_all(
        &mut self,
        wakers: &mut Vec<Waker>,
        status: impl Fn(&Waiting) -> Status,
    ) {
        for index in 0..self.slots.len() as u32 {
            let slot = &mut self.slots[index as usize];
            let id = SlotId { index, generation: slot.generation };
            match &slot.state {
                State::Waiting(waiting) => {
                    let failed = status(waiting);
                    wakers.extend(self.settle(id, Err(failed)));
                }
                State::Abandoned => {
                    self.lost -= 1;
                    self.free_slot(id);
                }
                State::Expired(..) => {
                    if let State::Expired(_, answered) = &mut slot.state {
                        *answered = true;
                    }
                }
                State::Free | State::Done(_) => {}
            }
        }
        self.abandoned.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use farcall_core::{Compress, Format, Meta};
    use std::collections::HashMap;

    fn reply(seq: u64) -> Reply {
        let (meta, body) = (Meta::new(Bytes::new(), |_, _| {}), Bytes::new().into());
        Reply { seq, error: None, format: Format::Raw, compress: Compress::None, meta, body }
    }

    /// What a call is, as simply as can be said.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Model {
        Waiting,
        Expired,
        Done(u64),
        Failed,
    }

    /// Random calls, replies (late and twice), deadlines, drops and lost connections, held against
    /// a table of what every live call must see.
    #[test]
    fn slots_do_what_a_table_does() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut roll = move |sides: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 11) as usize % sides
        };
        let status = |_: &Waiting| Status::cancelled("over");
        for most in [1, 2, 3, 7, 8] {
            let mut slots = Slots::new(most);
            let mut live: Vec<(SlotId, u64, Model)> = Vec::new();
            // Numbers whose replies may still come, of calls alive or not.
            let mut wire: Vec<u64> = Vec::new();
            let mut clock = Instant::now();
            for _ in 0..20_000 {
                let mut wakers = Vec::new();
                match roll(10) {
                    0..=2 => {
                        let room = slots.has_room();
                        let Some((id, number)) = slots.reserve() else {
                            assert!(!room && live.len() == most);
                            continue;
                        };
                        assert!(room && number < 1 << 31);
                        assert!(live.iter().all(|(l, n, _)| *l != id && *n != number), "taken");
                        if roll(8) == 0 {
                            slots.release(id);
                            continue;
                        }
                        let deadline = Some(clock + std::time::Duration::from_secs(roll(5) as u64));
                        let waker = Waker::noop().clone();
                        slots.wait(id, Waiting { waker, deadline, position: 0 });
                        live.push((id, number, Model::Waiting));
                        wire.push(number);
                    }
                    3..=5 if !wire.is_empty() => {
                        let number = wire.swap_remove(roll(wire.len()));
                        let woken = slots.complete(reply(number)).is_some();
                        let call = live.iter_mut().find(|(_, n, _)| *n == number);
                        let waited = call.is_some_and(|(_, _, model)| {
                            let waited = *model == Model::Waiting;
                            if waited {
                                *model = Model::Done(number);
                            }
                            waited
                        });
                        assert_eq!(woken, waited);
                        assert!(slots.complete(reply(number)).is_none(), "the same again");
                    }
                    6 | 7 if !live.is_empty() => {
                        let at = roll(live.len());
                        let (id, number, model) = live[at];
                        if roll(3) == 0 {
                            slots.abandon(id);
                            live.swap_remove(at);
                            continue;
                        }
                        match (slots.take(id, Waker::noop()), model) {
                            (Err(_), Model::Waiting) => continue,
                            (Ok(Ok(reply)), Model::Done(seq)) => assert_eq!(reply.seq, seq),
                            (Ok(Err(_)), Model::Expired | Model::Failed) => {}
                            (got, model) => panic!("{got:?} for {model:?} {number}"),
                        }
                        live.swap_remove(at);
                    }
                    8 => {
                        clock += std::time::Duration::from_secs(1);
                        let next = slots.expire(clock, &mut wakers, status);
                        let waiting = live.iter().filter(|l| l.2 == Model::Waiting).count();
                        assert_eq!(waiting, slots.waiting() + wakers.len());
                        for (id, _, model) in &mut live {
                            let state = &slots.slots[id.index as usize].state;
                            if matches!(state, State::Expired(..)) && *model == Model::Waiting {
                                *model = Model::Expired;
                            }
                        }
                        assert_eq!(next.is_some(), slots.waiting() > 0);
                    }
                    9 if roll(20) == 0 => {
                        slots.fail_all(&mut wakers, status);
                        wire.clear();
                        for (_, _, model) in &mut live {
                            if *model == Model::Waiting {
                                *model = Model::Failed;
                            }
                        }
                    }
                    _ => {}
                }
                let waiting = live.iter().filter(|l| l.2 == Model::Waiting).count();
                assert_eq!(slots.waiting(), waiting);
                assert!(slots.abandoned.len() <= most, "bounded");
                let lost = slots.slots.iter().filter(|s| matches!(s.state, State::Abandoned));
                assert_eq!(slots.lost, lost.count());
                let held: HashMap<_, _> = live.iter().map(|l| (l.0.index, l.2)).collect();
                assert_eq!(held.len(), live.len(), "one call, one slot");
                assert_eq!(
                    slots.slots.len(),
                    slots.free.len() + slots.lost + live.len(),
                    "lost one"
                );
            }
        }
    }
}
