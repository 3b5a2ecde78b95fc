// SPDX-License-Identifier: Apache-2.0

//! The layout of one repository, read from the disk. Its operations block.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::archive::{Archive, Opened, Reading};
use super::files::TemporaryFile;
use super::index::Index;
use super::marker::{self, BLOBS, INDEX};
use super::{Error, files};
use crate::oci::{
    Content, Descriptor, Digest, Manifest, MediaType, Repository, Tag, TagOrDigest, limits,
};

/// Largest `index.json` that is read, in bytes.
const INDEX_BYTES: usize = 16 * 1024 * 1024;

/// The layout of one repository.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) directory: PathBuf,
    /// The directories below the tree that lead to this one, from the outermost on; none of a layout of its own.
    inside: Vec<PathBuf>,
    /// What is read in place of the directory.
    archive: Option<Arc<Archive>>,
    /// Blobs that are not written: whoever reads what is written here has them.
    elsewhere: Arc<HashSet<Digest>>,
    /// Whether whoever goes on from what is here looks at each byte first, so that a loss of power may take some.
    pub(super) is_passing: bool,
    memory: Mutex<Memory>,
    /// Manifests that wait for the one who has the turn.
    pub(super) queue: Mutex<Vec<Put>>,
    /// Who stores manifests: tasks wait here and not in the blocking lock of the file.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

/// What was read before and need not be read again.
#[derive(Debug, Default)]
struct Memory {
    /// Whether this process has readied the directory for writing.
    is_prepared: bool,
    index: Option<(Stamp, Arc<Index>)>,
    /// By digest, so it stays true. `None` is a manifest without a subject.
    referrers: HashMap<Digest, Option<Arc<Referrer>>>,
}

/// What tells one version of a file from the next, given that files are replaced and not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// A manifest that refers to another one.
#[derive(Debug)]
struct Referrer {
    subject: Digest,
    descriptor: Descriptor,
}

/// What a tag or digest stands for in a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its length in bytes.
    pub size: u64,
}

/// A manifest that waits to be stored.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) target: TagOrDigest,
    pub(super) manifest: Manifest,
    pub(super) done: oneshot::Sender<Result<(), Error>>,
}

// === impl Store ===

impl Store {
    /// The layout of a repository below a tree.
    pub(super) fn in_tree(tree: &Path, repository: &Repository) -> Self {
        let directory = tree.join(repository.as_str());
        let inside = directory.ancestors();
        let mut inside: Vec<PathBuf> = inside
            .take_while(|inside| *inside != tree)
            .map(Path::to_owned)
            .collect();
        inside.reverse();
        Self {
            inside,
            ..Self::new(directory)
        }
    }

    /// A layout of its own.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            inside: Vec::new(),
            archive: None,
            elsewhere: Arc::default(),
            is_passing: false,
            memory: Mutex::default(),
            queue: Mutex::default(),
            turn: Arc::default(),
        }
    }

    /// The same for images on their way to another place, in which some blobs count as written.
    pub(super) fn passing(self, elsewhere: Arc<HashSet<Digest>>) -> Self {
        Self {
            elsewhere,
            is_passing: true,
            ..self
        }
    }

    /// Gives a file its name, in place of one that has it.
    pub(super) fn rename(&self, file: TemporaryFile, target: &Path) -> Result<(), Error> {
        if self.is_passing {
            file.rename_unsynced(target)
        } else {
            file.rename(target)
        }
    }

    /// Writes a small file as a whole.
    pub(super) fn replace(&self, target: &Path, content: &[u8]) -> Result<(), Error> {
        let mut file = TemporaryFile::create(&self.directory)?;
        file.write(content)?;
        self.rename(file, target)
    }

    /// The images of an archive. They can only be read.
    pub(super) fn of_archive(path: PathBuf, archive: Arc<Archive>) -> Self {
        Self {
            archive: Some(archive),
            ..Self::new(path)
        }
    }

    /// A blob, or nothing where there is none.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<Option<Opened>, Error> {
        if let Some(archive) = &self.archive {
            return Ok(archive.open_blob(digest));
        }
        let path = self.blob_path(digest);
        let opened = files::open(&path)?;
        Ok(opened.map(|(file, metadata)| Opened {
            reading: Reading::File(file, path),
            start: 0,
            length: metadata.len(),
        }))
    }

    /// Whether a blob counts as written although it is not here.
    pub(super) fn is_elsewhere(&self, digest: &Digest) -> bool {
        self.elsewhere.contains(digest)
    }

    /// That there is no such blob.
    pub(super) fn lacks_blob(&self, digest: Digest) -> Error {
        let path = self.directory.clone();
        let archive = self.archive.as_ref();
        if archive.is_some_and(|archive| archive.elsewhere.contains(&digest)) {
            return Error::Elsewhere { path, digest };
        }
        Error::NoBlob { path, digest }
    }

    /// Refuses to change what can only be read.
    pub(super) fn require_writable(&self) -> Result<(), Error> {
        match self.archive {
            Some(_) => Err(Error::ReadOnly {
                path: self.directory.clone(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.directory
            .join(BLOBS)
            .join(digest.algorithm().as_str())
            .join(digest.encoded())
    }

    pub(super) fn list_tags(&self) -> Result<Vec<Tag>, Error> {
        let index = self.read_index()?;
        let mut tags: Vec<Tag> = index
            .entries()
            .iter()
            .filter_map(|entry| entry.tag.clone())
            .collect();
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    pub(super) fn resolve(&self, target: &TagOrDigest) -> Result<Option<Resolved>, Error> {
        let found = match target {
            TagOrDigest::Tag(tag) => self.resolve_tag(tag),
            TagOrDigest::Digest(_) => self.fetch_manifest(target).map(|manifest| {
                Some(Resolved {
                    digest: manifest.digest().clone(),
                    media_type: manifest.media_type().clone(),
                    size: manifest.size(),
                })
            }),
        };
        match found {
            Err(Error::NoLayout { .. } | Error::NoManifest { .. }) => Ok(None),
            found => found,
        }
    }

    /// A tag whose manifest is not among the blobs is none: it has to be copied anew.
    fn resolve_tag(&self, tag: &Tag) -> Result<Option<Resolved>, Error> {
        let index = self.read_index()?;
        let Some(descriptor) = self.find_tag(&index, tag)? else {
            return Ok(None);
        };
        let made = self
            .archive
            .as_ref()
            .and_then(|archive| archive.made(&descriptor.digest));
        let length = match made {
            Some(bytes) => Some(bytes.len() as u64),
            None => self
                .open_blob(&descriptor.digest)?
                .map(|opened| opened.length),
        };
        let Some(length) = length else {
            return Ok(None);
        };
        self.check_size(descriptor, length)?;
        Ok(Some(Resolved {
            digest: descriptor.digest.clone(),
            media_type: descriptor.media_type.clone(),
            size: descriptor.size,
        }))
    }

    pub(super) fn fetch_manifest(&self, target: &TagOrDigest) -> Result<Manifest, Error> {
        let index = self.read_index()?;
        let no_manifest = || Error::NoManifest {
            path: self.directory.clone(),
            target: target.clone(),
        };
        match target {
            TagOrDigest::Tag(tag) => {
                let listed = self.find_tag(&index, tag)?.ok_or_else(no_manifest)?;
                self.read_manifest(&listed.digest, Some(&listed.media_type))?
                    .ok_or_else(|| Error::NoBlob {
                        path: self.directory.clone(),
                        digest: listed.digest.clone(),
                    })
            }
            TagOrDigest::Digest(digest) => {
                self.read_manifest(digest, None)?.ok_or_else(no_manifest)
            }
        }
    }

    /// The manifests whose subject is `digest`: those that are listed, and those of the index
    /// under the referrers tag (distribution specification, referrers tag schema).
    pub(super) fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, Error> {
        let index = match self.read_index() {
            Err(Error::NoLayout { .. }) => return Ok(Vec::new()),
            index => index?,
        };
        let mut found: Vec<Descriptor> = Vec::new();
        let mut add = |descriptor: &Descriptor| {
            if !found.iter().any(|known| known.digest == descriptor.digest) {
                found.push(descriptor.clone());
            }
        };
        for entry in index.entries() {
            if let Some(referrer) = self.read_referrer(&entry.descriptor)?
                && referrer.subject == *digest
            {
                add(&referrer.descriptor);
            }
        }
        if let Some(tag) = Tag::of_referrers(digest, "")
            && let Some(listed) = self.find_tag(&index, &tag)?
            && let Some(fallback) = self.read_manifest(&listed.digest, Some(&listed.media_type))?
            && let Content::Index(fallback) = fallback.content()
        {
            let members = self.members_of(digest, &fallback.manifests)?;
            members.into_iter().for_each(add);
        }
        Ok(found)
    }

    /// The members of an index that refer to a manifest. None where no member says so: then the index is that
    /// of an image. Of what is not there nobody can say that it does not.
    fn members_of<'a>(
        &self,
        subject: &Digest,
        members: &'a [Descriptor],
    ) -> Result<Vec<&'a Descriptor>, Error> {
        let mut found = Vec::new();
        let mut is_list = false;
        for member in members {
            let may_refer = match self.read_referrer(member)? {
                Some(referrer) => {
                    let refers = referrer.subject == *subject;
                    is_list |= refers;
                    refers
                }
                None => self
                    .read_manifest(&member.digest, Some(&member.media_type))?
                    .is_none(),
            };
            if may_refer {
                found.push(member);
            }
        }
        Ok(if is_list { found } else { Vec::new() })
    }

    /// The index of the layout, from memory where the file is still the same.
    pub(super) fn read_index(&self) -> Result<Arc<Index>, Error> {
        if let Some(archive) = &self.archive {
            return Ok(Arc::clone(&archive.index));
        }
        let path = self.directory.join(INDEX);
        let Some((file, metadata)) = files::open(&path)? else {
            return Err(Error::NoLayout {
                path: self.directory.clone(),
            });
        };
        let stamp = Stamp::of(&metadata);
        if let Some((known, index)) = &self.memory().index
            && *known == stamp
        {
            return Ok(Arc::clone(index));
        }
        marker::check(&self.directory)?;
        let text = files::read_opened(&file, &path, INDEX_BYTES)?;
        let index = Index::parse(&text).map_err(|cause| Error::bad_file(path, cause))?;
        let index = Arc::new(index);
        self.memory().index = Some((stamp, Arc::clone(&index)));
        Ok(index)
    }

    /// A manifest, verified, or nothing where there is no such blob.
    pub(super) fn read_manifest(
        &self,
        digest: &Digest,
        media_type: Option<&MediaType>,
    ) -> Result<Option<Manifest>, Error> {
        let made = self
            .archive
            .as_ref()
            .and_then(|archive| archive.made(digest));
        let bytes = match made {
            Some(bytes) => bytes.to_vec(),
            None => match self.open_blob(digest)? {
                Some(opened) => {
                    let bytes = opened.read(limits::MANIFEST_BYTES)?;
                    if !digest.matches(&bytes)
                        && let Some(damaged) = opened.damaged(digest)
                    {
                        return Err(damaged);
                    }
                    bytes
                }
                None => return Ok(None),
            },
        };
        Manifest::parse(bytes.into(), media_type, Some(digest))
            .map(Some)
            .map_err(|cause| Error::BadManifest {
                path: self.directory.clone(),
                digest: digest.clone(),
                cause: Arc::new(cause),
            })
    }

    /// Whether a listed manifest refers to another one.
    pub(super) fn is_referrer(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        Ok(self.read_referrer(descriptor)?.is_some())
    }

    /// What a listed manifest refers to.
    pub(super) fn subject_of(&self, descriptor: &Descriptor) -> Result<Option<Digest>, Error> {
        let referrer = self.read_referrer(descriptor)?;
        Ok(referrer.map(|referrer| referrer.subject.clone()))
    }

    fn read_referrer(&self, descriptor: &Descriptor) -> Result<Option<Arc<Referrer>>, Error> {
        let Descriptor {
            digest, media_type, ..
        } = descriptor;
        if !media_type.is_image() && !media_type.is_index() {
            return Ok(None);
        }
        if let Some(known) = self.memory().referrers.get(digest) {
            return Ok(known.clone());
        }
        let Some(manifest) = self.read_manifest(digest, Some(media_type))? else {
            return Ok(None);
        };
        let referrer = manifest.subject().map(|subject| {
            Arc::new(Referrer {
                subject: subject.digest.clone(),
                descriptor: Descriptor {
                    artifact_type: manifest.artifact_type().map(str::to_owned),
                    annotations: manifest.annotations().clone(),
                    ..manifest.descriptor()
                },
            })
        });
        self.memory()
            .referrers
            .insert(digest.clone(), referrer.clone());
        Ok(referrer)
    }

    fn find_tag<'a>(&self, index: &'a Index, tag: &Tag) -> Result<Option<&'a Descriptor>, Error> {
        let mut found: Vec<&Descriptor> =
            index.tagged(tag).map(|entry| &entry.descriptor).collect();
        found.dedup_by_key(|descriptor| &descriptor.digest);
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            several => Err(Error::AmbiguousTag {
                path: self.directory.clone(),
                tag: tag.clone(),
                count: several.len(),
            }),
        }
    }

    /// Compares the length of a blob's file with its descriptor.
    pub(super) fn check_size(&self, descriptor: &Descriptor, found: u64) -> Result<(), Error> {
        if found == descriptor.size {
            return Ok(());
        }
        Err(Error::WrongSize {
            path: self.directory.clone(),
            digest: descriptor.digest.clone(),
            found,
            expected: descriptor.size,
        })
    }

    /// Readies the directory for writing, once in this process.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        self.require_writable()?;
        if self.memory().is_prepared {
            return Ok(());
        }
        // Whoever made the tree may have put links there: what is written stays in it.
        for directory in &self.inside {
            files::refuse_link(directory)?;
        }
        let _lock = marker::lock(&self.directory)?;
        files::remove_leftovers(&self.directory)?;
        self.memory().is_prepared = true;
        Ok(())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}
