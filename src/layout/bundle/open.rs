// SPDX-License-Identifier: Apache-2.0

//! Opens a bundle, and shows its images as a mirror's source has them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::index::{
    BUNDLE_TYPE, BundleIndex, BundleSignature, BundledEntry, BundledRepository, INDEX_BYTES,
    INDEX_TYPE, SIGNATURE_BYTES,
};
use crate::layout::archive::Archive;
use crate::layout::blocking::blocking;
use crate::layout::error::{Action, Error};
use crate::layout::files;
use crate::layout::index::Index;
use crate::layout::store::Store;
use crate::layout::tree::Layout;
use crate::oci::descriptor::EMPTY_JSON;
use crate::oci::{Descriptor, Digest, Repository, Tag};

/// Most entries of a repository that are held once more because its images come from several source repositories. Each
/// takes some kB.
const LISTED_AGAIN: usize = 20_000;

/// A bundle, open.
#[derive(Clone, Debug)]
pub struct BundleFile {
    pub(super) path: PathBuf,
    pub(super) archive: Archive,
    pub(super) manifest: Bytes,
    /// What is in it.
    pub index: Arc<BundleIndex>,
    /// The digest of what is signed: the index as it is in the bundle.
    pub signed: Digest,
    /// A signature of that, where there is one.
    pub signature: Option<BundleSignature>,
}

/// An image of a bundle under the name that it has at its source.
#[derive(Clone, Debug)]
pub struct ViewedImage<'a> {
    /// The repository at the source.
    pub repository: Repository,
    /// The tag there.
    pub tag: Tag,
    /// The image.
    pub entry: &'a BundledEntry,
    /// The repository of the bundle that it is in.
    pub of: &'a BundledRepository,
}

/// The index of a bundle, or one that was written into a file of its own.
pub async fn read_index(file: PathBuf) -> Result<Arc<BundleIndex>, Error> {
    blocking(move || {
        let Some((opened, _)) = files::open(&file)? else {
            return BundleFile::read(&file).map(|bundle| bundle.index);
        };
        let mut start = [0];
        let read = (&opened).read(&mut start);
        read.map_err(Error::io(Action::Read, &file))?;
        if start != *b"{" {
            return BundleFile::read(&file).map(|bundle| bundle.index);
        }
        let text = files::read_bounded(&file, INDEX_BYTES)?.unwrap_or_default();
        let index = BundleIndex::parse(&text);
        index
            .map(Arc::new)
            .map_err(|reason| Error::bad_file(file, reason))
    })
    .await
}

// === impl BundleFile ===

impl BundleFile {
    /// Opens a bundle by its file, or by the first of its parts. Everything that its index says is in it is there, as
    /// far as names and lengths tell.
    pub async fn open(path: PathBuf) -> Result<Self, Error> {
        blocking(move || Self::read(&path)).await
    }

    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let archive = Archive::open(path)?;
        let bad = |what: &str| Error::bad_file(path.to_owned(), what);
        let of_bundle = archive.index.entries().iter().find(|entry| {
            let artifact_type = entry.descriptor.artifact_type.as_deref();
            artifact_type == Some(BUNDLE_TYPE)
        });
        let descriptor = of_bundle
            .map(|entry| entry.descriptor.clone())
            .ok_or_else(|| {
                bad("it is no bundle, for it lacks the index of one: `transship copy` reads other archives")
            })?;
        let store = Store::of_archive(path.to_owned(), Arc::new(archive.clone()));
        let manifest = store.read_manifest(&descriptor.digest, Some(&descriptor.media_type))?;
        let manifest = manifest.ok_or_else(|| store.lacks_blob(descriptor.digest.clone()))?;
        let blobs = manifest.blobs();
        let layer = blobs
            .iter()
            .find(|blob| blob.media_type.as_str() == INDEX_TYPE);
        let layer = layer.ok_or_else(|| bad("the manifest of the bundle names no index"))?;
        let text = read_own(&archive, &store, &layer.digest, INDEX_BYTES)?;
        let index = BundleIndex::parse(&text).map_err(|reason| bad(&reason))?;
        let is_own =
            |blob: &&&Descriptor| blob.digest != layer.digest && blob.digest.as_str() != EMPTY_JSON;
        let signature = blobs.iter().find(is_own).map(|blob| {
            let content = read_own(&archive, &store, &blob.digest, SIGNATURE_BYTES)?;
            Ok(BundleSignature {
                media_type: blob.media_type.as_str().to_owned(),
                content,
            })
        });
        let bundle = Self {
            path: path.to_owned(),
            manifest: manifest.bytes().clone(),
            index: Arc::new(index),
            signed: layer.digest.clone(),
            signature: signature.transpose()?,
            archive,
        };
        bundle.require_all()?;
        Ok(bundle)
    }

    /// The index, to the byte.
    pub async fn signed_text(&self) -> Result<Vec<u8>, Error> {
        let bundle = self.clone();
        blocking(move || {
            let Self { path, archive, .. } = &bundle;
            let store = Store::of_archive(path.clone(), Arc::new(archive.clone()));
            read_own(archive, &store, &bundle.signed, INDEX_BYTES)
        })
        .await
    }

    /// The files that it is in, and how long they are.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let files = self.archive.volume.files();
        files
            .map(|(path, length)| (path.to_owned(), length))
            .collect()
    }

    fn require_all(&self) -> Result<(), Error> {
        for (digest, size) in self.index.carried() {
            let found = self.archive.blobs.get(digest);
            match found {
                Some(span) if span.length == size => {}
                Some(span) => {
                    return Err(Error::WrongSize {
                        path: self.path.clone(),
                        digest: digest.clone(),
                        found: span.length,
                        expected: size,
                    });
                }
                None => {
                    let last = self.files().pop().map(|(path, _)| path);
                    let last = last.unwrap_or_else(|| self.path.clone());
                    let reason = format!(
                        "the bundle lacks {digest}, which its index names: is there a part behind {}?",
                        last.display()
                    );
                    return Err(Error::bad_file(self.path.clone(), reason));
                }
            }
        }
        Ok(())
    }

    /// Some of its images, as a source has them: with all that refers to them.
    pub fn view(&self, name: &str, images: &[ViewedImage<'_>]) -> Result<Layout, Error> {
        let mut indexes: BTreeMap<Repository, Index> = BTreeMap::new();
        let mut shown: HashSet<(&Repository, &str)> = HashSet::new();
        let mut listed_first: HashSet<&str> = HashSet::new();
        let mut listed_again = 0;
        for image in images {
            let ViewedImage {
                repository,
                tag,
                entry,
                of,
            } = image;
            let index = indexes
                .entry(repository.clone())
                .or_insert_with(Index::empty);
            index.list(&entry.descriptor(), Some(tag.as_str()));
            if !shown.insert((repository, &of.name)) {
                continue;
            }
            if !listed_first.insert(&of.name) {
                listed_again += of.entries.len();
            }
            if listed_again > LISTED_AGAIN {
                let reason = format!(
                    "what refers to images of {} would be listed for more than {LISTED_AGAIN} others: load its mirrors one by one",
                    of.name
                );
                return Err(Error::bad_file(self.path.clone(), reason));
            }
            for other in of.entries.iter().filter(|other| other.origins.is_empty()) {
                index.list(&other.descriptor(), other.tag.as_ref().map(Tag::as_str));
            }
        }
        let elsewhere = self.elsewhere();
        let archive = |index: Index| {
            Arc::new(Archive {
                index: Arc::new(index),
                elsewhere: Arc::clone(&elsewhere),
                ..self.archive.clone()
            })
        };
        let views: HashMap<Repository, Arc<Archive>> = indexes
            .into_iter()
            .map(|(repository, index)| (repository, archive(index)))
            .collect();
        let directory = PathBuf::from(format!("{} ({name})", self.path.display()));
        Ok(Layout::of_views(directory, views, archive(Index::empty())))
    }

    /// What is not in it.
    fn elsewhere(&self) -> Arc<HashSet<Digest>> {
        let left_out = self.index.elsewhere().into_iter();
        let left_out = left_out.filter(|(digest, _)| !self.archive.blobs.contains_key(*digest));
        Arc::new(left_out.map(|(digest, _)| digest.clone()).collect())
    }
}

/// A blob of the bundle itself, whole.
fn read_own(
    archive: &Archive,
    store: &Store,
    digest: &Digest,
    most: usize,
) -> Result<Vec<u8>, Error> {
    let opened = archive.open_blob(digest);
    let opened = opened.ok_or_else(|| store.lacks_blob(digest.clone()))?;
    let content = opened.read(most)?;
    if digest.matches(&content) {
        return Ok(content);
    }
    let damaged = opened.damaged(digest);
    Err(damaged.unwrap_or_else(|| store.lacks_blob(digest.clone())))
}
