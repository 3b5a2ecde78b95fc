//! Registries, repositories and images as people write them.

use std::path::PathBuf;
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
    /// A directory tree of OCI layouts.
    Directory(PathBuf),
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
            Some((registry, "")) => return Ok(Self::Registry(registry.parse()?)),
            None if is_host(text) => return Ok(Self::Registry(text.parse()?)),
            Some(_) | None => {}
        }
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
        if text.starts_with(['.', '/']) {
            return Ok(Self::Directory(PathBuf::from(text)));
        }
        text.parse().map(Self::Address)
    }
}

/// Whether a name without slashes names a host: it has a dot before any colon, is an IPv6 address or `localhost`.
fn is_host(name: &str) -> bool {
    let host = name.split(':').next().unwrap_or_default();
    host == "localhost" || host.contains('.') || host.starts_with('[')
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
