//! Compressions and formats of one's own, on either end.

use super::Server;
use crate::client::ClientBuilder;
use farcall_core::Status;
use farcall_wire::{Codec, Compressor, Known};
use std::sync::Arc;

/// What was asked for: kept while a server or a client is being built.
#[derive(Default)]
pub(crate) struct Asked {
    known: Option<Known>,
    wrong: Option<String>,
}

impl Asked {
    fn compressor(&mut self, number: u8, compressor: impl Compressor) {
        let known = self.known.get_or_insert_default();
        if !known.compressors.add(number, Arc::new(compressor)) {
            self.wrong = Some(format!(
                "a compressor was given the number {number}; numbers from 2 to 7 are free"
            ));
        }
    }

    fn codec(&mut self, number: u8, codec: impl Codec) {
        if !self.known.get_or_insert_default().codecs.add(number, Arc::new(codec)) {
            self.wrong = Some(format!(
                "a codec was given the number {number}; numbers from 5 to 15 are free"
            ));
        }
    }

    /// All of it; none where nothing was asked for.
    pub(crate) fn known(self) -> Result<Option<Arc<Known>>, Status> {
        match self.wrong {
            None => Ok(self.known.map(Arc::new)),
            Some(text) => Err(Status::invalid_argument(text)),
        }
    }
}

impl Server {
    /// Knows a compression that is not built in by this number, from 2 to 7: rpcx carries three
    /// bits, of which 0 is none and 1 gzip. Calls that come so are unfolded, and answered so.
    /// Streams do not use it. Another number is an error of [`listen`](Server::listen).
    #[must_use]
    pub fn compressor(mut self, number: u8, compressor: impl Compressor) -> Server {
        self.known.compressor(number, compressor);
        self
    }

    /// Knows a format of bodies that is not built in by this number, from 5 to 15: rpcx carries
    /// four bits, of which 0 to 4 are taken (`protocol/message.go`). Calls that come so are
    /// answered so, over rpcx and its HTTP gateway. Another number is an error of
    /// [`listen`](Server::listen).
    #[must_use]
    pub fn codec(mut self, number: u8, codec: impl Codec) -> Server {
        self.known.codec(number, codec);
        self
    }
}

impl<C> ClientBuilder<C> {
    /// Knows a compression that is not built in by this number, from 2 to 7, over rpcx. Calls use
    /// it that ask for `Compress::Other(number)`. Another number is an error of building.
    pub fn compressor(mut self, number: u8, compressor: impl Compressor) -> Self {
        self.known.compressor(number, compressor);
        self
    }

    /// Knows a format of bodies that is not built in by this number, from 5 to 15, over rpcx. Calls
    /// use it that ask for `Format::Other(number)`. Another number is an error of building.
    pub fn codec(mut self, number: u8, codec: impl Codec) -> Self {
        self.known.codec(number, codec);
        self
    }
}
