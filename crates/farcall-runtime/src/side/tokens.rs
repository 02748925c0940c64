//! Tokens that were given out and not brought yet: each once, for a time, and only so many.

use super::{
    TOKEN,
    host::{Ending, Given},
};
use farcall_core::{Limits, Status};
use std::{
    collections::HashMap,
    future::Future,
    io::{self, Read},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, watch::Receiver},
    time::Instant,
};

/// What becomes of the connection that brings a token, and of the server meanwhile.
pub(super) type Start =
    Box<dyn FnOnce(TcpStream, Receiver<Ending>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The tokens of one listener.
pub(super) struct Tokens {
    waiting: Mutex<HashMap<[u8; TOKEN], Waiting>>,
    /// One permit for each token, and for the connection that it becomes.
    room: Arc<Semaphore>,
    most: usize,
    time: Duration,
}

/// A token's purpose, until it is brought.
struct Waiting {
    brought: Brought,
    until: Instant,
}

/// What a token leads to.
pub(super) struct Brought {
    pub(super) start: Start,
    pub(super) given: Given,
    pub(super) permit: OwnedSemaphorePermit,
}

impl Tokens {
    pub(super) fn new(limits: &Limits) -> Tokens {
        let most = limits.side_connections.clamp(1, Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(most));
        Tokens { waiting: Mutex::default(), room, most, time: limits.side_wait }
    }

    /// A new token for this purpose.
    pub(super) fn give(&self, given: Given, start: Start) -> Result<[u8; TOKEN], Status> {
        let now = Instant::now();
        let token = random().map_err(|error| {
            tracing::error!(%error, "there is no randomness for a token");
            Status::internal("there is no randomness for a token")
        })?;
        self.sweep(now);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(Status::resource_exhausted(format!(
                "{} transfers are asked for or under way (Limits::side_connections)",
                self.most
            )));
        };
        let brought = Brought { start, given, permit };
        waiting.insert(token, Waiting { brought, until: now + self.time });
        Ok(token)
    }

    /// Those that nobody brought in their time make room, and give up what was kept for them.
    pub(super) fn sweep(&self, now: Instant) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let late: Vec<_> = waiting.extract_if(|_, waiting| waiting.until <= now).collect();
        drop(waiting);
        drop(late);
    }

    /// Takes a token back: what is to be done now.
    pub(super) fn take(&self, token: &[u8; TOKEN]) -> Option<Brought> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { brought, until } = waiting.remove(token)?;
        drop(waiting);
        (until > Instant::now() && !brought.given.host().is_void()).then_some(brought)
    }

    /// How long a connection has to bring its token.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// Connections that may be there without a token.
    pub(super) fn strangers(&self) -> usize {
        self.most
    }
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
