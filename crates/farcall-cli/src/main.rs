//! The hand tool's binary. Everything is in the library beside it, where tests can reach it.

fn main() -> std::process::ExitCode {
    farcall_cli::run(std::env::args_os())
}
