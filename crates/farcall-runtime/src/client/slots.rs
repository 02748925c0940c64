//! Where calls wait for their replies: slots with generations.
//!
//! The number on the wire is slot plus generation, below 2³¹ because some peers keep no more. A
//! call that gave up leaves its slot *abandoned*: it is not used again until its reply came or the
//! connection ended, so that a late reply can never complete another call. Only when every slot is
//! abandoned is the oldest taken again, under its next generation.

use crate::stream::{End, Pipe};
use farcall_core::Status;
use farcall_wire::Reply;
use std::{collections::VecDeque, ops::Range, sync::Arc, task::Waker};
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
    /// How many of those are streams.
    streams: usize,
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
    /// A stream that has not ended both ways.
    Stream(Streaming),
}

/// A call that streams.
pub(crate) struct Streaming {
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) deadline: Option<Instant>,
    /// As of a call that waits.
    pub(crate) position: u64,
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
            streams: 0,
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

    /// The peer gave the call of this number up: the waker of whom it fails.
    pub(crate) fn fail(&mut self, number: u64, status: Status) -> Option<Waker> {
        let index = (number & ((1 << self.index_bits) - 1)) as u32;
        let slot = self.slots.get(index as usize)?;
        let id = SlotId { index, generation: slot.generation };
        if self.number(id) == number { self.settle(id, Err(status)) } else { None }
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
            State::Free | State::Done(_) | State::Stream(_) => None,
        }
    }

    /// A stream begins in a reserved slot.
    pub(crate) fn stream(&mut self, id: SlotId, stream: Streaming) {
        self.waiting += 1;
        self.streams += 1;
        self.slots[id.index as usize].state = State::Stream(stream);
    }

    /// Whether there are streams.
    #[inline]
    pub(crate) fn has_streams(&self) -> bool {
        self.streams > 0
    }

    /// The slot of the stream of this number.
    fn find_stream(&self, number: u64) -> Option<SlotId> {
        let index = (number & ((1 << self.index_bits) - 1)) as u32;
        let slot = self.slots.get(index as usize)?;
        let id = SlotId { index, generation: slot.generation };
        (self.number(id) == number && matches!(slot.state, State::Stream(_))).then_some(id)
    }

    /// The stream of this number.
    pub(crate) fn find(&self, number: u64) -> Option<&Streaming> {
        match &self.slots[self.find_stream(number)?.index as usize].state {
            State::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    /// The numbers of all streams.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let streams = self.slots.iter().enumerate();
        let streams = streams.filter(|(_, slot)| matches!(slot.state, State::Stream(_)));
        let id = |(index, slot): (usize, &Slot)| SlotId {
            index: index as u32,
            generation: slot.generation,
        };
        streams.map(|stream| self.number(id(stream))).collect()
    }

    /// The stream of this number is over, both ways: its slot is free.
    pub(crate) fn end_stream(&mut self, number: u64) -> Option<Streaming> {
        let id = self.find_stream(number)?;
        let slot = &mut self.slots[id.index as usize];
        let State::Stream(stream) = std::mem::replace(&mut slot.state, State::Free) else {
            return None;
        };
        self.waiting -= 1;
        self.streams -= 1;
        self.free_slot(id);
        Some(stream)
    }

    /// A call that waits is given up, and the peer is told this number: no answer will come.
    pub(crate) fn cancel(&mut self, id: SlotId) -> Option<(Waker, u64)> {
        let number = self.number(id);
        let slot = &mut self.slots[id.index as usize];
        if !matches!(slot.state, State::Waiting(_)) {
            return None;
        }
        let State::Waiting(waiting) = std::mem::replace(&mut slot.state, State::Free) else {
            return None;
        };
        self.waiting -= 1;
        self.free_slot(id);
        Some((waiting.waker, number))
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
            State::Free | State::Abandoned | State::Stream(_) => Err(None),
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
            State::Free | State::Abandoned | State::Stream(_) => {}
        }
        None
    }

    /// Fails the calls and streams whose deadline has passed, with what `status` makes of where
    /// they began, and tells the next deadline. `cancelled` gets their numbers, for the peer.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        wakers: &mut Vec<Waker>,
        mut cancelled: Option<&mut Vec<u64>>,
        status: impl Fn(u64) -> Status,
    ) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for index in 0..self.slots.len() as u32 {
            let slot = &mut self.slots[index as usize];
            let (deadline, position) = match &slot.state {
                State::Waiting(waiting) => (waiting.deadline, waiting.position),
                State::Stream(stream) => (stream.deadline, stream.position),
                _ => continue,
            };
            let Some(deadline) = deadline else { continue };
            if deadline > now {
                next = Some(next.map_or(deadline, |n| n.min(deadline)));
                continue;
            }
            let id = SlotId { index, generation: slot.generation };
            let number = self.number(id);
            if let Some(cancelled) = &mut cancelled {
                cancelled.push(number);
            }
            if let Some(stream) = self.end_stream(number) {
                let end = End::Failed(status(position));
                wakers.extend(stream.pipe.finish(end).into_iter().flatten());
                continue;
            }
            let slot = &mut self.slots[index as usize];
            // What was cancelled is not answered any more.
            let expired = State::Expired(status(position), cancelled.is_some());
            if let State::Waiting(waiting) = std::mem::replace(&mut slot.state, expired) {
                wakers.push(waiting.waker);
            }
            self.waiting -= 1;
        }
        next
    }

    /// Whether a call or stream waits that began in these positions.
    pub(crate) fn waits_in(&self, positions: &Range<u64>) -> bool {
        self.slots.iter().any(|slot| match &slot.state {
            State::Waiting(waiting) => positions.contains(&waiting.position),
            State::Stream(stream) => positions.contains(&stream.position),
            _ => false,
        })
    }

    /// Fails every call that began in these positions: the connection is gone, and with it every
    /// late reply. Numbers that were given up become free, on whatever connection they were: they
    /// are not used again before their generations have come round.
    pub(crate) fn fail_all(
        &mut self,
        positions: &Range<u64>,
        wakers: &mut Vec<Waker>,
        status: impl Fn(u64) -> Status,
    ) {
        for index in 0..self.slots.len() as u32 {
            let slot = &mut self.slots[index as usize];
            let id = SlotId { index, generation: slot.generation };
            match &slot.state {
                State::Waiting(Waiting { position, .. })
                | State::Stream(Streaming { position, .. })
                    if !positions.contains(position) => {}
                State::Waiting(waiting) => {
                    let failed = status(waiting.position);
                    wakers.extend(self.settle(id, Err(failed)));
                }
                State::Stream(_) => {
                    let Some(stream) = self.end_stream(self.number(id)) else { continue };
                    let end = End::Failed(status(stream.position));
                    wakers.extend(stream.pipe.finish(end).into_iter().flatten());
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
mod tests;
