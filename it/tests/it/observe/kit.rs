//! A subscriber that remembers what one test's thread says: the tests' runtimes have no other.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// What was said of a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By name, the last value of each field.
    pub(super) fields: BTreeMap<String, String>,
    /// How often it was entered.
    pub(super) entered: usize,
    /// What was said inside of it.
    pub(super) events: Vec<String>,
}

impl Seen {
    pub(super) fn is(&self, field: &str, value: &str) -> bool {
        self.fields.get(field).is_some_and(|found| found == value)
    }
}

/// What one test's thread remembers: spans, and what was said outside of them.
#[derive(Clone, Default)]
pub(super) struct Memory {
    spans: Arc<Mutex<BTreeMap<u64, Seen>>>,
    said: Arc<Mutex<Vec<String>>>,
}

thread_local! {
    /// Who remembers what this thread says.
    static CURRENT: RefCell<Option<Memory>> = const { RefCell::new(None) };
    /// The spans that this thread is in.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Whose each span is: other threads may enter it.
static OWNERS: Mutex<BTreeMap<u64, Memory>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Ends the memory of its thread.
pub(super) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

impl Memory {
    /// Begins to remember, for this thread and as long as the guard lives. The subscriber is one
    /// for the whole program: those of single threads miss what others are the first to say.
    pub(super) fn begin() -> (Memory, Guard) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing::subscriber::set_global_default(Everybody).expect("the only one");
        });
        let memory = Memory::default();
        CURRENT.set(Some(memory.clone()));
        (memory, Guard)
    }

    /// The spans that are so.
    pub(super) fn spans(&self, such: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let spans = self.spans.lock().expect("no panic");
        spans.values().filter(|seen| such(seen)).cloned().collect()
    }

    /// What was said outside of spans.
    pub(super) fn said(&self) -> Vec<String> {
        self.said.lock().expect("no panic").clone()
    }
}

/// Remembers something of a span, if it is anybody's.
fn of(id: u64, note: impl FnOnce(&mut Seen)) {
    let owner = OWNERS.lock().expect("no panic").get(&id).cloned();
    if let Some(memory) = owner {
        note(memory.spans.lock().expect("no panic").entry(id).or_default());
    }
}

/// The subscriber of all threads.
struct Everybody;

impl Subscriber for Everybody {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("farcall") || metadata.target() == "it"
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        if let Some(memory) = CURRENT.with_borrow(Option::clone) {
            OWNERS.lock().expect("no panic").insert(id, memory);
            of(id, |seen| attributes.record(&mut Fields(&mut seen.fields)));
        }
        Id::from_u64(id)
    }
    fn record(&self, id: &Id, record: &Record<'_>) {
        of(id.into_u64(), |seen| record.record(&mut Fields(&mut seen.fields)));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let Some(memory) = CURRENT.with_borrow(Option::clone) else { return };
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let text = format!("{fields:?}");
        match INSIDE.with_borrow(|inside| inside.last().copied()) {
            Some(id) => of(id, |seen| seen.events.push(text)),
            None => memory.said.lock().expect("no panic").push(text),
        }
    }
    fn enter(&self, id: &Id) {
        of(id.into_u64(), |seen| seen.entered += 1);
        INSIDE.with_borrow_mut(|inside| inside.push(id.into_u64()));
    }
    fn exit(&self, _: &Id) {
        INSIDE.with_borrow_mut(|inside| {
            inside.pop();
        });
    }
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
