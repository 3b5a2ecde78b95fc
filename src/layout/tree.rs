// SPDX-License-Identifier: Apache-2.0

//! The tree: which layout belongs to a repository, and its operations off the async threads.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::Stream;

use super::archive::{Archive, Format, Packed};
use super::blobs::{self, BlobBody};
use super::blocking::blocking;
use super::listed::Listed;
use super::marker::{self, INDEX, MARKER};
use super::store::{Resolved, Store};
use super::{Deletion, Error, pack, publish, remove, walk};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, TagOrDigest};

/// What a layout has in its directory, so that no repository below can be named like it.
const RESERVED_PARTS: [&str; 4] = [INDEX, MARKER, "blobs/sha256", "blobs/sha512"];

/// A directory tree of image layouts. Cheap to clone.
///
/// Several tasks and processes may change it at the same time. A reader needs no lock: every file
/// appears as a whole, the index of a layout last.
#[derive(Clone, Debug)]
pub struct Layout(Arc<Tree>);

#[derive(Debug)]
struct Tree {
    directory: PathBuf,
    shape: Shape,
    stores: Mutex<HashMap<Repository, Arc<Store>>>,
}

/// What is in the directory.
#[derive(Clone, Debug)]
enum Shape {
    /// A layout for each repository.
    Tree,
    /// One layout, whatever the repository is called.
    Single,
    /// One archive, whatever the repository is called.
    Archive(Arc<Archive>),
    /// One archive, of which each repository shows something else.
    Views {
        views: Arc<HashMap<Repository, Arc<Archive>>>,
        /// What is shown of all others.
        empty: Arc<Archive>,
    },
    /// A layout for each repository, for images on their way, in which some blobs count as written.
    Passing(Arc<HashMap<Repository, Arc<HashSet<Digest>>>>),
}

impl Layout {
    /// The tree below `directory`. Nothing is read or made yet.
    pub fn open(directory: PathBuf) -> Self {
        Self::with_shape(directory, Shape::Tree)
    }

    /// The layout that `directory` itself is. Nothing is read or made yet.
    pub fn single(directory: PathBuf) -> Self {
        Self::with_shape(directory, Shape::Single)
    }

    /// The tree below `directory` for images on their way to another place. The repositories are taken to have some blobs
    /// that are never written, and what is written survives a kill, and perhaps no loss of power.
    pub fn passing(directory: PathBuf, elsewhere: HashMap<Repository, HashSet<Digest>>) -> Self {
        let elsewhere = elsewhere.into_iter();
        let elsewhere = elsewhere.map(|(repository, blobs)| (repository, Arc::new(blobs)));
        Self::with_shape(directory, Shape::Passing(Arc::new(elsewhere.collect())))
    }

    /// What an archive shows of each repository.
    pub(super) fn of_views(
        directory: PathBuf,
        views: HashMap<Repository, Arc<Archive>>,
        empty: Arc<Archive>,
    ) -> Self {
        let views = Arc::new(views);
        Self::with_shape(directory, Shape::Views { views, empty })
    }

    /// The images of an archive, which are read where they are.
    pub async fn open_archive(file: PathBuf) -> Result<Self, Error> {
        let path = file.clone();
        let archive = blocking(move || Archive::open(&path)).await?;
        Ok(Self::with_shape(file, Shape::Archive(Arc::new(archive))))
    }

    /// Packs layouts with one image each into an archive, and empties them. Returns its length in bytes.
    pub async fn pack(file: PathBuf, format: Format, images: Vec<Packed>) -> Result<u64, Error> {
        blocking(move || pack::pack(&file, format, &images)).await
    }

    fn with_shape(directory: PathBuf, shape: Shape) -> Self {
        Self(Arc::new(Tree {
            directory,
            shape,
            stores: Mutex::default(),
        }))
    }

    /// The images that a layout or archive lists, by the names that whoever wrote it gave them.
    pub async fn list_images(&self, repository: &Repository) -> Result<Vec<Listed>, Error> {
        let store = self.store(repository)?;
        blocking(move || Ok(store.read_index()?.listed().collect())).await
    }

    /// Whether a directory is a layout itself, rather than a tree of them.
    pub fn is_layout(directory: &Path) -> bool {
        marker::is_layout(directory)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0.directory
    }

    /// The repositories, sorted.
    pub async fn list_repositories(&self) -> Result<Vec<Repository>, Error> {
        let tree = Arc::clone(&self.0);
        blocking(move || walk::find_repositories(&tree.directory)).await
    }

    /// The tags of a repository, sorted.
    pub async fn list_tags(&self, repository: &Repository) -> Result<Vec<Tag>, Error> {
        let store = self.store(repository)?;
        blocking(move || store.list_tags()).await
    }

    /// What a tag or digest stands for, or nothing where the manifest does not exist.
    pub async fn resolve(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
    ) -> Result<Option<Resolved>, Error> {
        let (store, target) = (self.store(repository)?, target.clone());
        blocking(move || store.resolve(&target)).await
    }

    /// A manifest, verified.
    pub async fn fetch_manifest(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
    ) -> Result<Manifest, Error> {
        let (store, target) = (self.store(repository)?, target.clone());
        blocking(move || store.fetch_manifest(&target)).await
    }

    /// Stores a manifest and lists it: under a tag, which then stands for nothing else, or without
    /// one, unless an index that is listed leads to it.
    ///
    /// What a tag stood for before stays among the blobs. It stays listed only if it has another
    /// tag or refers to a manifest, as signatures do.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let store = self.store(repository)?;
        publish::put_manifest(store, target.clone(), manifest.clone()).await
    }

    /// Takes a tag from the manifest `expected`, under the lock of the layout. The manifest and its
    /// blobs stay among the blobs, where their digests still find them; the manifest stays listed
    /// only if it has another tag or refers to a manifest.
    pub async fn delete_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        expected: &Digest,
    ) -> Result<Deletion, Error> {
        let store = self.store(repository)?;
        remove::delete_tag(store, tag.clone(), expected.clone()).await
    }

    /// Lists a manifest no more, under none of its tags. It and its blobs stay among the blobs.
    pub async fn delete_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Deletion, Error> {
        remove::delete_manifest(self.store(repository)?, digest.clone()).await
    }

    /// Whether a layout has a blob.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        let (store, digest) = (self.store(repository)?, digest.clone());
        blocking(move || store.has_blob(&digest)).await
    }

    /// Whether a repository has a blob of the size that it should have.
    pub async fn has_whole_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, Error> {
        let (store, blob) = (self.store(repository)?, blob.clone());
        blocking(move || store.has_whole_blob(&blob)).await
    }

    /// The bytes of a blob from `offset` on. Their hash is for the reader to check.
    pub async fn fetch_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<BlobBody, Error> {
        blobs::fetch_blob(self.store(repository)?, blob.clone(), offset).await
    }

    /// Stores a blob once all of its bytes have come and have the digest. One that is there
    /// already is left alone, and `body` is dropped unread.
    pub async fn write_blob<B, E>(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        body: B,
    ) -> Result<(), Error>
    where
        B: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        blobs::write_blob(self.store(repository)?, digest.clone(), size, body).await
    }

    /// Lets a repository share the blob of another one by a hard link, and says whether it now
    /// has it: not where `from` lacks the blob, or the file system cannot link.
    pub async fn link_blob(
        &self,
        digest: &Digest,
        from: &Repository,
        to: &Repository,
    ) -> Result<bool, Error> {
        let (from, to) = (self.store(from)?, self.store(to)?);
        let digest = digest.clone();
        blocking(move || to.link_blob_from(&from, &digest)).await
    }

    /// The manifests whose subject is `digest`, with their artifact types and annotations.
    pub async fn referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let (store, digest) = (self.store(repository)?, digest.clone());
        blocking(move || store.referrers(&digest)).await
    }

    pub(super) fn store(&self, repository: &Repository) -> Result<Arc<Store>, Error> {
        if let (Shape::Tree | Shape::Passing(_), Some(part)) =
            (&self.0.shape, reserved_part(repository))
        {
            return Err(Error::ReservedName {
                repository: repository.clone(),
                part,
            });
        }
        let mut stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let store = stores
            .entry(repository.clone())
            .or_insert_with(|| Arc::new(self.0.new_store(repository)));
        Ok(Arc::clone(store))
    }
}

// === impl Tree ===

impl Tree {
    fn new_store(&self, repository: &Repository) -> Store {
        let directory = self.directory.clone();
        match &self.shape {
            Shape::Tree => Store::in_tree(&directory, repository),
            Shape::Single => Store::new(directory),
            Shape::Archive(archive) => Store::of_archive(directory, Arc::clone(archive)),
            Shape::Views { views, empty } => {
                let archive = views.get(repository).unwrap_or(empty);
                Store::of_archive(directory, Arc::clone(archive))
            }
            Shape::Passing(elsewhere) => {
                let elsewhere = elsewhere.get(repository).cloned();
                Store::in_tree(&directory, repository).passing(elsewhere.unwrap_or_default())
            }
        }
    }
}

/// The part of a name that would put a repository among the files of another one's layout.
fn reserved_part(repository: &Repository) -> Option<&'static str> {
    let path = format!("/{repository}/");
    RESERVED_PARTS
        .into_iter()
        .find(|part| path.contains(&format!("/{part}/")))
}
