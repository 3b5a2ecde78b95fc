// SPDX-License-Identifier: Apache-2.0

//! Records in a file, for the command line.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, ready};
use serde::Deserialize;

use super::file_error::FileError;
use super::lock::{LastWritten, Lock};
use super::records::{OLDEST_VERSION, Records, VERSION};
use super::regular::{read, refuse_special, replace};
use super::unique::refuse_twice;
use super::{Keep, KeepError, Memory, Page};
use crate::api::Reason;
use crate::oci::Digest;
use crate::plan::Mirror;

/// Largest state file that is read, in bytes: about half a million tags.
const BYTES: u64 = 512 << 20;

/// The file given to `--state`, which nobody else writes meanwhile.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    lock: Lock,
    /// How often the state was written.
    serial: Mutex<u64>,
}

/// What is read first: the rest is that of the version.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

// === impl StateFile ===

impl StateFile {
    /// The file, and what it remembers; nothing where it does not exist yet. It is written at once: what
    /// cannot be remembered is not begun. Waits for another run to end for as long as `wait` says.
    pub(super) fn open(path: &Path, wait: Duration) -> Result<(Self, Memory), FileError> {
        refuse_special(path)?;
        let (lock, last_written) = Lock::take(path, wait)?;
        let bytes = read(path, BYTES)?;
        let mut records = match &bytes {
            Some(bytes) => parse(path, bytes)?,
            None => Records::default(),
        };
        if let (Some(last_written), Some(bytes)) = (last_written, &bytes) {
            doubt(path, &mut records, &last_written, bytes);
        }
        drop(bytes);
        if records.origin.id.is_empty() {
            records.origin.id = format!("{:032x}", fastrand::u128(..));
        }
        let file = Self {
            path: path.to_owned(),
            lock,
            serial: Mutex::new(records.origin.serial),
        };
        file.write(&mut records)?;
        Ok((file, Memory::of(records)))
    }

    fn write(&self, records: &mut Records) -> Result<(), FileError> {
        let failed = |path: &Path, source| FileError::Write {
            path: path.to_owned(),
            source,
        };
        let mut serial = self.serial.lock().unwrap_or_else(PoisonError::into_inner);
        records.origin.serial = serial.saturating_add(1);
        let bytes =
            serde_json::to_vec_pretty(records).map_err(|error| failed(&self.path, error.into()))?;
        replace(&self.path, &bytes).map_err(|source| failed(&self.path, source))?;
        *serial = records.origin.serial;
        let last_written = LastWritten {
            id: records.origin.id.clone(),
            serial: *serial,
            digest: Some(Digest::sha256(&bytes)),
        };
        let noted = self.lock.note(Some(last_written));
        noted.map_err(|source| failed(self.lock.path(), source))
    }
}

/// Whoever wrote the file last was not this program, or it was another time: what nobody saw written counts as adopted.
/// A crash leaves one that was written once more than is noted.
fn doubt(path: &Path, records: &mut Records, last_written: &LastWritten, bytes: &[u8]) {
    let LastWritten { id, serial, digest } = last_written;
    let origin = &mut records.origin;
    let is_it = *id == origin.id || origin.id.is_empty();
    let is_other = || {
        let digest = digest.as_ref();
        digest.is_some_and(|digest| *digest != Digest::sha256(bytes))
    };
    let what = match serial.cmp(&origin.serial) {
        _ if !is_it => return,
        Ordering::Greater => "is an older copy of itself",
        Ordering::Equal if is_other() => "was changed by something else",
        Ordering::Equal | Ordering::Less => return,
    };
    tracing::warn!(
        "the state file {} {what}: nothing that is on record there counts as written by this mirror any more, so it is \
         kept",
        path.display()
    );
    origin.serial = *serial;
    records.adopt_all();
}

impl Keep for StateFile {
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        _owner: &'a Mirror,
        _pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        let kept = self.write(&mut memory.records());
        let kept = kept.map_err(|error| KeepError::new(Reason::CopyFailed, error.to_string()));
        ready(kept).boxed()
    }
}

/// What a file remembers; nothing where it does not exist. It may be replaced meanwhile.
pub(super) fn load(path: &Path) -> Result<Option<Records>, FileError> {
    let bytes = read(path, BYTES)?;
    bytes.map(|bytes| parse(path, &bytes)).transpose()
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Records, FileError> {
    let failed = |source| FileError::Parse {
        path: path.to_owned(),
        source,
    };
    let Version { version } = serde_json::from_slice(bytes).map_err(failed)?;
    if !(u64::from(OLDEST_VERSION)..=u64::from(VERSION)).contains(&version) {
        return Err(FileError::Version {
            path: path.to_owned(),
            found: version,
        });
    }
    refuse_twice(bytes).map_err(failed)?;
    let mut records: Records = serde_json::from_slice(bytes).map_err(failed)?;
    records.version = VERSION;
    Ok(records)
}
