// SPDX-License-Identifier: Apache-2.0

//! Opens the images that arguments name, wherever they are.

use std::path::Path;

use super::connect::Connector;
use super::error::Error;
use super::image::{Named, Source};
use super::location::Location;
use crate::copy::{Endpoint, endpoint};
use crate::layout::{self, Layout, Listed};
use crate::oci::{Reference, Repository, Tag, TagOrDigest};

/// Names of images that are told where one has to be chosen.
const TOLD: usize = 10;

/// Opens the place of an image. Nothing is read of it but what tells which image is meant.
pub(super) async fn open(connector: &Connector, location: &Location) -> Result<Named, Error> {
    match location {
        Location::Registry(reference) => {
            let Reference {
                registry,
                repository,
                ..
            } = reference;
            let client = connector.client(registry, Some(repository)).await?;
            Ok(Named {
                source: Source {
                    endpoint: Endpoint::Registry(client),
                    repository: repository.clone(),
                    name: format!("{registry}/{repository}"),
                },
                target: reference.target(),
            })
        }
        Location::Layout { path, .. } => {
            let layout = Layout::single(path.clone());
            let repository = local()?;
            let target = if location.is_bare() {
                let images = list(&layout, &repository).await?;
                choose(&images, None).map_err(|images| ambiguous(location, &images))?
            } else {
                location.target()
            };
            let source = Source {
                endpoint: Endpoint::Layout(layout),
                repository,
                name: path.display().to_string(),
            };
            Ok(Named { source, target })
        }
        Location::Archive { path, name, .. } => {
            let (source, layout) = archive(path).await?;
            let images = list(&layout, &source.repository).await?;
            let chosen = choose(&images, name.as_deref());
            let target = chosen.map_err(|images| ambiguous(location, &images))?;
            Ok(Named { source, target })
        }
    }
}

/// All images of an archive.
pub(super) async fn open_all(path: &Path) -> Result<Source, Error> {
    Ok(archive(path).await?.0)
}

async fn archive(path: &Path) -> Result<(Source, Layout), Error> {
    let layout = Layout::open_archive(path.to_owned())
        .await
        .map_err(failed)?;
    let source = Source {
        endpoint: Endpoint::Layout(layout.clone()),
        repository: local()?,
        name: path.display().to_string(),
    };
    Ok((source, layout))
}

/// What the only repository of a layout or archive is called: it has no name of its own.
pub(super) fn local() -> Result<Repository, Error> {
    let name: Result<Repository, _> = "image".parse();
    name.map_err(|error| Error::Image(format!("{error}")))
}

/// The images of a layout or archive.
pub(super) async fn list(layout: &Layout, repository: &Repository) -> Result<Vec<Listed>, Error> {
    layout.list_images(repository).await.map_err(failed)
}

fn failed(error: layout::Error) -> Error {
    endpoint::Error::from(error).into()
}

/// The image with this name, or the only one; else the names there are.
fn choose(images: &[Listed], name: Option<&str>) -> Result<TagOrDigest, Vec<String>> {
    let names = || {
        let named = images.iter().filter_map(|image| image.name.clone());
        named.collect()
    };
    let fits = |image: &&Listed| match name {
        Some(name) => is_called(image, name),
        // What refers to an image goes along with it, and is none that somebody means without a word.
        None => image.name.is_some() && !image.tag.as_ref().is_some_and(Tag::is_attached),
    };
    let mut found: Vec<&Listed> = images.iter().filter(fits).collect();
    if found.is_empty() && name.is_none() {
        found = images.iter().collect();
    }
    found.dedup_by(|left, right| left.digest == right.digest);
    match found.as_slice() {
        [image] => Ok(match &image.tag {
            // In an archive several images may have one tag.
            Some(tag) if name.is_none() && !tag.is_attached() => TagOrDigest::Tag(tag.clone()),
            _ => TagOrDigest::Digest(image.digest.clone()),
        }),
        _ => Err(names()),
    }
}

/// Whether an image goes by a name: its tag, or the whole of it, with or without what Docker adds.
fn is_called(image: &Listed, name: &str) -> bool {
    if image.tag.as_ref().is_some_and(|tag| tag.as_str() == name) {
        return true;
    }
    let full = |text: &str| {
        text.parse::<Reference>()
            .map(|reference| reference.to_string())
    };
    let own = image.name.as_deref();
    own == Some(name)
        || own.is_some_and(|own| full(own).is_ok() && full(own).ok() == full(name).ok())
}

fn ambiguous(location: &Location, names: &[String]) -> Error {
    let told: Vec<&str> = names.iter().take(TOLD).map(String::as_str).collect();
    let more = if names.len() > TOLD { ", …" } else { "" };
    Error::Image(match told.as_slice() {
        [] => format!("{location} has no image with a name"),
        told => format!(
            "which image of {location}: there are {}{more}",
            told.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn listed(name: &str) -> Listed {
        Listed {
            name: (!name.is_empty()).then(|| name.to_owned()),
            tag: name.rsplit(':').next().and_then(|tag| tag.parse().ok()),
            digest: Digest::sha256(name.as_bytes()),
        }
    }

    #[test]
    fn images_of_an_archive_by_their_names() {
        let two = [
            listed("docker.io/library/a:1"),
            listed("b.test/a:2"),
            listed(""),
        ];
        let same = [listed("docker.io/library/a:1"), listed("b.test/a:1")];
        let signature = format!("a:sha256-{}.sig", "b".repeat(64));
        let signed = [listed("a:1"), listed(&signature)];
        let (first, second) = (two[0].digest.to_string(), two[1].digest.to_string());
        let cases: [(&[Listed], Option<&str>, String); 10] = [
            (&two, Some("a:1"), first.clone()),
            (&two, Some("library/a:1"), first.clone()),
            (&two, Some("1"), first.clone()),
            (&two, Some("b.test/a:2"), second),
            (
                &two,
                Some("a:2"),
                "docker.io/library/a:1 b.test/a:2".to_owned(),
            ),
            (&two, None, "docker.io/library/a:1 b.test/a:2".to_owned()),
            (&two[..1], None, "1".to_owned()),
            (&signed, None, "1".to_owned()),
            (&two[2..], None, two[2].digest.to_string()),
            (
                &same,
                Some("1"),
                "docker.io/library/a:1 b.test/a:1".to_owned(),
            ),
        ];
        for (images, name, expected) in cases {
            let found = match choose(images, name) {
                Ok(target) => target.to_string(),
                Err(names) => names.join(" "),
            };
            assert_eq!(found, expected, "{name:?}");
        }
    }
}
