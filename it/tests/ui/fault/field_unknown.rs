//! A text that names a field that does not exist.

use farcall::Fault;

#[derive(Fault)]
enum Refused {
    #[fault(NotFound, "no order {number}")]
    Unknown { id: u64 },
}

fn main() {}
