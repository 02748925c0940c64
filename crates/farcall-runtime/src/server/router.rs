//! Names to methods: a table, frozen when serving starts, asked once per call with the bytes of the
//! frame.

use super::{method::Method, web::Paths};
use farcall_core::{Bounds, Cors, Found, MethodId, Routes, Shape, Status, Streams, Way};
use farcall_wire::{Known, sniff::Spoken};
use std::sync::{Arc, atomic::AtomicU64};

/// A method and its names; or a page, whose service has none and whose name is its path.
pub(crate) struct Entry {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) streams: Streams,
    pub(crate) method: Box<dyn Method>,
    /// Of the argument and of the result, for whoever shows them.
    pub(crate) shapes: [Option<&'static Shape>; 2],
    /// How often it was called, where the server shows it.
    pub(crate) calls: AtomicU64,
}

impl Entry {
    /// A page.
    pub(crate) fn page(path: &str, page: Box<dyn Method>) -> Entry {
        let (service, name, shapes) = (String::new(), path.to_owned(), [None; 2]);
        let (streams, calls) = (Streams::default(), AtomicU64::new(0));
        Entry { service, name, streams, method: page, shapes, calls }
    }
}

/// All methods of a server, and its pages.
pub(crate) struct Router {
    /// The methods, then the pages.
    entries: Vec<Entry>,
    methods: usize,
    paths: Paths,
    /// Open addressing over [`hash`]; index into `entries` plus one, 0 for an empty place. At least
    /// half of the places are empty.
    places: Vec<u32>,
    /// Further names of methods, and their numbers.
    aliases: Vec<(Names, u32)>,
    /// Who takes what does not exist.
    fallback: Option<MethodId>,
    /// How bodies are read and written that no method's type says anything of.
    pub(super) known: Option<Arc<Known>>,
    pub(super) bounds: Bounds,
    /// What is said of services beside their methods.
    pub(super) described: Vec<(String, String)>,
    /// Peers may read the names.
    listed: bool,
    /// Nothing is said of it to strangers.
    secret: bool,
}

impl Router {
    /// Freezes the table. Two methods of one name are an error.
    pub(crate) fn new(
        methods: Vec<Entry>,
        pages: Vec<Entry>,
        paths: Paths,
        listed: bool,
        secret: bool,
    ) -> Result<Router, Status> {
        let size = (methods.len() * 2 + 1).next_power_of_two();
        let (entries, places, count) = (Vec::new(), vec![0; size], methods.len());
        let mut router = Router {
            entries,
            methods: count,
            paths,
            places,
            aliases: Vec::new(),
            fallback: None,
            known: None,
            bounds: Bounds::default(),
            described: Vec::new(),
            listed,
            secret,
        };
        for entry in methods {
            let (service, name) = (entry.service.as_bytes(), entry.name.as_bytes());
            let Err(place) = router.place(service, name) else {
                let text = format!("{}.{} is registered twice", entry.service, entry.name);
                return Err(Status::already_exists(text));
            };
            router.entries.push(entry);
            router.places[place] = router.entries.len() as u32;
        }
        router.entries.extend(pages);
        Ok(router)
    }

    /// Gives a method one more name.
    pub(super) fn alias(&mut self, alias: Names, of: &Names) -> Result<(), Status> {
        let find = |(service, name): &Names| self.place(service.as_bytes(), name.as_bytes());
        let (shown, shown_of) = (format!("{}.{}", alias.0, alias.1), format!("{}.{}", of.0, of.1));
        if find(&alias).is_ok() || self.aliases.iter().any(|(names, _)| *names == alias) {
            return Err(Status::already_exists(format!("{shown} is registered twice")));
        }
        let Ok(index) = find(of) else {
            let text = format!("{shown} is to be an alias of {shown_of}, which does not exist");
            return Err(Status::invalid_argument(text));
        };
        self.aliases.push((alias, index));
        Ok(())
    }

    /// Gives this entry what does not exist.
    pub(super) fn fall_back_to(&mut self, entry: Entry) {
        self.fallback = Some(MethodId(self.entries.len() as u32));
        self.entries.push(entry);
    }

    /// Who takes what does not exist.
    pub(crate) fn fallback(&self) -> Option<MethodId> {
        self.fallback
    }

    /// What was said of a service last.
    pub(super) fn metadata(&self, service: &str) -> Option<&str> {
        let mut said = self.described.iter().rev();
        said.find(|(name, _)| name == service).map(|(_, metadata)| metadata.as_str())
    }

    /// All methods, then all pages, then the fallback.
    pub(super) fn all(&self) -> &[Entry] {
        &self.entries
    }

    /// All methods.
    pub(crate) fn methods(&self) -> &[Entry] {
        &self.entries[..self.methods]
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

/// A service's name and a method's.
type Names = (String, String);

impl Router {
    /// What no method has as its own name.
    #[cold]
    fn elsewhere(&self, service: &[u8], method: &[u8]) -> Found {
        let mut aliases = self.aliases.iter();
        let is = |(names, _): &&(Names, u32)| {
            names.0.as_bytes() == service && names.1.as_bytes() == method
        };
        if let Some((_, index)) = aliases.find(is) {
            return Found::Method(MethodId(*index));
        }
        let mut services = self.methods().iter().map(|entry| &entry.service);
        let aliases = self.aliases.iter().map(|(names, _)| &names.0);
        match services.by_ref().chain(aliases).any(|name| name.as_bytes() == service) {
            true => Found::NoMethod,
            false => Found::NoService,
        }
    }
}

impl Routes for Router {
    #[inline]
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        match self.place(service, method) {
            Ok(index) => Found::Method(MethodId(index)),
            Err(_) => self.elsewhere(service, method),
        }
    }

    fn fallback(&self) -> bool {
        self.fallback.is_some()
    }

    fn secret(&self) -> bool {
        self.secret
    }

    fn streams(&self, method: MethodId) -> Streams {
        self.entry(method).streams
    }

    /// A wire that lists names cannot know who asks.
    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        let listed = self.listed && !self.secret;
        if listed {
            self.methods().iter().for_each(|entry| each(&entry.service, &entry.name));
        }
        listed
    }

    fn way(&self, path: &[u8]) -> Way {
        self.paths.way(path)
    }

    fn rest(&self) -> Option<MethodId> {
        self.paths.rest
    }

    fn cors(&self) -> Option<&Cors> {
        self.paths.cors.as_ref()
    }
}

/// The table as it is seen through one listener, which may speak less than its server.
pub(crate) struct Seen<'a> {
    pub(crate) router: &'a Router,
    pub(crate) spoken: Spoken,
}

impl Routes for Seen<'_> {
    #[inline]
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        self.router.find(service, method)
    }

    fn secret(&self) -> bool {
        self.router.secret()
    }

    fn streams(&self, method: MethodId) -> Streams {
        self.router.streams(method)
    }

    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        self.router.names(each)
    }

    fn way(&self, path: &[u8]) -> Way {
        self.router.way(path)
    }

    fn rest(&self) -> Option<MethodId> {
        self.router.rest()
    }

    fn fallback(&self) -> bool {
        Routes::fallback(self.router)
    }

    fn speaks(&self, protocol: &str) -> bool {
        self.spoken.protocols().any(|spoken| spoken.name() == protocol)
    }

    fn cors(&self) -> Option<&Cors> {
        self.router.cors()
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
