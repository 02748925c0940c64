//! Slots held against a model.

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
    let status = |_: u64| Status::cancelled("over");
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
                    let next = slots.expire(clock, &mut wakers, None, status);
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
                    slots.fail_all(&(0..u64::MAX), &mut wakers, status);
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
            assert_eq!(slots.slots.len(), slots.free.len() + slots.lost + live.len(), "lost one");
        }
    }
}

struct Nobody;

impl crate::stream::Home for Nobody {
    fn touch(&self, _: u64) {}
}

#[test]
fn streams_hold_their_slots_until_they_are_over() {
    let mut slots = Slots::new(2);
    let begin = |slots: &mut Slots, deadline| {
        let (id, number) = slots.reserve().expect("room");
        let pipe = crate::stream::Pipe::new(std::sync::Weak::<Nobody>::new(), true);
        slots.stream(id, Streaming { pipe, deadline, position: 0 });
        number
    };
    let now = Instant::now();
    let (first, second) = (begin(&mut slots, None), begin(&mut slots, Some(now)));
    assert!(slots.has_streams() && !slots.has_room() && slots.waiting() == 2);
    assert_eq!(slots.numbers(), [first, second]);
    assert!(slots.complete(reply(first)).is_none() && slots.find(first).is_some());
    // One is late: its number is told, and its slot is free for the next, under another number.
    let (mut wakers, mut told) = (Vec::new(), Vec::new());
    let late = |_| Status::deadline_exceeded("late");
    assert!(slots.expire(now, &mut wakers, Some(&mut told), late).is_none());
    assert_eq!((told, slots.numbers()), (vec![second], vec![first]));
    let third = begin(&mut slots, None);
    assert_ne!(second, third);
    assert!(slots.end_stream(second).is_none() && slots.find(second).is_none());
    assert!(slots.end_stream(third).is_some() && slots.end_stream(third).is_none());
    // A call that does not stream is given up, and its slot is free at once.
    let (id, number) = slots.reserve().expect("room");
    let waker = Waker::noop().clone();
    slots.wait(id, Waiting { waker, deadline: None, position: 0 });
    assert_eq!(slots.cancel(id).map(|(_, told)| told), Some(number));
    assert!(slots.cancel(id).is_none() && slots.complete(reply(number)).is_none());
    slots.fail_all(&(0..u64::MAX), &mut wakers, late);
    assert!(!slots.has_streams() && slots.waiting() == 0 && slots.has_room());
}
