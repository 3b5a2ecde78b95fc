//! What Transship remembers of the tags that it wrote, from one round to the next.
//!
//! A round works without any memory, by comparing digests. With it, a reduced index is recognised
//! without reading it again, a tag that somebody else overwrote is told from one that moved at the
//! source, and an interrupted run can be explained.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::oci::{Digest, Repository, Tag};

/// The version of the file.
const VERSION: u32 = 1;

/// The memory of all mirrors of a process.
#[derive(Debug, Default)]
pub struct Ledger {
    records: Mutex<Records>,
    file: Option<PathBuf>,
}

/// Which tag of which destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The mirror, `namespace/name`.
    pub mirror: String,
    /// The name of the destination in the mirror.
    pub destination: String,
    /// The repository at the destination.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
}

/// What is remembered of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// The image at the source, with its tag.
    pub source: String,
    /// The digest that the tag has at the source.
    pub source_digest: Digest,
    /// The digest that was written.
    pub digest: Digest,
    /// Which parts of the image were written.
    pub shape: String,
    /// When this source digest was first seen.
    pub first_seen: Timestamp,
    /// When it was written; nothing while the push has begun and not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_at: Option<Timestamp>,
    /// Whether the tag was already right when it was first looked at: somebody else wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

/// A ledger that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
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

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Records {
    version: u32,
    mirrors: BTreeMap<String, Destinations>,
    /// When tags were first seen at the sources, for policies that ask for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    first_seen: BTreeMap<String, BTreeMap<Tag, Timestamp>>,
}

type Destinations = BTreeMap<String, BTreeMap<Repository, BTreeMap<Tag, Record>>>;

// === impl Record ===

impl Record {
    /// Whether it is about this digest of the source, in this shape.
    pub(super) fn is_of(&self, source: &Digest, shape: &Shape) -> bool {
        self.source_digest == *source && self.shape == shape.to_string()
    }
}

// === impl Ledger ===

impl Ledger {
    /// A memory that ends with the process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// A memory in a file, which need not exist yet.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let records = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| LedgerError::Parse {
                path: path.to_owned(),
                source,
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Records {
                version: VERSION,
                ..Records::default()
            },
            Err(source) => {
                return Err(LedgerError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        if records.version != VERSION {
            return Err(LedgerError::Version {
                path: path.to_owned(),
                found: records.version,
            });
        }
        Ok(Self {
            records: Mutex::new(records),
            file: Some(path.to_owned()),
        })
    }

    /// What is remembered of a tag.
    pub fn read(&self, slot: &Slot) -> Option<Record> {
        let Slot {
            mirror,
            destination,
            repository,
            tag,
        } = slot;
        let records = self.lock();
        records
            .mirrors
            .get(mirror)?
            .get(destination)?
            .get(repository)?
            .get(tag)
            .cloned()
    }

    /// The source digests that a mirror's tags had, by their images.
    pub fn sources(&self, mirror: &str) -> HashMap<String, Digest> {
        let records = self.lock();
        let destinations = records
            .mirrors
            .get(mirror)
            .into_iter()
            .flat_map(BTreeMap::values);
        let tags = destinations
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values);
        tags.map(|record| (record.source.clone(), record.source_digest.clone()))
            .collect()
    }

    /// When the tags of a source repository were first seen; new ones are seen now.
    pub fn first_seen(
        &self,
        source: &str,
        tags: &[Tag],
        now: Timestamp,
    ) -> HashMap<Tag, Timestamp> {
        let mut records = self.lock();
        let seen = records.first_seen.entry(source.to_owned()).or_default();
        tags.iter()
            .map(|tag| (tag.clone(), *seen.entry(tag.clone()).or_insert(now)))
            .collect()
    }

    /// Remembers a tag. It is on file after the next [`Ledger::flush`].
    pub fn write(&self, slot: Slot, record: Record) {
        let Slot {
            mirror,
            destination,
            repository,
            tag,
        } = slot;
        let mut records = self.lock();
        let destinations = records.mirrors.entry(mirror).or_default();
        destinations
            .entry(destination)
            .or_default()
            .entry(repository)
            .or_default()
            .insert(tag, record);
    }

    /// Brings everything to the file, atomically.
    pub fn flush(&self) -> Result<(), LedgerError> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let failed = |source| LedgerError::Write {
            path: path.clone(),
            source,
        };
        let bytes =
            serde_json::to_vec_pretty(&*self.lock()).map_err(|error| failed(error.into()))?;
        replace(path, &bytes).map_err(failed)
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(tag: &str) -> Slot {
        Slot {
            mirror: "default/m".to_owned(),
            destination: "eu".to_owned(),
            repository: "a/b".parse().unwrap(),
            tag: tag.parse().unwrap(),
        }
    }

    fn record() -> Record {
        Record {
            source: "docker.io/library/a:1".to_owned(),
            source_digest: Digest::sha256(b"source"),
            digest: Digest::sha256(b"destination"),
            shape: "all platforms".to_owned(),
            first_seen: Timestamp::UNIX_EPOCH,
            copied_at: None,
            adopted: false,
        }
    }

    #[test]
    fn what_was_flushed_is_there_for_the_next_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        let ledger = Ledger::open(&path).unwrap();
        ledger.write(slot("1"), record());
        ledger.flush().unwrap();

        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(
            (ledger.read(&slot("1")), ledger.read(&slot("2"))),
            (Some(record()), None)
        );
    }

    #[test]
    fn the_first_sight_of_a_tag_is_kept() {
        let ledger = Ledger::in_memory();
        let tags: Vec<Tag> = ["1", "2"].map(|tag| tag.parse().unwrap()).into();
        let later = Timestamp::from_second(60).unwrap();
        ledger.first_seen("a/b", &tags[..1], Timestamp::UNIX_EPOCH);
        let seen = ledger.first_seen("a/b", &tags, later);
        assert_eq!(
            (seen[&tags[0]], seen[&tags[1]]),
            (Timestamp::UNIX_EPOCH, later)
        );
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        for (text, expected) in [
            ("precious", "is not a state file"),
            (r#"{"version": 9, "mirrors": {}}"#, "has version 9"),
            (
                r#"{"version": 1, "mirrors": {}, "more": 1}"#,
                "is not a state file",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = Ledger::open(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
