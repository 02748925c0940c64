//! The most common mistakes in services, messages and errors, and what the compiler says to them,
//! word for word: where the message points is as much part of it as what it says.
//!
//! Other compilers say some of it otherwise, so this runs where the compiler is known, in
//! `.ci/run`: `cargo test -p farcall-it --features ui --test ui`. With `TRYBUILD=overwrite` what is
//! said now becomes what is expected.

#[test]
fn mistakes_get_a_message() {
    let cases = trybuild::TestCases::new();
    for folder in ["message", "service", "fault"] {
        cases.compile_fail(format!("tests/ui/{folder}/*.rs"));
    }
}
