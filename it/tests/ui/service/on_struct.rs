//! The attribute on a struct.

#[farcall::service]
struct Arith;

fn main() {}
