//! Listeners that another process opened: systemd, or whoever starts a server's successor.
//!
//! Such a socket outlives the process. While no process accepts, connections wait in its queue, and
//! the next process serves them: a restart refuses nobody.
//!
//! Source: `sd_listen_fds(3)`. Descriptors begin at 3; `LISTEN_FDS` says how many there are,
//! `LISTEN_PID` for which process, `LISTEN_FDNAMES` how they are called, with colons in between.
//! The variables stay as they are, because a program of several threads cannot change them safely.
//! A child does not take them for its own: it has another process id, and the descriptors are
//! closed when it starts.

use farcall_core::Status;
use std::{net::TcpListener, ops::Range};

/// The first descriptor that is passed.
const FIRST: i32 = 3;

/// Descriptors that are taken at most; `LISTEN_FDS` is a text of anybody's.
const MOST: i32 = 1024;

/// Those that were passed to this process, and their names; none if `LISTEN_FDS` is not set, or
/// meant for another process.
pub(super) fn passed() -> Result<Range<i32>, Status> {
    let var = |name| std::env::var(name).ok();
    read(var("LISTEN_FDS"), var("LISTEN_PID"), std::process::id())
}

/// Whether listeners were passed to this process (`LISTEN_FDS`, and `LISTEN_PID` its own). An error
/// says which variable cannot be read.
pub fn inherits() -> Result<bool, Status> {
    passed().map(|passed| !passed.is_empty())
}

fn read(count: Option<String>, pid: Option<String>, own: u32) -> Result<Range<i32>, Status> {
    let Some(count) = count else { return Ok(FIRST..FIRST) };
    let wrong = |name, text: &str| {
        Status::invalid_argument(format!(
            "{name} is `{text}`, which is not a number that it can be"
        ))
    };
    if let Some(pid) = pid {
        let pid: u32 = pid.parse().map_err(|_| wrong("LISTEN_PID", &pid))?;
        if pid != own {
            return Ok(FIRST..FIRST);
        }
    }
    match count.parse() {
        Ok(count @ 0..=MOST) => Ok(FIRST..FIRST + count),
        _ => Err(wrong("LISTEN_FDS", &count)),
    }
}

/// The descriptor that `fd://…` means: a number, or one of `LISTEN_FDNAMES`.
pub(super) fn named(text: &str) -> Result<i32, Status> {
    let passed = passed()?;
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    find(text, passed, &names)
}

fn find(text: &str, passed: Range<i32>, names: &str) -> Result<i32, Status> {
    let wrong = |why: String| Err(Status::invalid_argument(format!("fd://{text}: {why}")));
    let Ok(number) = text.parse::<i32>() else {
        return match passed.clone().zip(names.split(':')).find(|(_, name)| *name == text) {
            Some((number, _)) => Ok(number),
            None => wrong("no descriptor of this name was passed (LISTEN_FDNAMES)".to_owned()),
        };
    };
    if number < FIRST {
        return wrong("descriptors below 3 are for input, output and errors".to_owned());
    }
    if !passed.is_empty() && !passed.contains(&number) {
        return wrong(format!("LISTEN_FDS passes {} to {}", FIRST, passed.end - 1));
    }
    Ok(number)
}

/// A listener that was passed.
pub(super) enum Passed {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// The listener behind a descriptor; an error says what is there instead. It does not block.
#[cfg(unix)]
pub(super) fn take(number: i32) -> Result<Passed, Status> {
    use std::os::fd::BorrowedFd;
    let wrong = |why: String| Status::invalid_argument(format!("descriptor {number} {why}"));
    if number < FIRST {
        return Err(wrong("is not one that is passed".to_owned()));
    }
    // SAFETY: `borrow_raw` wants a descriptor that is not -1, which was just seen, and that stays
    // open for as long as the borrow lasts, which is this function. Nothing here closes it, and one
    // that is not open at all is refused by the first system call on it, without harm. It is only
    // copied, never owned: whoever else in this process may own it keeps it.
    let passed = unsafe { BorrowedFd::borrow_raw(number) };
    let (socket, is_unix) = check(passed).map_err(wrong)?;
    let copied = |error: std::io::Error| wrong(format!("cannot be used: {error}"));
    socket.set_nonblocking(true).map_err(copied)?;
    Ok(match is_unix {
        true => Passed::Unix(socket.into()),
        false => Passed::Tcp(socket.into()),
    })
}

/// A copy of the socket, if it is a TCP or Unix socket that listens, and whether it is one of Unix.
/// Neither is left to children.
#[cfg(unix)]
fn check(passed: std::os::fd::BorrowedFd<'_>) -> Result<(socket2::Socket, bool), String> {
    // Copies close when another program is executed.
    let copy = passed.try_clone_to_owned().map_err(|error| format!("is not open: {error}"))?;
    let socket = socket2::Socket::from(copy);
    let kind = socket.r#type().map_err(|_| "is not a socket".to_owned())?;
    let address = socket.local_addr().map_err(|error| format!("has no address: {error}"))?;
    let is_unix = address.domain() == socket2::Domain::UNIX;
    if kind != socket2::Type::STREAM || !(is_unix || address.as_socket().is_some()) {
        return Err("is not a TCP or Unix socket".to_owned());
    }
    if !socket.is_listener().map_err(|error| format!("cannot be asked: {error}"))? {
        return Err("is a socket that does not listen".to_owned());
    }
    let original = socket2::SockRef::from(&passed);
    original.set_cloexec(true).map_err(|error| format!("cannot be kept from children: {error}"))?;
    Ok((socket, is_unix))
}

/// Descriptors are not passed on this system.
#[cfg(not(unix))]
pub(super) fn take(_: i32) -> Result<Passed, Status> {
    Err(Status::unimplemented("listeners are inherited on Unix alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_is_read() {
        let read = |count: &str, pid: Option<&str>| {
            super::read(Some(count.to_owned()), pid.map(str::to_owned), 77)
        };
        assert_eq!(super::read(None, None, 77), Ok(3..3));
        assert_eq!(read("2", Some("77")), Ok(3..5));
        assert_eq!(read("2", None), Ok(3..5));
        assert_eq!(read("2", Some("78")), Ok(3..3), "another's");
        for (count, pid, name) in
            [("x", "77", "LISTEN_FDS"), ("-1", "77", "LISTEN_FDS"), ("1", "me", "LISTEN_PID")]
        {
            let status = read(count, Some(pid)).expect_err(name);
            assert!(status.text().starts_with(name), "{status}");
        }
        assert_eq!(find("4", 3..5, ""), Ok(4));
        assert_eq!(find("9", 3..3, ""), Ok(9), "passed by a shell, without a word");
        assert_eq!(find("web", 3..5, "admin:web"), Ok(4));
        for (text, why) in
            [("1", "below 3"), ("9", "passes 3 to 4"), ("api", "no descriptor of this name")]
        {
            let status = find(text, 3..5, "admin:web").expect_err(text);
            assert!(status.text().contains(why), "{status}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_listener_is_named() {
        use std::os::fd::AsRawFd;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let taken = match take(listener.as_raw_fd()) {
            Ok(Passed::Tcp(taken)) => taken,
            _ => panic!("it is a TCP listener"),
        };
        assert_eq!(taken.local_addr().ok(), listener.local_addr().ok());
        let dialled =
            std::net::TcpStream::connect(taken.local_addr().expect("one")).expect("it is");
        let file = std::fs::File::open("/dev/null").expect("there is one");
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let silent = std::os::unix::net::UnixStream::pair().expect("two").0;
        for (number, why) in [
            (dialled.as_raw_fd(), "does not listen"),
            (file.as_raw_fd(), "is not a socket"),
            (datagrams.as_raw_fd(), "is not a TCP or Unix socket"),
            (silent.as_raw_fd(), "does not listen"),
            (1_000_000, "is not open"),
        ] {
            let status = take(number).err().expect(why);
            assert!(status.text().contains(why), "{status}");
        }
    }
}
