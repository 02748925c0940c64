//! The gate: who may connect and call, and who is told what becomes of it, on every protocol.

mod hooks;
mod kit;
mod silent;
mod table;
mod together;
mod ways;
