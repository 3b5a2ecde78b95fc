// SPDX-License-Identifier: Apache-2.0

//! Names of which nothing is left out, as they stand on record: `registry/repository` and `registry/repository:tag`.

use super::names::NameError;
use super::{Registry, Repository, Tag};

/// Why a text is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FullNameError {
    /// A single word is no repository: the registry always stands in front.
    #[error("it has no registry")]
    NoRegistry,
    /// There is no tag.
    #[error("it has no tag")]
    NoTag,
    /// A part is wrong.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// A repository with its registry.
pub fn read_repository(text: &str) -> Result<(Registry, Repository), FullNameError> {
    let (registry, repository) = text.split_once('/').ok_or(FullNameError::NoRegistry)?;
    Ok((registry.parse()?, repository.parse()?))
}

/// A tag with its repository and registry.
pub fn read_image(text: &str) -> Result<(Registry, Repository, Tag), FullNameError> {
    let (registry, rest) = text.split_once('/').ok_or(FullNameError::NoRegistry)?;
    let (repository, tag) = rest.rsplit_once(':').ok_or(FullNameError::NoTag)?;
    Ok((registry.parse()?, repository.parse()?, tag.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_out() {
        for (text, expected) in [
            ("docker.io/library/a:1", ""),
            ("r.test:5000/a/b:1", ""),
            ("a", "it has no registry"),
            ("a:1", "it has no registry"),
            ("r.test/a", "it has no tag"),
            ("r.test:5000/a", "it has no tag"),
        ] {
            let found = read_image(text).map_or_else(
                |error| error.to_string(),
                |(registry, repository, tag)| {
                    assert_eq!(format!("{registry}/{repository}:{tag}"), text);
                    String::new()
                },
            );
            assert_eq!(found, expected, "{text}");
        }
        for wrong in ["r.test/a/../b:1", "r.test/a:?", "?/a:1"] {
            let error = read_image(wrong).unwrap_err();
            assert!(matches!(error, FullNameError::Name(_)), "{wrong}: {error}");
        }
        let (registry, repository) = read_repository("r.test/a/b").unwrap();
        assert_eq!((registry.as_str(), repository.as_str()), ("r.test", "a/b"));
    }
}
