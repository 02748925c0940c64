//! What a server remembers: the ids of calls that are not answered yet, and the answers of batches
//! that are not complete.
//!
//! The machine knows a call by the number of its slot here. A batch is answered in one array, in
//! the order in which its calls end; until the last has, its answers are parked.

use super::{Version, errors::Failure};
use crate::Out;
use bytes::Bytes;
use farcall_core::{Code, Limits, Status};

/// The open calls of one connection.
pub(super) struct Open {
    calls: Slab<Call>,
    batches: Slab<Batch>,
    /// Bytes of all answers that are parked.
    parked: usize,
    most_calls: usize,
    most_parked: usize,
    /// Answers of whole batches are kept here instead of written.
    pub(super) kept: Option<Vec<u8>>,
}

/// A call that waits for its answer.
#[derive(Default)]
pub(super) struct Call {
    /// The id as the peer wrote it.
    pub(super) id: Vec<u8>,
    pub(super) one: bool,
    pub(super) batch: Option<usize>,
}

impl Call {
    pub(super) fn version(&self) -> Version {
        if self.one { Version::One } else { Version::Two }
    }
}

#[derive(Default)]
struct Batch {
    /// `[` and answers with commas between them.
    answers: Vec<u8>,
    /// How many answers are still due.
    due: usize,
    /// All of its calls are known.
    whole: bool,
}

impl Open {
    pub(super) fn new(limits: &Limits) -> Open {
        Open {
            calls: Slab::default(),
            batches: Slab::default(),
            parked: 0,
            // Those that run, and those that wait for it.
            most_calls: limits.calls_per_connection.saturating_add(limits.parked_calls),
            most_parked: limits.output_bytes,
            kept: None,
        }
    }

    /// Whether everything was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.taken() == 0 && self.batches.taken() == 0
    }

    /// A slot for a call; none where too many are open.
    #[inline]
    pub(super) fn call(
        &mut self,
        version: Version,
        id: &[u8],
        batch: Option<usize>,
    ) -> Option<u64> {
        if self.calls.taken() >= self.most_calls {
            return None;
        }
        let (slot, call) = self.calls.take();
        call.id.clear();
        compact(id, &mut call.id);
        call.one = version == Version::One;
        call.batch = batch;
        self.due(batch);
        Some(slot as u64)
    }

    /// One more answer is due to a batch.
    pub(super) fn due(&mut self, batch: Option<usize>) {
        if let Some(batch) = batch.and_then(|batch| self.batches.get(batch)) {
            batch.due += 1;
        }
    }

    /// The call of a slot.
    #[inline]
    pub(super) fn get(&mut self, slot: u64) -> Option<&mut Call> {
        self.calls.get(usize::try_from(slot).ok()?)
    }

    /// The call was answered.
    #[inline]
    pub(super) fn free(&mut self, slot: u64) {
        self.calls.free(slot as usize);
    }

    /// A batch begins.
    pub(super) fn batch(&mut self) -> usize {
        let (slot, batch) = self.batches.take();
        *batch = Batch::default();
        slot
    }

    /// All calls of a batch are known.
    pub(super) fn whole(&mut self, slot: usize, out: &mut Out) {
        if let Some(batch) = self.batches.get(slot) {
            batch.whole = true;
            self.finish(slot, out);
        }
    }

    /// Parks an answer that was written to the tail from `start` on; `id` is its call's.
    pub(super) fn park(&mut self, slot: usize, id: &[u8], start: usize, out: &mut Out) {
        let Some(batch) = self.batches.get(slot) else { return };
        let last = batch.whole && batch.due == 1;
        let answer = out.tail();
        if !last && self.parked > 0 && self.parked + answer.len() - start > self.most_parked {
            let text = format!(
                "the answers of the batch have more than {} bytes (Limits::output_bytes)",
                self.most_parked
            );
            let status = Status::new(Code::ResourceExhausted, text);
            answer.truncate(start);
            Failure::of(&status).write(Version::Two, id, answer);
            close_two(id, answer);
        }
        batch.answers.push(if batch.answers.is_empty() { b'[' } else { b',' });
        batch.answers.extend_from_slice(&answer[start..]);
        batch.due = batch.due.saturating_sub(1);
        self.parked += 1 + answer.len() - start;
        answer.truncate(start);
        self.finish(slot, out);
    }

    fn finish(&mut self, slot: usize, out: &mut Out) {
        let Some(batch) = self.batches.get(slot) else { return };
        if !batch.whole || batch.due > 0 {
            return;
        }
        let mut answers = std::mem::take(&mut batch.answers);
        self.batches.free(slot);
        self.parked -= answers.len();
        // "The Server should not return an empty Array" for a batch of notifications.
        if !answers.is_empty() {
            answers.extend_from_slice(b"]\n");
            if let Some(kept) = &mut self.kept {
                *kept = answers;
            } else if answers.len() <= COPY_BELOW {
                out.tail().extend_from_slice(&answers);
            } else {
                out.push(Bytes::from(answers));
            }
        }
    }
}

/// The end of an answer of 2.0.
pub(super) fn close_two(id: &[u8], tail: &mut Vec<u8>) {
    tail.extend_from_slice(b",\"id\":");
    tail.extend_from_slice(id);
    tail.push(b'}');
}

/// Copies an id without the white space in it: Go's server compacts what it echoes, and a line
/// feed would tear a line in two.
pub(super) fn compact(id: &[u8], to: &mut Vec<u8>) {
    if !matches!(id.first(), Some(b'{' | b'[')) {
        return to.extend_from_slice(id);
    }
    let (mut text, mut escaped) = (false, false);
    for &byte in id {
        if text || !super::is_space(byte) {
            to.push(byte);
        }
        text ^= byte == b'"' && !escaped;
        escaped = text && byte == b'\\' && !escaped;
    }
}

/// Values in numbered places that are used again.
struct Slab<T> {
    places: Vec<(bool, T)>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T: Default> Slab<T> {
    fn taken(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// A free place. What was there before may still be.
    #[inline]
    fn take(&mut self) -> (usize, &mut T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push((false, T::default()));
            self.places.len() - 1
        });
        let (taken, value) = &mut self.places[slot];
        *taken = true;
        (slot, value)
    }

    #[inline]
    fn get(&mut self, slot: usize) -> Option<&mut T> {
        let (taken, value) = self.places.get_mut(slot)?;
        taken.then_some(value)
    }

    #[inline]
    fn free(&mut self, slot: usize) {
        let Some((taken @ true, _)) = self.places.get_mut(slot) else { return };
        *taken = false;
        self.free.push(slot);
        if self.free.len() == self.places.len() && self.places.len() > KEEP {
            // A burst is over: an idle connection holds little.
            *self = Slab::default();
        }
    }
}

/// Places that an idle connection keeps.
const KEEP: usize = 16;
/// Batches up to this many bytes are copied to the output, longer ones join it as they are.
const COPY_BELOW: usize = 4096;
