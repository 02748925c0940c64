//! Placeholder until the formats land.
