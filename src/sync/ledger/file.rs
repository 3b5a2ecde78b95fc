// SPDX-License-Identifier: Apache-2.0

//! Records in a file, for the command line.

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
    /// What was written last.
    known: Mutex<LastWritten>,
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
        let digest = bytes.as_deref().map(Digest::sha256);
        let records = bytes.map(|bytes| parse(path, &bytes)).transpose()?;
        let mut records = records.unwrap_or_default();
        if let (Some(last_written), Some(digest)) = (last_written, &digest) {
            doubt(path, &mut records, &last_written, digest);
        }
        if records.origin.id.is_empty() {
            records.origin.id = format!("{:032x}", fastrand::u128(..));
        }
        let file = Self {
            path: path.to_owned(),
            lock,
            known: Mutex::new(LastWritten {
                id: records.origin.id.clone(),
                serial: records.origin.serial,
                digests: digest.into_iter().collect(),
            }),
        };
        file.write(&mut records)?;
        Ok((file, Memory::of(records)))
    }

    /// What is written is noted before and after: a crash in between leaves one of the two.
    fn write(&self, records: &mut Records) -> Result<(), FileError> {
        let failed = |path: &Path, source| FileError::Write {
            path: path.to_owned(),
            source,
        };
        let noted = |known: &LastWritten| {
            let noted = self.lock.note(Some(known));
            noted.map_err(|source| failed(self.lock.path(), source))
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        records.origin.serial = known.serial.saturating_add(1);
        let bytes =
            serde_json::to_vec_pretty(records).map_err(|error| failed(&self.path, error.into()))?;
        let digest = Digest::sha256(&bytes);
        known.digests.push(digest.clone());
        noted(&known)?;
        replace(&self.path, &bytes).map_err(|source| failed(&self.path, source))?;
        known.serial = records.origin.serial;
        known.digests = vec![digest];
        noted(&known)
    }
}

/// Whoever wrote the file last was not this program, or it was another time: what nobody saw written counts as adopted.
fn doubt(path: &Path, records: &mut Records, last_written: &LastWritten, digest: &Digest) {
    let LastWritten {
        id,
        serial,
        digests,
    } = last_written;
    let origin = &mut records.origin;
    let what = if *id != origin.id && !origin.id.is_empty() {
        return;
    } else if *serial > origin.serial {
        "is an older copy of itself"
    } else if !digests.is_empty() && !digests.contains(digest) {
        "was changed by something else"
    } else {
        return;
    };
    tracing::warn!(
        "the state file {} {what}: nothing that is on record there counts as written by this mirror any more, so it is \
         kept",
        path.display()
    );
    origin.serial = origin.serial.max(*serial);
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
        let kept = kept.map_err(|error| KeepError {
            reason: Reason::CopyFailed,
            message: error.to_string(),
        });
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
