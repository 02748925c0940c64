//! The runtime's warnings on standard error, for the command that stays: a subscriber of sixty
//! lines instead of a dependency. `FARCALL_LOG=info` (or `debug`, …) shows more.

use crate::output;
use std::fmt::{self, Write as _};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Shows events from now on.
pub(crate) fn start() {
    let named = std::env::var("FARCALL_LOG").ok().and_then(|level| level.parse().ok());
    let log = Log { level: named.unwrap_or(Level::WARN) };
    // Only the first one counts, which in this program is the only one.
    let _ = tracing::subscriber::set_global_default(log);
}

/// Prints events up to a level; spans mean nothing to it.
struct Log {
    level: Level,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = event.metadata().level().as_str().to_lowercase();
        output::note(&format!("{level}: {}{}", line.message, line.fields));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `String` cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
