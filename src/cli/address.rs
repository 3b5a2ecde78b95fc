// SPDX-License-Identifier: Apache-2.0

//! Registries, repositories and images as people write them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::oci::names::NameError;
use crate::oci::reference::ReferenceError;
use crate::oci::{Reference, Registry, Repository, TagOrDigest};

/// A registry, or one of its repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A registry.
    Registry(Registry),
    /// A repository of a registry.
    Repository(Registry, Repository),
}

/// Somewhere with images: what is behind an [`Address`], or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A registry, or one of its repositories.
    Address(Address),
    /// A directory tree of OCI layouts, or one of them.
    Directory(PathBuf),
    /// An archive.
    Archive(PathBuf),
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not the name of a registry.
    #[error(transparent)]
    Registry(#[from] NameError),
    /// It is not the name of a repository.
    #[error(transparent)]
    Repository(#[from] ReferenceError),
    /// It is the name of something else than it would be taken for.
    #[error(transparent)]
    Misread(#[from] Misread),
    /// It names one image.
    #[error("{0:?} names one image: leave out the tag or digest, or use `transship inspect`")]
    Image(String),
}

impl FromStr for Address {
    type Err = AddressError;

    /// A single name is a registry where it looks like a host or ends with a slash, else a
    /// repository of Docker Hub.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((name, "")) if !is_host(name) && Path::new(name).is_dir() => {
                return Err(Misread::Path(name.to_owned()).into());
            }
            Some((registry, "")) => return Ok(Self::Registry(registry.parse()?)),
            None if is_host(text) => return Ok(Self::Registry(text.parse()?)),
            Some(_) | None => {}
        }
        refuse_misreading(text)?;
        let reference: Reference = text.parse()?;
        if !reference.is_bare() {
            return Err(AddressError::Image(text.to_owned()));
        }
        Ok(Self::Repository(reference.registry, reference.repository))
    }
}

impl FromStr for Place {
    type Err = AddressError;

    /// A path begins with a dot or a slash, as no registry and no repository does.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        for word in ["oci-archive:", "docker-archive:"] {
            if let Some(path) = text.strip_prefix(word) {
                return Ok(Self::Archive(PathBuf::from(path)));
            }
        }
        let path = text.strip_prefix("oci:");
        if let Some(path) = path.or_else(|| text.starts_with(['.', '/']).then_some(text)) {
            return Ok(Self::Directory(PathBuf::from(path)));
        }
        text.parse().map(Self::Address)
    }
}

/// Whether a name without slashes names a host: it has a dot before any colon, is an IPv6 address or `localhost`.
pub(super) fn is_host(name: &str) -> bool {
    let host = name.split(':').next().unwrap_or_default();
    host == "localhost" || host.contains('.') || host.starts_with('[')
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(Address::Registry(registry)) => registry.fmt(formatter),
            Self::Address(Address::Repository(registry, repository)) => {
                write!(formatter, "{registry}/{repository}")
            }
            Self::Directory(path) | Self::Archive(path) => path.display().fmt(formatter),
        }
    }
}

/// Why a name would be read as a repository, and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// It is that of a registry.
    #[error("{0:?} looks like a registry: write {0}/REPOSITORY")]
    Registry(String),
    /// It is that of an archive.
    #[error("{0:?} looks like a file: write docker-archive:{0} or oci-archive:{0}")]
    File(String),
    /// It is that of something on this disk.
    #[error(
        "there is a file or directory {0} here: write ./{0}, or {hub} for the repository", hub = on_hub(.0)
    )]
    Path(String),
    /// It ends as that of a directory does.
    #[error(
        "{0:?} ends with a slash, as a directory does: write ./{0}, or {hub} for the repository", hub = on_hub(.0)
    )]
    Directory(String),
    /// It is that of a repository with a slash too many.
    #[error("{0:?} ends with a slash: write {trimmed}", trimmed = .0.trim_end_matches('/'))]
    Slash(String),
    /// It is a path with a word for it that other programs know.
    #[error("{text:?} is a path: write {path}")]
    WordedPath {
        /// The whole text.
        text: String,
        /// The path as it is written here.
        path: String,
    },
    /// It is an image of a daemon.
    #[error(
        "{0:?} is an image of a daemon, which is neither read nor written: go by a file, docker-archive:images.tar, \
         with docker save or docker load"
    )]
    Daemon(String),
}

/// How the names of archives end.
const ARCHIVE_ENDINGS: [&str; 4] = [".tar", ".tar.gz", ".tgz", ".tar.zst"];
/// Words of skopeo and of browsers for a directory or file.
const WORDED_PATHS: [&str; 2] = ["dir:", "file://"];
/// Words of skopeo for the images of a daemon.
const DAEMONS: [&str; 2] = ["docker-daemon:", "containers-storage:"];

/// Refuses a text that is meant for something else than a repository.
pub(super) fn refuse_misreading(text: &str) -> Result<(), Misread> {
    refuse_words(text)?;
    let is_closed = text.ends_with('/');
    if let Some((first, rest)) = text.split_once('/')
        && (is_host(first) || first.contains(':'))
    {
        return match rest.trim_matches('/') {
            "" => Err(Misread::Registry(first.to_owned())),
            _ if is_closed => Err(Misread::Slash(text.to_owned())),
            _ => Ok(()),
        };
    }
    refuse_archive(text)?;
    if is_closed {
        return Err(Misread::Directory(text.to_owned()));
    }
    if !text.contains('/') && is_host(text) {
        return Err(Misread::Registry(text.to_owned()));
    }
    let path = Path::new(text);
    // Directories are often called as repositories of Docker Hub are: only one with images is meant.
    let is_here = if text.contains('/') {
        path.join("oci-layout").exists()
    } else {
        path.exists()
    };
    if is_here {
        return Err(Misread::Path(text.to_owned()));
    }
    Ok(())
}

/// Refuses the name of an archive without the word that says of which kind it is.
pub(super) fn refuse_archive(text: &str) -> Result<(), Misread> {
    if ARCHIVE_ENDINGS.iter().any(|ending| text.ends_with(ending)) {
        return Err(Misread::File(text.to_owned()));
    }
    Ok(())
}

fn refuse_words(text: &str) -> Result<(), Misread> {
    let mut words = WORDED_PATHS.iter();
    if let Some(path) = words.find_map(|word| text.strip_prefix(word)) {
        let path = if path.starts_with(['.', '/']) {
            path.to_owned()
        } else {
            format!("./{path}")
        };
        let text = text.to_owned();
        return Err(Misread::WordedPath { text, path });
    }
    if DAEMONS.iter().any(|word| text.starts_with(word)) {
        return Err(Misread::Daemon(text.to_owned()));
    }
    Ok(())
}

/// The repository of Docker Hub that a name stands for.
fn on_hub(name: &str) -> String {
    let name = name.trim_end_matches('/');
    if name.contains('/') {
        format!("docker.io/{name}")
    } else {
        format!("docker.io/library/{name}")
    }
}

/// An image as people write it, from `registry/repository`.
pub(super) fn image_name(repository: &str, target: &TagOrDigest) -> String {
    match target {
        TagOrDigest::Tag(tag) => format!("{repository}:{tag}"),
        TagOrDigest::Digest(digest) => format!("{repository}@{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_registries_or_repositories() {
        let cases = [
            ("registry.example.com", "registry.example.com"),
            ("registry.example.com/", "registry.example.com"),
            ("registry:5000/", "registry:5000"),
            ("localhost", "localhost"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("docker.io", "docker.io"),
            ("alpine", "docker.io library/alpine"),
            ("docker.io/alpine", "docker.io library/alpine"),
            ("bitnami/nginx", "docker.io bitnami/nginx"),
            ("localhost:5000/a/b", "localhost:5000 a/b"),
        ];
        for (text, expected) in cases {
            let found = match text.parse::<Address>().unwrap() {
                Address::Registry(registry) => registry.to_string(),
                Address::Repository(registry, repository) => format!("{registry} {repository}"),
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn paths_begin_as_no_address_does() {
        for (text, expected) in [
            ("busybox", false),
            (".", true),
            ("./mirror", true),
            ("../mirror", true),
            ("/srv/mirror", true),
            ("mirror", false),
            ("mirror/app", false),
            ("a.test/app", false),
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!(matches!(place, Place::Directory(_)), expected, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_address() {
        let message = |text: &str| text.parse::<Address>().unwrap_err().to_string();
        insta::assert_snapshot!(message("alpine:3.20"), @r#""alpine:3.20" names one image: leave out the tag or digest, or use `transship inspect`"#);
        insta::assert_snapshot!(message("https://a.example.com"), @r#"reference "https://a.example.com": registry "https://a.example.com" starts with "https://": write the host without it"#);
        insta::assert_snapshot!(message("a.example.com:70000"), @r#"registry "a.example.com:70000" has the port "70000": expected a number from 1 to 65535"#);
        insta::assert_snapshot!(message(""), @r#"reference "": the repository is empty"#);
    }
}
