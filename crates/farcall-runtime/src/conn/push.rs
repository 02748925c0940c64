//! What is pushed to the client leaves its outbox for the output.

use super::{Conn, scratch};

impl Conn {
    /// Writes the messages that wait, if the protocol has any. What finds no room is looked at
    /// again when there is.
    pub(super) fn write_pushes(&mut self) {
        let Some(outbox) = &self.info.outbox else { return };
        let Some(wire) = self.wire.as_deref_mut() else { return };
        scratch::lend_tail(&mut self.out);
        self.streams.again |= outbox.write(wire, &mut self.out);
    }
}
