//! A number that another field has by its place.

use farcall::Message;

#[derive(Message)]
struct Order {
    #[field(2)]
    id: u64,
    lines: Vec<String>,
}

fn main() {}
