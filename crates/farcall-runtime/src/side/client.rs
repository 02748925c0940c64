//! The client's end of file transfer and of streams.

use super::{
    CHUNK, FILES, KEPT, STREAMS, TOKEN,
    words::{Asked, Given},
};
use crate::{client::Client, target::Address};
use farcall_core::{Format, Limits, Sent, Status};
use std::{fmt, io, path::Path, time::Duration};
use tokio::{
    fs::{self, File},
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

impl Client {
    /// Sends and fetches files, and opens streams of bytes, over connections of their own: rpcx's
    /// `SendFile`, `DownloadFile` and `Stream`.
    pub fn transfer(&self) -> Transfer {
        let (client, meta) = (self.clone(), Vec::new());
        Transfer { client, service: FILES.to_owned(), meta, name: None }
    }
}

/// Files and streams of a server; see [`Client::transfer`].
///
/// The call that asks goes as all calls of the client, with its deadline and its credentials; the
/// bytes go over plain TCP, as in rpcx, and have no deadline: a connection that brings nothing for
/// `Limits::write_stall` is given up.
#[derive(Clone, Debug)]
pub struct Transfer {
    client: Client,
    service: String,
    meta: Vec<(String, String)>,
    name: Option<String>,
}

impl Transfer {
    /// Tells the server's handler this as well.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Transfer {
        self.meta.push((key.into(), value.into()));
        self
    }

    /// Calls this service for files, instead of rpcx's `_filetransfer`.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Transfer {
        self.service = service.into();
        self
    }

    /// Names the file so that is sent; its own name unless given.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Transfer {
        self.name = Some(name.into());
        self
    }

    /// Sends a file; how many bytes it had. A server of this library confirms that it was kept. One
    /// of Go's says nothing: then it was written to the connection, and the server has closed that.
    ///
    /// # Errors
    /// `NotFound` where it cannot be opened; what the server says; `Aborted` where the bytes did
    /// not all go, or were not kept.
    pub async fn send(self, path: impl AsRef<Path>) -> Result<u64, Status> {
        let path = path.as_ref();
        let cannot = |error: io::Error| Status::not_found(format!("`{}`: {error}", path.display()));
        let file = File::open(path).await.map_err(cannot)?;
        let size = file.metadata().await.map_err(cannot)?.len();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let named = self.name.clone().unwrap_or(name);
        self.named(named).upload(file, size).await?;
        Ok(size)
    }

    /// Sends `size` bytes of whatever can be read, under the name that [`named`](Transfer::named)
    /// gave.
    ///
    /// # Errors
    /// As [`send`](Transfer::send); `Aborted` also where the reader has fewer bytes.
    pub async fn upload(self, from: impl AsyncRead, size: u64) -> Result<(), Status> {
        let declared = i64::try_from(size)
            .map_err(|_| Status::invalid_argument("no file has so many bytes"))?;
        let name = self.name.clone().unwrap_or_default();
        let asked = Asked { name, size: Some(declared), meta: self.meta.clone() };
        let given = self.ask(&self.service, "TransferFile", &asked).await?;
        let mut stream = self.open(&given).await?;
        let stall = self.limits().write_stall;
        let mut from = std::pin::pin!(from.take(size));
        let copied = copy(&mut from, &mut stream, stall).await.map_err(|e| self.broken(&e))?;
        if copied < size {
            // The server is not to take it for the end.
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return Err(self.aborted(format!("there were {copied} bytes to send, not {size}")));
        }
        stream.shutdown().await.map_err(|error| self.broken(&error))?;
        let mut word = [0; 1];
        match timeout(stall, stream.read(&mut word)).await {
            Ok(Ok(1)) if given.confirms && word == [KEPT] => Ok(()),
            Ok(Err(error)) => Err(self.broken(&error)),
            _ if given.confirms => Err(self.aborted("the server did not keep it")),
            // One of Go's closes when it has done with it, or does not.
            _ => Ok(()),
        }
    }

    /// Fetches a file into another, which must not exist; how many bytes it has. What did not come
    /// to its end is removed.
    ///
    /// # Errors
    /// What the server says; `AlreadyExists` for the place; `Aborted` where the bytes did not all
    /// come. A server of Go's does not say how many there are: then a file that it cannot read is
    /// an empty one.
    pub async fn fetch(self, name: impl Into<String>, to: impl AsRef<Path>) -> Result<u64, Status> {
        let to = to.as_ref();
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Status::already_exists(format!("`{}` is there", to.display()))
            }
            _ => Status::failed_precondition(format!("`{}`: {error}", to.display())),
        };
        let mut download = self.download(name).await?;
        let mut file = File::create_new(to).await.map_err(cannot)?;
        let copied = match download.copy_to(&mut file).await {
            Ok(copied) => file.sync_all().await.map(|()| copied).map_err(cannot),
            Err(status) => Err(status),
        };
        if copied.is_err() {
            drop(file);
            let _ = fs::remove_file(to).await;
        }
        copied
    }

    /// Asks for a file, whose bytes then come.
    ///
    /// # Errors
    /// What the server says.
    pub async fn download(self, name: impl Into<String>) -> Result<Download, Status> {
        let asked = Asked { name: name.into(), size: None, meta: self.meta.clone() };
        let given = self.ask(&self.service, "DownloadFile", &asked).await?;
        let most = self.limits().file_bytes;
        if let Some(size) = given.size.filter(|size| *size > most) {
            return Err(self.too_long(size));
        }
        let stream = self.open(&given).await?;
        Ok(Download { transfer: self, stream, size: given.size })
    }

    /// Opens a stream of bytes, which is the server's and the caller's from then on.
    ///
    /// # Errors
    /// What the server says.
    pub async fn stream(self) -> Result<TcpStream, Status> {
        let asked = Asked { meta: self.meta.clone(), ..Asked::default() };
        let given = self.ask(STREAMS, "Stream", &asked).await?;
        self.open(&given).await
    }

    fn limits(&self) -> &Limits {
        &self.client.link().limits
    }

    async fn ask(&self, service: &str, method: &str, asked: &Asked) -> Result<Given, Status> {
        let call = self.client.call(format!("{service}.{method}"), asked.write());
        Given::read(&call.format(Format::MsgPack).await?)
    }

    /// Dials and brings the token.
    async fn open(&self, given: &Given) -> Result<TcpStream, Status> {
        let address = self.reachable(&given.address);
        let limit = self.limits().connect_time;
        let opened = timeout(limit, async {
            let mut stream = TcpStream::connect(&address).await?;
            let _ = stream.set_nodelay(true);
            let token: [u8; TOKEN] = given.token;
            stream.write_all(&token).await?;
            io::Result::Ok(stream)
        });
        let opened = opened.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        opened.map_err(|error| {
            Status::unavailable(format!("cannot connect to `{address}` for the transfer: {error}"))
        })
    }

    /// Servers of Go's say what they listen on, which may be everywhere: then they are where the
    /// calls go.
    fn reachable(&self, said: &str) -> String {
        match (said.rsplit_once(':'), &self.client.target().address) {
            (Some(("" | "0.0.0.0" | "[::]", port)), Address::Tcp(to) | Address::Tls(to, _)) => {
                let host = to.rsplit_once(':').map_or(to.as_str(), |(host, _)| host);
                format!("{host}:{port}")
            }
            _ => said.to_owned(),
        }
    }

    #[cold]
    fn broken(&self, error: &io::Error) -> Status {
        self.aborted(format!("the transfer broke off: {error}"))
    }

    #[cold]
    fn aborted(&self, text: impl Into<String>) -> Status {
        Status::new(farcall_core::Code::Aborted, text.into()).with_sent(Sent::Yes)
    }

    #[cold]
    fn too_long(&self, size: u64) -> Status {
        let most = self.limits().file_bytes;
        Status::resource_exhausted(format!(
            "the file has {size} bytes or more; the limit is {most} (Limits::file_bytes)"
        ))
    }
}

/// A file that is coming; see [`Transfer::download`].
pub struct Download {
    transfer: Transfer,
    stream: TcpStream,
    size: Option<u64>,
}

impl Download {
    /// How many bytes there are, where the server says so: one of this library does.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Writes all of it; how many bytes there were.
    ///
    /// # Errors
    /// `Aborted` where they did not all come, or could not be written; `ResourceExhausted` for more
    /// than `Limits::file_bytes`.
    pub async fn copy_to(&mut self, to: impl AsyncWrite) -> Result<u64, Status> {
        let transfer = &self.transfer;
        let Limits { file_bytes, write_stall, .. } = *transfer.limits();
        let mut to = std::pin::pin!(to);
        let mut from = (&mut self.stream).take(file_bytes.saturating_add(1));
        let copied = copy(&mut from, &mut to, write_stall).await;
        let copied = copied.map_err(|error| transfer.broken(&error))?;
        if copied > file_bytes {
            return Err(transfer.too_long(copied));
        }
        match self.size.filter(|size| *size != copied) {
            Some(size) => {
                Err(transfer.aborted(format!("{copied} bytes of {size} came, and then the end")))
            }
            None => Ok(copied),
        }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Copies all there is, each piece in its time.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    stall: Duration,
) -> io::Result<u64> {
    let (mut chunk, mut copied) = (vec![0; CHUNK], 0);
    loop {
        let read = timeout(stall, from.read(&mut chunk)).await??;
        if read == 0 {
            timeout(stall, to.flush()).await??;
            return Ok(copied);
        }
        timeout(stall, to.write_all(&chunk[..read])).await??;
        copied += read as u64;
    }
}
