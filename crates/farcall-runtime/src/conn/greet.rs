//! The first bytes: they name the protocol, once, and its wire is opened.

use super::Conn;
use crate::server::ConnInfo;
use farcall_wire::{
    Broken, Side,
    sniff::{Detected, detect},
};
use std::sync::{Arc, atomic::AtomicBool};

impl Conn {
    /// Opens the wire; false when more bytes are needed to tell which.
    pub(super) fn greet(&mut self) -> Result<bool, Broken> {
        match detect(&self.input, &self.shared.protocols) {
            Detected::Is(protocol) => {
                self.wire = Some(protocol.open(Side::Server, &self.shared.limits));
                self.info = Arc::new(ConnInfo {
                    peer: self.stream.peer.clone(),
                    identity: self.stream.write.identity(),
                    protocol: protocol.name(),
                    closed: AtomicBool::new(false),
                    router: self.shared.router.clone(),
                    away: self.shared.away.clone(),
                });
                Ok(true)
            }
            Detected::More => {
                self.unfed = false;
                Ok(false)
            }
            Detected::None => {
                let first = self.input[..self.input.len().min(8)].to_vec();
                Err(Broken::NoProtocol { first })
            }
        }
    }
}
