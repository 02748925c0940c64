//! The derive on a struct.

use farcall::Fault;

#[derive(Fault)]
struct Refused;

fn main() {}
