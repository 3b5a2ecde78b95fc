// SPDX-License-Identifier: Apache-2.0

//! Writes a bundle of what waits in layouts, which it empties: so the disk holds it once.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::gather::{StagedRepository, gather};
use super::index::{BundleIndex, INDEX_BYTES, VERSION};
use crate::layout::archive::{ArchiveForm, Writer};
use crate::layout::blocking::blocking;
use crate::layout::error::{Action, Error};
use crate::layout::files;
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

// === impl BundlePlan ===

impl BundlePlan {
    /// Writes it. Under its name it appears as a whole or not at all.
    pub async fn write(self) -> Result<BundleIndex, Error> {
        blocking(move || write(&self)).await
    }
}

// === impl BundleIndex ===

impl BundleIndex {
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

fn write(plan: &BundlePlan) -> Result<BundleIndex, Error> {
    let mut gathered = Vec::new();
    for staged in &plan.repositories {
        gathered.push(gather(staged)?);
    }
    let stores: Vec<Arc<Store>> = gathered
        .iter()
        .map(|(store, _)| Arc::clone(store))
        .collect();
    let repositories = gathered.into_iter().map(|(_, repository)| repository);
    let index = BundleIndex {
        version: VERSION,
        created: plan.created,
        previous: plan.previous.clone(),
        repositories: repositories.collect(),
    };
    let text = index.render();
    if text.len() > INDEX_BYTES {
        return Err(Error::TooMany {
            path: plan.target.clone(),
            what: "bytes in its index: make several bundles, with --mirror",
            most: INDEX_BYTES,
        });
    }
    let manifest = index.manifest();
    files::remove_leftovers(&plan.scratch)?;
    for store in &stores {
        // From here on the layout loses blobs: whoever goes on after a kill must not take an image for whole.
        let listed = store.directory.join(INDEX);
        fs::remove_file(&listed).map_err(Error::io(Action::Write, &listed))?;
    }
    let mut writer = Writer::create(&plan.scratch, plan.form)?;
    writer.add(MARKER, CONTENT)?;
    writer.add(INDEX, &index.layout().render())?;
    for own in [&manifest[..], &text, b"{}"] {
        writer.add(&blob_name(&Digest::sha256(own)), own)?;
    }
    let files = files_of(&index, &stores);
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
    Ok(index)
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
