//! Placeholder until the wire lands.
use crate::{Protocol, Side, Sniff, Wire};
use farcall_core::Limits;
/// Placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {}
impl std::fmt::Display for Broken {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
/// Placeholder.
pub struct Rpcx;
impl Protocol for Rpcx {
    fn name(&self) -> &'static str {
        "rpcx"
    }
    fn sniff(&self, _: &[u8]) -> Sniff {
        Sniff::No
    }
    fn open(&self, _: Side, _: &Limits) -> Box<dyn Wire> {
        unreachable!()
    }
}
