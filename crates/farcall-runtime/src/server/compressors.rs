//! Compressions of one's own, on either end.

use super::Server;
use crate::client::ClientBuilder;
use farcall_core::Status;
use farcall_wire::{Compressor, Compressors};
use std::sync::Arc;

/// What was asked for: kept while a server or a client is being built.
#[derive(Default)]
pub(crate) struct Asked {
    known: Option<Compressors>,
    wrong: Option<u8>,
}

impl Asked {
    fn add(&mut self, number: u8, compressor: impl Compressor) {
        if !self.known.get_or_insert_default().add(number, Arc::new(compressor)) {
            self.wrong = Some(number);
        }
    }

    /// All of them; none where nothing was asked for.
    pub(crate) fn known(self) -> Result<Option<Arc<Compressors>>, Status> {
        match self.wrong {
            None => Ok(self.known.map(Arc::new)),
            Some(number) => Err(Status::invalid_argument(format!(
                "a compressor was given the number {number}; numbers from 2 to 7 are free"
            ))),
        }
    }
}

impl Server {
    /// Knows a compression that is not built in by this number, from 2 to 7: rpcx carries three
    /// bits, of which 0 is none and 1 gzip. Calls that come so are unfolded, and answered so.
    /// Streams do not use it. Another number is an error of [`listen`](Server::listen).
    #[must_use]
    pub fn compressor(mut self, number: u8, compressor: impl Compressor) -> Server {
        self.compressors.add(number, compressor);
        self
    }
}

impl<C> ClientBuilder<C> {
    /// Knows a compression that is not built in by this number, from 2 to 7, over rpcx. Calls use
    /// it that ask for `Compress::Other(number)`. Another number is an error of building.
    pub fn compressor(mut self, number: u8, compressor: impl Compressor) -> Self {
        self.compressors.add(number, compressor);
        self
    }
}
