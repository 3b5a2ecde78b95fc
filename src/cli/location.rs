// SPDX-License-Identifier: Apache-2.0

//! Images as people write them: at a registry, in a directory, in an archive.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::address::{Misread, refuse_archive, refuse_misreading};
use crate::oci::digest::DigestError;
use crate::oci::names::NameError;
use crate::oci::reference::ReferenceError;
use crate::oci::{Digest, Reference, Tag, TagOrDigest};

/// Begins the name of an OCI image layout, as for skopeo.
const LAYOUT: &str = "oci:";
/// Begins the names of archives, as for skopeo.
const ARCHIVES: [(&str, ArchiveKind); 2] = [
    ("oci-archive:", ArchiveKind::Oci),
    ("docker-archive:", ArchiveKind::Docker),
];

/// An image, or all images of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// At a registry.
    Registry(Reference),
    /// In an OCI image layout: a directory with `oci-layout` and `index.json`.
    Layout {
        /// The directory.
        path: PathBuf,
        /// Which of its images.
        tag: Option<Tag>,
        /// Which of its manifests. It decides.
        digest: Option<Digest>,
    },
    /// In an archive.
    Archive {
        /// What is in it.
        kind: ArchiveKind,
        /// The file.
        path: PathBuf,
        /// Which of its images: a tag, or a name with one.
        name: Option<String>,
    },
}

/// The two kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveKind {
    /// An OCI image layout as a tar.
    Oci,
    /// What `docker save` writes and `docker load` reads.
    Docker,
}

/// Why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It is not that of an image at a registry.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// It would be taken for something else.
    #[error(transparent)]
    Misread(#[from] Misread),
    /// It has no path.
    #[error("{0:?} names no file or directory")]
    NoPath(String),
    /// What stands behind the path is no tag.
    #[error("{text:?}: {source}")]
    Tag {
        /// The whole text.
        text: String,
        /// What is wrong.
        source: NameError,
    },
    /// What stands behind the path is no digest.
    #[error("{text:?}: {source}")]
    Digest {
        /// The whole text.
        text: String,
        /// What is wrong.
        source: DigestError,
    },
}

// === impl Location ===

impl Location {
    /// What to fetch of a registry or layout: the digest, else the tag, else `latest`. An archive is asked by name.
    pub(super) fn target(&self) -> TagOrDigest {
        let latest = || TagOrDigest::Tag(Tag::latest());
        match self {
            Self::Registry(reference) => reference.target(),
            Self::Layout {
                digest: Some(digest),
                ..
            } => TagOrDigest::Digest(digest.clone()),
            Self::Layout { tag, .. } => tag.clone().map_or_else(latest, TagOrDigest::Tag),
            Self::Archive { .. } => latest(),
        }
    }

    /// Whether neither tag, digest nor name was written.
    pub(super) fn is_bare(&self) -> bool {
        match self {
            Self::Registry(reference) => reference.is_bare(),
            Self::Layout { tag, digest, .. } => tag.is_none() && digest.is_none(),
            Self::Archive { name, .. } => name.is_none(),
        }
    }

    /// The tag, where one was written.
    pub(super) fn tag(&self) -> Option<Tag> {
        match self {
            Self::Registry(reference) => reference.tag.clone(),
            Self::Layout { tag, .. } => tag.clone(),
            Self::Archive { name, .. } => {
                let name = name.as_deref()?;
                name.rsplit(':').next()?.parse().ok()
            }
        }
    }

    /// The digest, where one was written.
    pub(super) fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Registry(reference) => reference.digest.as_ref(),
            Self::Layout { digest, .. } => digest.as_ref(),
            Self::Archive { .. } => None,
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;

    /// A path begins with a dot or a slash, or with the word that says what it is.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        for (word, kind) in ARCHIVES {
            if let Some(rest) = text.strip_prefix(word) {
                let (path, name) = split(text, rest)?;
                let name = name.map(str::to_owned);
                return Ok(Self::Archive { kind, path, name });
            }
        }
        if let Some(rest) = text.strip_prefix(LAYOUT) {
            return layout(text, rest);
        }
        if text.starts_with(['.', '/']) {
            refuse_archive(text)?;
            return layout(text, text);
        }
        refuse_misreading(text)?;
        Ok(Self::Registry(text.parse()?))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(formatter),
            Self::Layout { path, tag, digest } => {
                path.display().fmt(formatter)?;
                tag.iter().try_for_each(|tag| write!(formatter, ":{tag}"))?;
                digest
                    .iter()
                    .try_for_each(|digest| write!(formatter, "@{digest}"))
            }
            Self::Archive { kind, path, name } => {
                let word = ARCHIVES.iter().find(|(_, known)| known == kind);
                formatter.write_str(word.map_or("", |(word, _)| word))?;
                path.display().fmt(formatter)?;
                name.iter()
                    .try_for_each(|name| write!(formatter, ":{name}"))
            }
        }
    }
}

fn layout(text: &str, rest: &str) -> Result<Location, LocationError> {
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (rest, None),
    };
    let (path, tag) = split(text, rest)?;
    let tag = tag.map(str::parse).transpose();
    let digest = digest.map(str::parse).transpose();
    Ok(Location::Layout {
        path,
        tag: tag.map_err(|source| LocationError::Tag {
            text: text.to_owned(),
            source,
        })?,
        digest: digest.map_err(|source| LocationError::Digest {
            text: text.to_owned(),
            source,
        })?,
    })
}

/// A path, and what stands behind its first colon, as skopeo reads it.
fn split<'a>(text: &str, rest: &'a str) -> Result<(PathBuf, Option<&'a str>), LocationError> {
    let (path, name) = match rest.split_once(':') {
        Some((path, name)) => (path, Some(name)),
        None => (rest, None),
    };
    if path.is_empty() {
        return Err(LocationError::NoPath(text.to_owned()));
    }
    Ok((PathBuf::from(path), name.filter(|name| !name.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_images_are() {
        let digest = Digest::sha256(b"a");
        let pinned = format!("./dir@{digest}");
        let cases = [
            ("alpine:3.20", "docker.io/library/alpine:3.20", "3.20"),
            ("./dir", "./dir", "latest"),
            ("./dir:1", "./dir:1", "1"),
            (&pinned, &pinned, digest.as_str()),
            ("/srv/dir:1", "/srv/dir:1", "1"),
            ("oci:dir:1", "dir:1", "1"),
            ("oci-archive:a.tar", "oci-archive:a.tar", "latest"),
            ("oci-archive:a.tar:1", "oci-archive:a.tar:1", "latest"),
            (
                "docker-archive:a.tar:localhost:5000/b:1",
                "docker-archive:a.tar:localhost:5000/b:1",
                "latest",
            ),
        ];
        for (text, expected, target) in cases {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), expected, "{text}");
            assert_eq!(location.target().to_string(), target, "{text}");
        }
    }

    #[test]
    fn texts_that_name_no_image() {
        let texts = [
            "127.0.0.1:27002",
            "localhost:5000",
            "registry.example.com",
            "x.tar",
            "alpine.tar.gz",
            "out/x.tar",
            "./x.tar",
            "src",
            "src/",
            "new/",
            "team/app/",
            "registry.example.com/",
            "registry.example.com/app/",
            "registry:5000/",
            "dir:out",
            "dir:/srv/out",
            "file:///srv/out",
            "docker-daemon:alpine:3",
            "oci:",
            "oci-archive::1",
            "./dir:-x",
            "./dir@sha256:12",
            "https://docker.io/alpine",
        ];
        let said = texts.map(|text| text.parse::<Location>().unwrap_err().to_string());
        insta::assert_snapshot!(said.join("\n"));
    }
}
