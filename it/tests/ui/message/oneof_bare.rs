//! A `oneof` that cannot be absent.

use farcall::Message;

#[derive(Message)]
enum What {
    Price(u32),
    Name(String),
}

#[derive(Message)]
struct Order {
    #[field(oneof)]
    what: What,
}

fn main() {}
