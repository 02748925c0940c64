//! An integer that no format carries, twice: both are reported.

use farcall::Message;

#[derive(Message)]
struct Order {
    id: u128,
    sum: i128,
}

fn main() {}
