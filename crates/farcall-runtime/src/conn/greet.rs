//! The first bytes: they name the protocol, once, and its wire is opened.

use super::{Close, Conn, part::Part};
use crate::server::ConnInfo;
use farcall_wire::{
    Broken, Side,
    sniff::{Detected, detect},
};
use std::sync::{Arc, atomic::AtomicBool};

impl Conn {
    /// Opens the wire; false when more bytes are needed to tell which, or none will be opened.
    pub(super) fn greet(&mut self) -> Result<bool, Broken> {
        if !self.input.is_empty() {
            self.shared.heard(self.id);
        }
        match detect(&self.input, self.spoken) {
            Detected::Is(protocol) => {
                self.wire = Some(protocol.open(Side::Server, &self.shared.limits));
                self.info = Arc::new(ConnInfo {
                    peer: self.stream.peer.clone(),
                    protocol: protocol.name(),
                    auth_key: protocol.auth_key(),
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
            Detected::Off(protocol) => {
                let broken = Broken::Off { name: protocol.name() };
                let answer = protocol.turn_away(&self.input, &broken.to_string());
                if answer.is_empty() {
                    return Err(broken);
                }
                self.out.tail().extend_from_slice(&answer);
                self.input.clear();
                self.unfed = false;
                self.part = Some(Part::boxed(Close::Broken(broken)));
                Ok(false)
            }
            Detected::NotBuilt(name) => Err(Broken::NotBuilt { name }),
            Detected::None => {
                let first = self.input[..self.input.len().min(8)].to_vec();
                Err(Broken::NoProtocol { first })
            }
        }
    }
}
