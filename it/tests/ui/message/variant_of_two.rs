//! A variant with two values.

use farcall::Message;

#[derive(Message)]
enum What {
    Price(u32, u32),
    Name(String),
}

fn main() {}
