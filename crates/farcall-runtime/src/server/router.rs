//! Names to methods: a table, frozen when serving starts, asked once per call with the bytes of the
//! frame.

use super::method::Method;
use farcall_core::{Found, MethodId, Routes, Status};

/// A method and its names.
pub(crate) struct Entry {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) method: Box<dyn Method>,
}

/// All methods of a server.
pub(crate) struct Router {
    entries: Vec<Entry>,
    /// Open addressing over [`hash`]; index into `entries` plus one, 0 for an empty place. At least
    /// half of the places are empty.
    places: Vec<u32>,
    /// Peers may read the names.
    listed: bool,
    /// Nothing is said of it to strangers.
    secret: bool,
}

impl Router {
    /// Freezes the table. Two methods of one name are an error.
    pub(crate) fn new(entries: Vec<Entry>, listed: bool, secret: bool) -> Result<Router, Status> {
        let size = (entries.len() * 2 + 1).next_power_of_two();
        let mut router = Router { entries: Vec::new(), places: vec![0; size], listed, secret };
        for entry in entries {
            let (service, name) = (entry.service.as_bytes(), entry.name.as_bytes());
            let Err(place) = router.place(service, name) else {
                let text = format!("{}.{} is registered twice", entry.service, entry.name);
                return Err(Status::already_exists(text));
            };
            router.entries.push(entry);
            router.places[place] = router.entries.len() as u32;
        }
        Ok(router)
    }

    /// The method of a number that [`Routes::find`] gave.
    #[inline]
    pub(crate) fn entry(&self, id: MethodId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    /// The entry's index, or the empty place where it would stand.
    #[inline]
    fn place(&self, service: &[u8], name: &[u8]) -> Result<u32, usize> {
        let mask = self.places.len() - 1;
        let mut place = hash(service, name) as usize & mask;
        loop {
            let Some(index) = self.places[place].checked_sub(1) else { return Err(place) };
            let entry = &self.entries[index as usize];
            if entry.name.as_bytes() == name && entry.service.as_bytes() == service {
                return Ok(index);
            }
            place = (place + 1) & mask;
        }
    }
}

impl Routes for Router {
    #[inline]
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        match self.place(service, method) {
            Ok(index) => Found::Method(MethodId(index)),
            Err(_) if self.entries.iter().any(|e| e.service.as_bytes() == service) => {
                Found::NoMethod
            }
            Err(_) => Found::NoService,
        }
    }

    fn secret(&self) -> bool {
        self.secret
    }

    /// A wire that lists names cannot know who asks.
    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        let listed = self.listed && !self.secret;
        if listed {
            self.entries.iter().for_each(|entry| each(&entry.service, &entry.name));
        }
        listed
    }
}

/// A hash of both names, eight bytes a step. Peers choose what is looked up but not what is in the
/// table, so it needs no secret.
#[inline]
fn hash(service: &[u8], method: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = service.len() as u64;
    for part in [service, method] {
        let mut chunks = part.chunks_exact(8);
        for chunk in &mut chunks {
            let word = chunk.try_into().map_or(0, u64::from_le_bytes);
            state = (state.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
        }
        let word = chunks.remainder().iter().fold(0, |word, b| word << 8 | u64::from(*b));
        state = (state.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    }
    state >> 32
}
