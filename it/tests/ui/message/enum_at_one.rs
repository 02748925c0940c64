//! An enum that does not start at 0.

use farcall::Message;

#[derive(Message)]
enum Color {
    Red = 1,
    Green,
}

fn main() {}
