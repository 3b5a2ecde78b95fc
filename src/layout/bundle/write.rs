// SPDX-License-Identifier: Apache-2.0

//! Writes a bundle of what waits in layouts, which it empties: so the disk holds it once.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::gather::{StagedRepository, gather};
use super::index::{BundleIndex, BundleSignature, INDEX_BYTES, VERSION};
use crate::layout::archive::{ArchiveForm, Writer};
use crate::layout::blocking::blocking;
use crate::layout::error::{Action, Error};
use crate::layout::files::{self, TemporaryFile};
use crate::layout::marker::{CONTENT, INDEX, MARKER};
use crate::layout::pack::blob_name;
use crate::layout::store::Store;
use crate::oci::Digest;

/// A bundle that is to be written.
#[derive(Clone, Debug)]
pub struct BundlePlan {
    /// The file, or what the names of its parts begin with.
    pub target: PathBuf,
    /// A directory on the same file system, for what is not complete.
    pub scratch: PathBuf,
    /// How it is laid down.
    pub form: ArchiveForm,
    /// When it is made.
    pub created: Timestamp,
    /// The digest of the index of the bundle before it.
    pub previous: Option<Digest>,
    /// What goes into it.
    pub repositories: Vec<StagedRepository>,
}

/// A bundle whose index is known.
#[derive(Debug)]
pub struct GatheredBundle {
    plan: BundlePlan,
    stores: Vec<Arc<Store>>,
    /// What is in it.
    pub index: BundleIndex,
}

// === impl BundlePlan ===

impl BundlePlan {
    /// Finds out what goes into it.
    pub async fn gather(self) -> Result<GatheredBundle, Error> {
        blocking(move || gather_all(self)).await
    }
}

// === impl GatheredBundle ===

impl GatheredBundle {
    /// Writes it, with a signature of its index. Under its name it appears as a whole or not at all.
    pub async fn write(self, signature: Option<BundleSignature>) -> Result<BundleIndex, Error> {
        blocking(move || {
            write(&self, signature.as_ref())?;
            Ok(self.index)
        })
        .await
    }
}

// === impl BundleIndex ===

impl BundleIndex {
    /// Finds out whether the index can be written into a file of its own.
    pub async fn try_place(file: PathBuf) -> Result<(), Error> {
        blocking(move || TemporaryFile::create(directory_of(&file)).map(drop)).await
    }

    /// Writes the index into a file of its own, from which the next bundle is made without this one.
    pub async fn save(&self, file: PathBuf) -> Result<(), Error> {
        let text = self.render();
        blocking(move || files::replace(directory_of(&file), &file, &text)).await
    }
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        Some(_) | None => Path::new("."),
    }
}

fn gather_all(plan: BundlePlan) -> Result<GatheredBundle, Error> {
    let (mut stores, mut repositories) = (Vec::new(), Vec::new());
    for staged in &plan.repositories {
        let (store, repository) = gather(staged)?;
        stores.push(store);
        repositories.push(repository);
    }
    let index = BundleIndex {
        version: VERSION,
        created: plan.created,
        previous: plan.previous.clone(),
        repositories,
    };
    if index.render().len() > INDEX_BYTES {
        return Err(Error::TooMany {
            path: plan.target,
            what: "bytes in its index: make several bundles, with --mirror",
            most: INDEX_BYTES,
        });
    }
    Ok(GatheredBundle {
        plan,
        stores,
        index,
    })
}

fn write(gathered: &GatheredBundle, signature: Option<&BundleSignature>) -> Result<(), Error> {
    let GatheredBundle {
        plan,
        stores,
        index,
    } = gathered;
    let (text, manifest) = (index.render(), index.manifest(signature));
    files::remove_leftovers(&plan.scratch)?;
    for store in stores {
        // From here on the layout loses blobs: whoever goes on after a kill must not take an image for whole.
        let listed = store.directory.join(INDEX);
        fs::remove_file(&listed).map_err(Error::io(Action::Write, &listed))?;
    }
    let mut writer = Writer::create(&plan.scratch, plan.form)?;
    writer.add(MARKER, CONTENT)?;
    writer.add(INDEX, &index.layout(&manifest).render())?;
    let signature = signature.map(|signature| &signature.content[..]);
    let own = [&manifest[..], &text, b"{}"].into_iter().chain(signature);
    for own in own {
        writer.add(&blob_name(&Digest::sha256(own)), own)?;
    }
    let files = files_of(index, stores);
    for (digest, _) in index.carried() {
        let paths = files.get(digest).map_or(&[][..], Vec::as_slice);
        let path = paths.iter().find(|path| path.exists());
        // The empty config is there already.
        let Some(path) = path.filter(|_| !digest.matches(b"{}")) else {
            continue;
        };
        writer.add_file(&blob_name(digest), path)?;
        for path in paths {
            // It is in the archive by now, and the layouts were made for that.
            let _ = fs::remove_file(path);
        }
    }
    writer.finish(&plan.target)?;
    Ok(())
}

/// Where each blob is: in several layouts it is one file with several names.
fn files_of<'a>(
    index: &'a BundleIndex,
    stores: &[Arc<Store>],
) -> HashMap<&'a Digest, Vec<PathBuf>> {
    let mut files: HashMap<&Digest, Vec<PathBuf>> = HashMap::new();
    for (repository, store) in index.repositories.iter().zip(stores) {
        let manifests = repository.manifests.iter().map(|manifest| &manifest.digest);
        let blobs = repository.blobs.iter().map(|blob| &blob.digest);
        for digest in manifests.chain(blobs) {
            files
                .entry(digest)
                .or_default()
                .push(store.blob_path(digest));
        }
    }
    files
}
