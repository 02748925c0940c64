//! A field that borrows.

use farcall::Message;

#[derive(Message)]
struct Order {
    name: &'static str,
}

fn main() {}
