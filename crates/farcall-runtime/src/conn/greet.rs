//! The first bytes: they name the protocol, once, and its wire is opened.

use super::{Close, Conn, part::Part};
use farcall_wire::{
    Broken, Side, Sniff,
    sniff::{Detected, detect},
};

impl Conn {
    /// Asks the protocols that are not built in first, then those that are.
    fn detect(&self) -> Detected {
        let mut more = false;
        for protocol in &self.shared.given {
            match protocol.sniff(&self.input) {
                Sniff::Yes => return Detected::Is(*protocol),
                Sniff::More => more = true,
                Sniff::No => {}
            }
        }
        match detect(&self.input, self.spoken) {
            _ if more => Detected::More,
            detected => detected,
        }
    }

    /// Opens the wire; false when more bytes are needed to tell which, or none will be opened.
    pub(super) fn greet(&mut self) -> Result<bool, Broken> {
        if !self.input.is_empty() {
            self.shared.heard(self.id);
        }
        match self.detect() {
            Detected::Is(protocol) => {
                let mut wire = protocol.open(Side::Server, &self.shared.limits);
                if let Some(known) = &self.shared.known {
                    wire.know(known);
                }
                self.wire = Some(wire);
                self.streaming = protocol.streams();
                self.shared.speak(&mut self.info, Some(protocol), &self.stream, &self.late);
                self.put_goodbye();
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
