//! A variant without a code.

use farcall::Fault;

#[derive(Fault)]
enum Refused {
    Empty,
}

fn main() {}
