//! One folder whose files peers may fetch, and to which they may add some: the only place where
//! what a peer says becomes the name of a file.
//!
//! Names are plain (`names.rs`), so they lead to entries of the folder alone. What is opened must
//! be the regular file that stood there, with no other name: no symbolic link, no second link, no
//! pipe. What comes is written under a name of this library's own and gets its name when it is
//! complete, so that nobody sees half of it and nothing is written over.

use super::{names, tokens::random, words::Asked};
use farcall_core::Status;
use std::{
    fmt,
    fs::{File, Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A folder that [`Server::files`](crate::Server::files) gives files of and takes files into.
#[derive(Clone, Debug)]
pub struct Files {
    pub(super) root: Arc<Root>,
    pub(super) service: String,
    pub(super) gives: bool,
    pub(super) takes: bool,
}

/// The folder, and what it may still hold.
#[derive(Debug)]
pub(super) struct Root {
    folder: PathBuf,
    /// Bytes that files here may have together; those that are declared and on their way included.
    quota: u64,
    used: Mutex<u64>,
}

impl Files {
    /// The files that lie in this folder itself, for fetching. What lies deeper, is hidden, is a
    /// link or has a second name is not there.
    ///
    /// # Errors
    /// `InvalidArgument` where it is no folder that can be read.
    pub fn of(folder: impl AsRef<Path>) -> Result<Files, Status> {
        let folder = folder.as_ref();
        let cannot =
            |error: io::Error| Status::invalid_argument(format!("`{}`: {error}", folder.display()));
        let folder = folder.canonicalize().map_err(cannot)?;
        let mut used = 0u64;
        for entry in std::fs::read_dir(&folder).map_err(cannot)? {
            let found = entry.and_then(|entry| entry.metadata()).map_err(cannot)?;
            used = used.saturating_add(if found.is_file() { found.len() } else { 0 });
        }
        let root = Root { folder, quota: 0, used: Mutex::new(used) };
        let (root, service) = (Arc::new(root), super::FILES.to_owned());
        Ok(Files { root, service, gives: true, takes: false })
    }

    /// Takes files as well, until all in the folder have `quota` bytes together, what lies there
    /// now included. A name that is taken is refused.
    #[must_use]
    pub fn take_up_to(mut self, quota: u64) -> Files {
        let used = *self.root.used.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.root.folder.clone();
        self.root = Arc::new(Root { folder, quota, used: Mutex::new(used) });
        self.takes = true;
        self
    }

    /// Gives none.
    #[must_use]
    pub fn take_only(mut self) -> Files {
        self.gives = false;
        self
    }

    /// Serves under this name instead of rpcx's, `_filetransfer`.
    #[must_use]
    pub fn named(mut self, service: impl Into<String>) -> Files {
        self.service = service.into();
        self
    }
}

impl Root {
    fn place(&self, name: &str) -> Result<PathBuf, Status> {
        names::check(name).map_err(|why| {
            let name: String = name.chars().take(80).collect();
            Status::invalid_argument(format!("the name {name:?} is not taken: {why}"))
        })?;
        Ok(self.folder.join(name))
    }

    /// Opens a file for reading; blocks.
    pub(super) fn open(&self, name: &str) -> Result<(File, u64), Status> {
        let place = self.place(name)?;
        // What exists and may not be read is told from what does not exist by nobody.
        let gone = || Status::not_found(format!("there is no file `{name}`"));
        let before = place.symlink_metadata().map_err(|_| gone())?;
        if !plain(&before) {
            return Err(gone());
        }
        let file = File::open(&place).map_err(|error| {
            tracing::warn!(file = %place.display(), %error, "a file cannot be given");
            gone()
        })?;
        // Whoever put something else there in between gets nothing.
        let opened = file.metadata().map_err(|_| gone())?;
        match plain(&opened) && same(&before, &opened) {
            true => Ok((file, opened.len())),
            false => Err(gone()),
        }
    }

    /// A place for a file of this size; blocks.
    pub(super) fn reserve(self: &Arc<Root>, asked: &Asked, most: u64) -> Result<Coming, Status> {
        let place = self.place(&asked.name)?;
        let size = asked.size.unwrap_or(0);
        let size = u64::try_from(size)
            .map_err(|_| Status::invalid_argument(format!("a file cannot have {size} bytes")))?;
        if size > most {
            return Err(Status::resource_exhausted(format!(
                "the file has {size} bytes; the limit is {most} (Limits::file_bytes)"
            )));
        }
        if place.symlink_metadata().is_ok() {
            return Err(taken(&asked.name));
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let all = used.saturating_add(size);
        if all > self.quota {
            return Err(Status::resource_exhausted(format!(
                "there is no room for {size} more bytes here"
            )));
        }
        *used = all;
        let root = Arc::clone(self);
        Ok(Coming { root, name: asked.name.clone(), place, size, part: None, kept: false })
    }
}

fn taken(name: &str) -> Status {
    Status::already_exists(format!("there is a file `{name}`"))
}

/// Whether it is a file and nothing but a file, under one name.
fn plain(found: &Metadata) -> bool {
    #[cfg(unix)]
    let alone = std::os::unix::fs::MetadataExt::nlink(found) == 1;
    #[cfg(not(unix))]
    let alone = true;
    found.is_file() && alone
}

/// Whether two looks saw one file.
fn same(one: &Metadata, other: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        one.dev() == other.dev() && one.ino() == other.ino()
    }
    #[cfg(not(unix))]
    {
        one.created().ok() == other.created().ok() && one.len() == other.len()
    }
}

/// A file that is on its way: its room is given back unless it is kept.
pub(super) struct Coming {
    root: Arc<Root>,
    name: String,
    place: PathBuf,
    pub(super) size: u64,
    /// Where it is written until it is complete.
    part: Option<PathBuf>,
    kept: bool,
}

impl Coming {
    /// Where to write; blocks.
    pub(super) fn begin(&mut self) -> io::Result<File> {
        let name: String = random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = self.root.folder.join(format!(".farcall-{name}.part"));
        let file = OpenOptions::new().write(true).create_new(true).open(&part)?;
        self.part = Some(part);
        Ok(file)
    }

    /// All of it is there: it gets its name, if nobody took that; blocks.
    pub(super) fn keep(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        let Some(part) = &self.part else { return Err(io::ErrorKind::NotFound.into()) };
        // A link does not write over what is there, as a new name for the old file would.
        std::fs::hard_link(part, &self.place)?;
        self.kept = true;
        Ok(())
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coming").field("name", &self.name).field("size", &self.size).finish()
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            let _ = std::fs::remove_file(part);
        }
        if !self.kept {
            let mut used = self.root.used.lock().unwrap_or_else(PoisonError::into_inner);
            *used = used.saturating_sub(self.size);
        }
    }
}
