// SPDX-License-Identifier: Apache-2.0

//! What goes wrong between us and a tree of layouts.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::oci::manifest::ManifestError;
use crate::oci::{Digest, Repository, Tag, TagOrDigest};

/// Why an operation on a tree of layouts failed. `path` is a layout's directory, or the file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused or failed.
    #[error("cannot {action} {}: {cause}{}", .path.display(), advice(.cause))]
    Io {
        /// What was to be done.
        action: Action,
        /// With which file or directory.
        path: PathBuf,
        /// What the operating system said.
        cause: Arc<io::Error>,
    },
    /// The directory of the tree does not exist.
    #[error("there is no directory {}: name the one that holds the image layouts", .path.display())]
    NoTree {
        /// The directory.
        path: PathBuf,
    },
    /// The directory is one layout, not a tree of them.
    #[error(
        "{} is an image layout itself, expected a directory of layouts: move it to DIR/REPOSITORY, \
         such as DIR/library/alpine, and name DIR",
        .path.display()
    )]
    NotATree {
        /// The directory.
        path: PathBuf,
    },
    /// There is no archive.
    #[error("there is no archive {}", .path.display())]
    NoArchive {
        /// The file.
        path: PathBuf,
    },
    /// An archive is cut off, or is none.
    #[error("the archive {} is damaged at offset {offset}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from its beginning.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// What an archive has under a digest is something else.
    #[error(
        "the archive {} is damaged between the offsets {offset} and {end}{}: the bytes there are not those of {digest}",
        .path.display(), of_file(.path, .end_path)
    )]
    DamagedBlob {
        /// The file.
        path: PathBuf,
        /// Where the blob begins, in bytes from the beginning of the file.
        offset: u64,
        /// The file that it ends in: another one where the archive is split.
        end_path: PathBuf,
        /// Where it ends, in bytes from the beginning of that.
        end: u64,
        /// What should be there.
        digest: Digest,
    },
    /// An archive does not have a blob on purpose.
    #[error(
        "{} leaves out {digest}, which an earlier bundle brings: the destination does not have it, so load that bundle first",
        .path.display()
    )]
    Elsewhere {
        /// The archive.
        path: PathBuf,
        /// The blob.
        digest: Digest,
    },
    /// An archive is written as a whole, and not changed.
    #[error("the archive {} cannot be changed: write another one", .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// There is no layout for the repository.
    #[error("there is no image layout {}: it would need the files oci-layout and index.json", .path.display())]
    NoLayout {
        /// Where it would be.
        path: PathBuf,
    },
    /// The layout does not have the manifest.
    #[error("the image layout {} has no manifest {target}", .path.display())]
    NoManifest {
        /// The layout.
        path: PathBuf,
        /// What was asked for.
        target: TagOrDigest,
    },
    /// The layout does not have the blob.
    #[error("the image layout {} has no blob {digest}: copy the image into it anew", .path.display())]
    NoBlob {
        /// The layout.
        path: PathBuf,
        /// What was asked for.
        digest: Digest,
    },
    /// A file of the layout makes no sense.
    #[error("{} is not usable: {reason}", .path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The layout follows a version of the specification that is not known.
    #[error("{} names version {found:?} of the image layout, only 1.x is known: update transship", .path.display())]
    UnknownVersion {
        /// The file `oci-layout`.
        path: PathBuf,
        /// The version it names.
        found: String,
    },
    /// One tag stands for several manifests.
    #[error(
        "the image layout {} has {count} manifests with the tag {tag}: remove all but one from its index.json",
        .path.display()
    )]
    AmbiguousTag {
        /// The layout.
        path: PathBuf,
        /// The tag.
        tag: Tag,
        /// How many different manifests have it.
        count: usize,
    },
    /// A manifest is damaged or not acceptable.
    #[error("the image layout {} has a bad manifest {digest}: {cause}", .path.display())]
    BadManifest {
        /// The layout.
        path: PathBuf,
        /// Its digest, as it was asked for.
        digest: Digest,
        /// What is wrong.
        cause: Arc<ManifestError>,
    },
    /// There are more or fewer bytes than the descriptor says.
    #[error("{digest} in the image layout {} has {found} bytes, expected {expected}", .path.display())]
    WrongSize {
        /// The layout.
        path: PathBuf,
        /// Whose size.
        digest: Digest,
        /// How many bytes there are; when writing, how many had come when it was noticed.
        found: u64,
        /// How many the descriptor says.
        expected: u64,
    },
    /// The bytes to write do not have the digest.
    #[error("a blob for the image layout {} has the digest {found}, expected {expected}", .path.display())]
    WrongDigest {
        /// The layout.
        path: PathBuf,
        /// The digest of the bytes.
        found: Digest,
        /// The digest that was announced.
        expected: Digest,
    },
    /// No directory of a tree can have the name of the repository.
    #[error(
        "repository {repository} cannot be kept in a directory tree: {part:?} is where a layout has its own files; map it to another name"
    )]
    ReservedName {
        /// The repository.
        repository: Repository,
        /// The part of its name.
        part: &'static str,
    },
    /// The tree is larger than anything that can be listed.
    #[error("{} holds more than {most} {what}", .path.display())]
    TooMany {
        /// The directory or file.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How much is accepted.
        most: usize,
    },
    /// The body of a blob broke off.
    #[error("{0}")]
    Body(Arc<dyn std::error::Error + Send + Sync>),
    /// The program ends while the operation runs.
    #[error("the program ends before the operation on the image layout is done")]
    Stopped,
}

/// What an error means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The repository, manifest or blob does not exist.
    NotFound,
    /// The file system refused or failed.
    Io,
    /// There is no room left.
    Full,
    /// The content is not what its digest or size says.
    DigestMismatch,
    /// A file of the layout makes no sense.
    Corrupt,
    /// The layout cannot be used: an unknown version, or a name that no directory can have.
    Refused,
    /// The body to write broke off, or the program ends.
    Interrupted,
}

/// What was to be done with a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading a file.
    Read,
    /// Reading the names in a directory.
    List,
    /// Making a file or directory.
    Create,
    /// Writing a file, to the point where it survives a loss of power.
    Write,
    /// Giving a written file its name.
    Rename,
    /// Giving a file a second name.
    Link,
    /// Keeping other processes out.
    Lock,
}

// === impl Error ===

impl Error {
    /// What the error means for the one who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Io { cause, .. } if is_full(cause) => Kind::Full,
            Self::Io { .. } => Kind::Io,
            Self::NoTree { .. }
            | Self::NoArchive { .. }
            | Self::NoLayout { .. }
            | Self::NoManifest { .. }
            | Self::NoBlob { .. }
            | Self::Elsewhere { .. } => Kind::NotFound,
            Self::BadManifest { cause, .. } => match **cause {
                ManifestError::DigestMismatch { .. } => Kind::DigestMismatch,
                ManifestError::TooLarge
                | ManifestError::Json(_)
                | ManifestError::Schema1
                | ManifestError::MediaTypeConflict { .. }
                | ManifestError::UnknownMediaType(_)
                | ManifestError::Ambiguous(..)
                | ManifestError::Missing(_)
                | ManifestError::TooMany { .. }
                | ManifestError::BlobTooLarge { .. }
                | ManifestError::SizeConflict { .. } => Kind::Corrupt,
            },
            Self::WrongSize { .. } | Self::WrongDigest { .. } | Self::DamagedBlob { .. } => {
                Kind::DigestMismatch
            }
            Self::BadFile { .. } | Self::AmbiguousTag { .. } | Self::Damaged { .. } => {
                Kind::Corrupt
            }
            Self::NotATree { .. }
            | Self::ReadOnly { .. }
            | Self::UnknownVersion { .. }
            | Self::ReservedName { .. }
            | Self::TooMany { .. } => Kind::Refused,
            Self::Body(_) | Self::Stopped => Kind::Interrupted,
        }
    }

    /// For `map_err`: an error of the operating system while doing `action` with `path`.
    pub(super) fn io(action: Action, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io {
            action,
            path,
            cause: Arc::new(cause),
        }
    }

    pub(super) fn bad_file(path: PathBuf, reason: impl fmt::Display) -> Self {
        Self::BadFile {
            path,
            reason: reason.to_string(),
        }
    }
}

/// Which file an offset is in, where it is not that of the offset before.
fn of_file(path: &Path, end_path: &Path) -> String {
    if path == end_path {
        return String::new();
    }
    format!(" of {}", end_path.display())
}

fn is_full(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

fn advice(cause: &io::Error) -> &'static str {
    if is_full(cause) {
        "; free some space and run again, what is complete stays"
    } else if cause.kind() == io::ErrorKind::PermissionDenied {
        "; check the owner and mode of the directory"
    } else if cause.kind() == io::ErrorKind::ReadOnlyFilesystem {
        "; choose a directory that can be written"
    } else {
        ""
    }
}

// === impl Action ===

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Create => "create",
            Self::Write => "write",
            Self::Rename => "rename",
            Self::Link => "link",
            Self::Lock => "lock",
        })
    }
}
