//! Certificates and keys: where they are read from, and when they are read again.

use farcall_core::Status;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// Files are looked at no more often than this, and only when somebody connects.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where PEM text comes from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Source {
    File(PathBuf),
    Text(Vec<u8>),
}

impl Source {
    /// The certificates; at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Status> {
        let text = self.text()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match found {
            Ok(found) if found.is_empty() => Err(self.bad("it holds no certificate in PEM")),
            Ok(found) => Ok(found),
            Err(error) => Err(self.bad(pem_words(error))),
        }
    }

    /// The first private key: PKCS#8, PKCS#1 or SEC 1.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, Status> {
        PrivateKeyDer::from_pem_slice(&self.text()?).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                self.bad("it holds no private key in PEM (encrypted ones are not read)")
            }
            error => self.bad(pem_words(error)),
        })
    }

    /// What is wrong with it.
    pub(super) fn bad(&self, why: impl fmt::Display) -> Status {
        Status::invalid_argument(format!("{self} cannot be used: {why}"))
    }

    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Source::File(path) => Some(path),
            Source::Text(_) => None,
        }
    }

    fn text(&self) -> Result<Vec<u8>, Status> {
        match self {
            Source::File(path) => fs::read(path).map_err(|error| self.bad(error)),
            Source::Text(text) => Ok(text.clone()),
        }
    }
}

/// What is wrong with PEM text, for whoever wrote the file.
fn pem_words(error: pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "it breaks off in the middle".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section of it has no proper start".to_owned(),
        pem::Error::Base64Decode(_) => "what should be base64 is not".to_owned(),
        error => error.to_string(),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "`{}`", path.display()),
            Source::Text(_) => f.write_str("the PEM text"),
        }
    }
}

impl fmt::Debug for Source {
    /// Never the text: it may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something made of files, made anew when they change. While what they hold cannot be used, the
/// last that could stays.
pub(super) struct Fresh<T> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, Status> + Send + Sync>,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Arc<T>,
    /// The files as they were before they were last read.
    seen: Vec<Option<Stamp>>,
    /// They could not be used: half written, perhaps.
    failed: bool,
    looked: Instant,
}

/// What changes when a file does: its time, its length, and itself.
type Stamp = (Option<SystemTime>, u64, u64);

impl<T> Fresh<T> {
    /// Makes it for the first time.
    pub(super) fn new<'s>(
        sources: impl IntoIterator<Item = &'s Source>,
        make: impl Fn() -> Result<T, Status> + Send + Sync + 'static,
    ) -> Result<Fresh<T>, Status> {
        let files: Vec<_> =
            sources.into_iter().filter_map(Source::file).map(Path::to_owned).collect();
        let seen = stamps(&files);
        let current = Arc::new(make()?);
        let state = State { current, seen, failed: false, looked: Instant::now() };
        Ok(Fresh { files, make: Box::new(make), state: Mutex::new(state) })
    }

    /// The present one; the files are looked at if that was not done just now.
    pub(super) fn current(&self) -> Arc<T> {
        let mut state = self.lock();
        if !self.files.is_empty() && state.looked.elapsed() >= LOOK_EVERY {
            self.look(&mut state);
        }
        Arc::clone(&state.current)
    }

    /// Makes it anew, whatever the files look like.
    pub(super) fn reload(&self) -> Result<(), Status> {
        let mut state = self.lock();
        state.seen = stamps(&self.files);
        state.current = Arc::new((self.make)()?);
        state.failed = false;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, state: &mut State<T>) {
        state.looked = Instant::now();
        // Before they are read: what changes meanwhile is seen the next time.
        let seen = stamps(&self.files);
        let changed = seen != state.seen;
        if !changed && !state.failed {
            return;
        }
        state.seen = seen;
        match (self.make)() {
            Ok(made) => {
                (state.current, state.failed) = (Arc::new(made), false);
                tracing::info!(files = ?self.files, "certificates were read anew");
            }
            Err(error) => {
                state.failed = true;
                if changed {
                    tracing::warn!(%error, "new certificates cannot be used; the old ones stay");
                }
            }
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |file: &PathBuf| {
        let data = fs::metadata(file).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&data);
        #[cfg(not(unix))]
        let inode = 0;
        Some((data.modified().ok(), data.len(), inode))
    };
    files.iter().map(stamp).collect()
}
