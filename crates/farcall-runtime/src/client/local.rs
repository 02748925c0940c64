//! A client's connections apart for each runtime that it is used on: calls and the task that reads
//! their answers share a thread, and nothing is handed over.

use super::{ClientBuilder, Handle, link::Link, pool::Role, state::closed};
use farcall_core::Status;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use tokio::runtime::{self, Id};

impl<C> ClientBuilder<C> {
    /// Keeps the connections of each tokio runtime that calls apart, as many as
    /// [`connections`](ClientBuilder::connections) says for each: for programs that run one
    /// single-threaded runtime for each core, as [`Server::per_core`](crate::Server::per_core) does
    /// with its handlers. Calls then stay on the core that makes them. On one runtime it changes
    /// nothing, nor over HTTP/1.1, where a connection is one call's at a time.
    ///
    /// More than `Limits::connections_per_client` runtimes share what there is.
    pub fn per_core(mut self) -> Self {
        self.local = true;
        self
    }
}

/// The connections, by runtime.
pub(crate) struct Local {
    make: Box<dyn Fn() -> Handle + Send + Sync>,
    /// How many runtimes have connections of their own.
    most: usize,
    shards: RwLock<Shards>,
}

#[derive(Default)]
struct Shards {
    of: Vec<(Id, Arc<Handle>)>,
    closed: bool,
}

impl Local {
    pub(crate) fn new(most: usize, make: impl Fn() -> Handle + Send + Sync + 'static) -> Local {
        Local { make: Box::new(make), most: most.max(1), shards: RwLock::default() }
    }

    /// The connections of the current runtime.
    pub(crate) fn here(&self) -> Result<Arc<Handle>, Status> {
        let Ok(runtime) = runtime::Handle::try_current() else {
            return Err(super::call::runtime::outside());
        };
        let id = runtime.id();
        {
            let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
            if shards.closed {
                return Err(closed());
            }
            if let Some(shard) = shards.find(id, self.most) {
                return Ok(shard);
            }
        }
        let mut shards = self.write();
        if shards.closed {
            return Err(closed());
        }
        // Another thread of the same runtime may have come first.
        Ok(shards.find(id, self.most).unwrap_or_else(|| {
            let shard = Arc::new((self.make)());
            shards.of.push((id, Arc::clone(&shard)));
            shard
        }))
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shards> {
        self.shards.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// No more are made. Those that there are.
    pub(crate) fn close(&self) -> Vec<Arc<Link>> {
        let mut shards = self.write();
        shards.closed = true;
        shards.of.iter().flat_map(|(_, shard)| shard.links()).collect()
    }
}

impl Shards {
    /// A runtime's connections. Where there are enough, those of another: one that has ended, too,
    /// leaves connections that the next runtime opens anew.
    fn find(&self, id: Id, most: usize) -> Option<Arc<Handle>> {
        let own = self.of.iter().find(|(of, _)| *of == id);
        let (_, shard) = match own {
            Some(own) => own,
            None if self.of.len() < most => return None,
            None => {
                let number: u64 = id.to_string().parse().unwrap_or_default();
                &self.of[(number % self.of.len() as u64) as usize]
            }
        };
        Some(Arc::clone(shard))
    }
}

impl Handle {
    /// The connection that a call takes of those that take turns, or the only one.
    pub(crate) fn turn(self: &Arc<Handle>) -> Arc<Handle> {
        match &self.role {
            Role::Spread(spread) => spread.next(),
            _ => Arc::clone(self),
        }
    }
}
