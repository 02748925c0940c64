//! Unix sockets: for peers on the same machine, who are known by the kernel's word for it.

use super::{Peer, ReadHalf, Stream, WriteHalf};
use bytes::BytesMut;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs,
    io::{self, IoSlice},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    pin::pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::AsyncReadExt,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Accepts on a socket file, which is removed when this is dropped.
pub(crate) struct UnixListener {
    listener: tokio::net::UnixListener,
    path: PathBuf,
    /// The file that was made: another may have taken its place since.
    file: Option<FileId>,
}

/// Which file a path leads to: device and inode.
type FileId = (u64, u64);

impl UnixListener {
    /// Makes the socket file and listens. A file that nobody listens on, left by a process that was
    /// killed, is replaced; two servers that find it in the same instant may take it from each
    /// other.
    pub(crate) fn bind(path: &Path, backlog: u32) -> io::Result<UnixListener> {
        let listener = match open(path, backlog) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                open(path, backlog)?
            }
            opened => opened?,
        };
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok(UnixListener { listener, path: path.to_owned(), file: file_id(path) })
    }

    /// Takes a socket that another process opened. Its file is that process's to remove.
    pub(crate) fn inherited(socket: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        let path = socket.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default();
        let listener = tokio::net::UnixListener::from_std(socket)?;
        Ok(UnixListener { listener, path, file: None })
    }

    /// Where it listens; empty where an inherited one has no path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        if self.file.is_some() && file_id(&self.path) == self.file {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens a connection.
pub(crate) async fn dial(path: &Path) -> io::Result<Stream> {
    Ok(adopt(UnixStream::connect(path).await?, Some(path)))
}

fn open(path: &Path, backlog: u32) -> io::Result<std::os::unix::net::UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog.try_into().unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Removes a socket file that nobody listens on.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |why: &str| io::Error::new(io::ErrorKind::AddrInUse, why.to_owned());
    let before = fs::symlink_metadata(path)?;
    if !before.file_type().is_socket() {
        return Err(in_use("there is a file of this name that is no socket"));
    }
    // Without waiting: a listener whose line is full is alive as well.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            return Err(in_use(&format!("its socket file cannot be asked who listens: {error}")));
        }
        Ok(()) | Err(_) => return Err(in_use("another process listens there")),
    }
    if file_id(path) == Some((before.dev(), before.ino())) {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn file_id(path: &Path) -> Option<FileId> {
    fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Takes a connected socket. Where it was dialled, the peer is known by its path; where it was
/// accepted, by its process.
pub(crate) fn adopt(socket: UnixStream, path: Option<&Path>) -> Stream {
    let credentials = socket.peer_cred().ok();
    let peer = Peer::Unix {
        path: path.map(Path::to_owned),
        pid: credentials.and_then(|c| c.pid()),
        uid: credentials.map(|c| c.uid()),
    };
    let (read, write) = socket.into_split();
    Stream { read: Box::new(Read(read)), write: std::sync::Arc::new(Write(write)), peer }
}

struct Read(OwnedReadHalf);

impl ReadHalf for Read {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().poll_read_ready(cx)
    }
    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        // The future of `read_buf` holds no state between polls, so a fresh one each time is sound.
        pin!(self.0.read_buf(input)).poll(cx)
    }
}

struct Write(OwnedWriteHalf);

impl WriteHalf for Write {
    fn poll_write(&self, cx: &mut Context<'_>, chunks: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.0.try_write_vectored(chunks) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
            ready!(self.0.as_ref().poll_write_ready(cx))?;
        }
    }
    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(chunks)
    }
    fn poll_close(&self, _: &mut Context<'_>) -> Poll<()> {
        let socket = socket2::SockRef::from(self.0.as_ref());
        let _ = socket.shutdown(std::net::Shutdown::Write);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn socket_files() {
        let folder = std::env::temp_dir().join(format!("farcall-unix-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("s.sock");
        let first = UnixListener::bind(&path, 8).expect("a new file");
        let taken = UnixListener::bind(&path, 8).map(drop).expect_err("it is live");
        assert!(taken.to_string().contains("another process listens"), "{taken}");
        drop(first);
        assert!(!path.exists(), "it goes with its listener");

        // What a killed process leaves behind: the file, and nobody who listens.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a new file"));
        assert!(path.exists());
        let second = UnixListener::bind(&path, 8).expect("a stale file is replaced");

        // The file of somebody else is left alone.
        fs::remove_file(&path).expect("it is there");
        let third = UnixListener::bind(&path, 8).expect("the name is free");
        drop(second);
        assert!(path.exists(), "it is the third one's");
        drop(third);

        fs::write(&path, "text").expect("a file");
        let error = UnixListener::bind(&path, 8).map(drop).expect_err("no socket");
        assert!(error.to_string().contains("no socket"), "{error}");
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
