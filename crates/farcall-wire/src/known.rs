//! What one end knows beside what is built in, told to its wires when they are opened.

use crate::{Codec, Codecs, Compressors};
use farcall_core::Format;

/// Compressions and formats of one's own.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// By rpcx's numbers 2 to 7.
    pub compressors: Compressors,
    /// By rpcx's numbers 5 to 15.
    pub codecs: Codecs,
}

impl Known {
    /// The codec of a format that is not built in.
    pub fn codec(&self, format: Format) -> Option<&dyn Codec> {
        self.codecs.find(format)
    }
}
