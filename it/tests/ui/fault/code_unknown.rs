//! A code that does not exist.

use farcall::Fault;

#[derive(Fault)]
enum Refused {
    #[fault(Missing, "there is none")]
    Empty,
}

fn main() {}
