//! Records in a file, for the command line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures::future::{BoxFuture, FutureExt, ready};

use super::memory::{OLDEST_VERSION, Records, VERSION};
use super::{Keep, KeepError, Memory, Page};

/// The file given to `--state`.
#[derive(Debug)]
pub(super) struct StateFile(PathBuf);

/// A state file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read the state file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is not a state file of this version: {source}; give another file to --state, or remove it to start anew", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is of a newer version.
    #[error("the state file {} has version {found}, this program writes {VERSION}: use a newer transship", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The file cannot be written.
    #[error("cannot write the state file {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

// === impl StateFile ===

impl StateFile {
    /// The file, and what it remembers; nothing where it does not exist yet.
    pub(super) fn open(path: &Path) -> Result<(Self, Memory), FileError> {
        let path = path.to_owned();
        let records = match std::fs::read(&path) {
            Ok(bytes) => parse(&path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Records::default(),
            Err(source) => return Err(FileError::Read { path, source }),
        };
        Ok((Self(path), Memory::of(records)))
    }

    fn write(&self, memory: &Memory) -> Result<(), FileError> {
        let path = &self.0;
        let failed = |source| FileError::Write {
            path: path.clone(),
            source,
        };
        let bytes =
            serde_json::to_vec_pretty(&memory.records()).map_err(|error| failed(error.into()))?;
        replace(path, &bytes).map_err(failed)
    }
}

impl Keep for StateFile {
    /// A file that cannot be written costs the memory, not the copies.
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        _pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        if let Err(error) = self.write(memory) {
            tracing::warn!(%error, "the state was not saved");
        }
        ready(Ok(())).boxed()
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Records, FileError> {
    let mut records: Records =
        serde_json::from_slice(bytes).map_err(|source| FileError::Parse {
            path: path.to_owned(),
            source,
        })?;
    if !(OLDEST_VERSION..=VERSION).contains(&records.version) {
        return Err(FileError::Version {
            path: path.to_owned(),
            found: records.version,
        });
    }
    records.version = VERSION;
    Ok(records)
}

/// Writes the whole file or nothing of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
