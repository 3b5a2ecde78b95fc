// SPDX-License-Identifier: Apache-2.0

//! Where images wait until they are put into a bundle: layouts beside it, which take the place of the destinations.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::places::directory_of;
use crate::api::image_mirror::{PruneMode, TagMutability};
use crate::cli::connect::MirrorConnection;
use crate::cli::error::Error;
use crate::layout::{BundleIndex, BundledOrigin, Layout, StagedRepository};
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::conflicts::SourceImage;
use crate::plan::report::{Outcome, TagReport};
use crate::sync::{Report, RoundInput};

/// The rights of the directory: nobody else reads what waits there.
const PRIVATE: u32 = 0o700;
/// The rights of others to put something there.
const OTHERS_WRITE: u32 = 0o022;
/// The file that keeps others out.
const LOCK: &str = "lock";

/// A directory beside a bundle. Gone with this value; from the blobs that a kill leaves the next run for the same
/// bundle goes on.
pub(super) struct Staging {
    pub(super) directory: PathBuf,
    layouts: BTreeMap<Registry, Layout>,
    _lock: File,
}

// === impl Staging ===

impl Staging {
    /// Makes room beside a file.
    pub(super) fn open(file: &Path) -> Result<Self, Error> {
        let name = file.file_name().unwrap_or_default();
        let beside = directory_of(file);
        let directory = beside.join(format!(".transship-{}", name.to_string_lossy()));
        let lock = take(&directory).map_err(|cause| {
            let directory = directory.display();
            Error::Image(format!("cannot use {directory}: {cause}"))
        })?;
        let lock = lock.ok_or_else(|| {
            let file = file.display();
            Error::Image(format!("another run is about to write {file}"))
        })?;
        Ok(Self {
            directory,
            layouts: BTreeMap::new(),
            _lock: lock,
        })
    }

    /// Lets the layouts take the place of a mirror's destinations: what it would copy to the first of them is gathered,
    /// but for the blobs that another bundle brings there.
    pub(super) fn redirect(
        &mut self,
        input: &mut RoundInput<MirrorConnection>,
        previous: Option<&BundleIndex>,
    ) {
        let RoundInput { mirror, connection } = input;
        let mirror = Arc::make_mut(mirror);
        mirror.tag_mutability = TagMutability::Follow;
        mirror.prune.mode = PruneMode::Retain;
        mirror.destinations.truncate(1);
        let Some(destination) = mirror.destinations.first_mut() else {
            return;
        };
        destination.previous_tag = None;
        let registry = &destination.registry;
        let layout = self.layouts.entry(registry.clone()).or_insert_with(|| {
            let directory = self.directory.join(registry.as_str());
            Layout::passing(directory, brought(previous, registry))
        });
        connection.write_to(layout.clone());
    }

    /// The images of a round that are here now.
    pub(super) fn gathered(&self, report: &Report) -> Vec<StagedRepository> {
        let mut found: BTreeMap<(Registry, Repository), BTreeMap<Tag, Vec<BundledOrigin>>> =
            BTreeMap::new();
        for mirror in &report.mirrors {
            for tag in mirror.tags.iter().filter(|tag| is_here(tag)) {
                let Some(target) = SourceImage::read(&tag.target) else {
                    continue;
                };
                let place = (target.registry, target.repository);
                let images = found.entry(place).or_default();
                images.entry(target.tag).or_default().push(BundledOrigin {
                    mirror: mirror.mirror.clone(),
                    source: tag.source.clone(),
                });
            }
        }
        let staged = found.into_iter();
        staged
            .filter_map(|((registry, repository), images)| {
                let layout = self.layouts.get(&registry)?.clone();
                Some(StagedRepository {
                    layout,
                    registry,
                    repository,
                    images,
                })
            })
            .collect()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is gone on from by the next run.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Makes a directory for nobody else and locks it; nothing where another run has it.
fn take(directory: &Path) -> io::Result<Option<File>> {
    let made = DirBuilder::new().mode(PRIVATE).create(directory);
    match made {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => require_own(directory)?,
        made => made?,
    }
    let path = directory.join(LOCK);
    let lock = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(cause)) => Err(cause),
    }
}

/// What is there already must be what a run of the same person left: what is in it is deleted, and its name can be guessed.
fn require_own(directory: &Path) -> io::Result<()> {
    let refused = |what: &str| {
        let message = format!("{what}: remove it, or write the bundle elsewhere");
        Err(io::Error::new(io::ErrorKind::AlreadyExists, message))
    };
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() {
        return refused("something else stands there");
    }
    if found.mode() & OTHERS_WRITE != 0 {
        return refused("others may write there");
    }
    let own = directory.join(format!("own-{:016x}", fastrand::u64(..)));
    let file = File::options().write(true).create_new(true).open(&own)?;
    let owner = file.metadata()?.uid();
    fs::remove_file(&own)?;
    if found.uid() != owner {
        return refused("it belongs to somebody else");
    }
    Ok(())
}

/// The blobs that a bundle brings to the repositories of a registry, or that were brought there before it.
fn brought(
    previous: Option<&BundleIndex>,
    registry: &Registry,
) -> HashMap<Repository, HashSet<Digest>> {
    let repositories = previous.into_iter().flat_map(|index| &index.repositories);
    let mut found: HashMap<Repository, HashSet<Digest>> = HashMap::new();
    for brought in repositories {
        let path = brought.name.strip_prefix(&format!("{registry}/"));
        if let Some(Ok(repository)) = path.map(str::parse) {
            let blobs = brought.blobs.iter().map(|blob| blob.digest.clone());
            found.entry(repository).or_default().extend(blobs);
        }
    }
    found
}

fn is_here(tag: &TagReport) -> bool {
    match &tag.outcome {
        Outcome::Unchanged
        | Outcome::Copied { .. }
        | Outcome::Retagged { .. }
        | Outcome::Completed { .. } => true,
        Outcome::Planned { .. }
        | Outcome::Frozen
        | Outcome::Refused(_)
        | Outcome::Quarantined(_)
        | Outcome::Failed(_) => false,
    }
}
