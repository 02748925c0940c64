//! A service that tells who calls it, and folders for what tests put on a disk.

use farcall::{Cx, Result};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Tells callers what is known of them.
#[farcall::service]
pub trait Who {
    /// The other end of the connection.
    async fn peer(&self, cx: &Cx) -> Result<String>;
    /// The protocol, and the names that the caller's certificate proves.
    async fn names(&self, cx: &Cx) -> Result<Vec<String>>;
}

/// The service.
#[derive(Debug)]
pub struct Teller;

impl Who for Teller {
    async fn peer(&self, cx: &Cx) -> Result<String> {
        Ok(cx.peer().to_string())
    }
    async fn names(&self, cx: &Cx) -> Result<Vec<String>> {
        let mut names = vec![cx.protocol().to_owned()];
        if let Some(identity) = cx.identity() {
            names.extend(identity.dns_names().iter().chain(identity.uris()).cloned());
        }
        Ok(names)
    }
}

/// A folder of a test's own, gone with it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it.
    ///
    /// # Panics
    /// When the disk does not let it.
    #[allow(clippy::new_without_default, reason = "it makes something on the disk")]
    pub fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("farcall-it-{process}-{next}"));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    /// Something in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
