// SPDX-License-Identifier: Apache-2.0

//! The lock of a state file: one run at a time, from the first look to the last word.
//!
//! The state file is replaced whenever it is written, so the lock is on a file beside it, which stays. It
//! also says who has the lock, and what was written last.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::file_error::FileError;
use super::regular::{beside, refuse_special};
use crate::oci::Digest;
use crate::runtime::clock;

/// Longest content of the file, in bytes.
const BYTES: u64 = 4096;
/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// Where Linux names the machine.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The lock of one state file, which is let go of when it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: Mutex<File>,
    path: PathBuf,
    holder: Holder,
}

/// Which state was written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastWritten {
    /// The identity of the state.
    pub(super) id: String,
    /// How often it had been written.
    pub(super) serial: u64,
    /// The digest of its bytes; none from a program that noted none.
    #[serde(default)]
    pub(super) digest: Option<Digest>,
}

/// Who has the lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    since: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Content {
    holder: Option<Holder>,
    last_written: Option<LastWritten>,
}

// === impl Lock ===

impl Lock {
    /// Takes the lock of a state file, and says what was written last. Waits for it as long as `wait` says.
    pub(super) fn take(
        state: &Path,
        wait: Duration,
    ) -> Result<(Self, Option<LastWritten>), FileError> {
        let path = beside(state, ".lock");
        refuse_special(&path)?;
        let failed = |source| FileError::Write {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let file = options.open(&path).map_err(failed)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() < wait => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(FileError::Locked {
                        path: state.to_owned(),
                        holder: read(&file).holder.map_or_else(unknown, |it| it.to_string()),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        let last_written = read(&file).last_written;
        let lock = Self {
            file: Mutex::new(file),
            path: path.clone(),
            holder: Holder::this(),
        };
        lock.note(last_written.clone()).map_err(failed)?;
        Ok((lock, last_written))
    }

    /// The file that holds the lock.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes what was written last.
    pub(super) fn note(&self, last_written: Option<LastWritten>) -> io::Result<()> {
        let content = Content {
            holder: Some(self.holder.clone()),
            last_written,
        };
        let bytes = serde_json::to_vec(&content)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes)?;
        file.set_len(bytes.len() as u64)
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a child process that has not begun its program yet has it open, too.
    fn drop(&mut self) {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Where that fails, closing it may do.
        let _ = file.unlock();
    }
}

/// What the file says, as far as it can be understood: its holder may just be writing it.
fn read(mut file: &File) -> Content {
    let mut bytes = Vec::new();
    let found = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(BYTES).read_to_end(&mut bytes));
    found
        .ok()
        .and_then(|_| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn unknown() -> String {
    "another run".to_owned()
}

// === impl Holder ===

impl Holder {
    fn this() -> Self {
        let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
        let host = host.trim();
        Self {
            pid: std::process::id(),
            host: if host.is_empty() { "this host" } else { host }.to_owned(),
            since: clock::now(),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, host, since } = self;
        let host: String = host.escape_debug().take(255).collect();
        write!(formatter, "process {pid} on {host} since {since:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_still_has_the_file_open_does_not_keep_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state.json");
        let (lock, _) = Lock::take(&state, Duration::ZERO).unwrap();
        let inherited = lock.file.lock().unwrap().try_clone().unwrap();
        Lock::take(&state, Duration::ZERO).expect_err("it is held");
        drop(lock);
        Lock::take(&state, Duration::ZERO).unwrap();
        drop(inherited);
    }
}
