// SPDX-License-Identifier: Apache-2.0

//! What the arguments of a copy mean. Pure.

use super::super::args::CopyArgs;
use super::super::error::Error;
use super::super::location::{ArchiveKind, Location};
use crate::oci::{Tag, TagOrDigest};

/// What is copied where.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) sources: &'a [Location],
    pub(super) destination: &'a Location,
    /// Whether every tag of each source is copied.
    pub(super) all_tags: bool,
}

/// What the arguments mean, or what is wrong with them.
pub(super) fn check(args: &CopyArgs) -> Result<Job<'_>, Error> {
    let wrong = |text: &str| Err(Error::Usage(text.to_owned()));
    let Some((sources, destination)) = args.split() else {
        return wrong("one image is named: write what to copy, and behind it where to");
    };
    if args.all_tags && !sources.iter().all(Location::is_bare) {
        return wrong("SRC names one image, --all-tags copies all: leave out its tag or digest");
    }
    if args.all_tags && !destination.is_bare() {
        return wrong("DST names one image, --all-tags copies all: leave out its tag or digest");
    }
    if destination.digest().is_some() {
        return wrong("DST has a digest, which the content alone decides: write a tag or none");
    }
    if sources.len() > 1 && !destination.is_bare() {
        return wrong("DST names one image, and there are several SRC: leave out its tag");
    }
    if sources.len() > 1 && matches!(destination, Location::Registry(_)) {
        return wrong(
            "DST is one repository, and there are several SRC: copy one after the other, or to a directory or archive",
        );
    }
    let is_docker = matches!(
        destination,
        Location::Archive {
            kind: ArchiveKind::Docker,
            ..
        }
    );
    if is_docker && args.platform.len() > 1 {
        return wrong(
            "docker load takes one platform of an image: name one, or write an oci-archive",
        );
    }
    Ok(Job {
        sources,
        destination,
        all_tags: args.all_tags,
    })
}

/// The tag of a copy: the one that the destination names, else that of the source.
pub(super) fn tag(found: &TagOrDigest, source: &Location, destination: &Location) -> Option<Tag> {
    let own = || match found {
        TagOrDigest::Tag(tag) => Some(tag.clone()),
        TagOrDigest::Digest(_) => source.tag(),
    };
    destination.tag().or_else(own)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::args::{Arguments, Command};
    use super::*;
    use crate::oci::Digest;

    fn meant(arguments: &[&str]) -> String {
        let words = ["transship", "copy"].iter().chain(arguments);
        let Command::Copy(args) = Arguments::try_parse_from(words).unwrap().command else {
            panic!("{arguments:?}")
        };
        match check(&args) {
            Ok(job) if job.all_tags => "all tags".to_owned(),
            Ok(job) => {
                let copies = job.sources.iter().map(|source| {
                    let found = source.target();
                    let tag = tag(&found, source, job.destination);
                    format!(
                        "{found} to {}",
                        tag.map_or("no tag".to_owned(), |tag| tag.to_string())
                    )
                });
                copies.collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_arguments_name_images_or_all_tags() {
        let digest = Digest::sha256(b"a");
        let pinned = format!("app@{digest}");
        let named = format!("app:1@{digest}");
        let one_image = "names one image, --all-tags copies all: leave out its tag or digest";
        let nowhere = "one image is named: write what to copy, and behind it where to";
        let cases: [(&[&str], String); 20] = [
            (&["app:1"], nowhere.to_owned()),
            (&["-a", "./dir"], nowhere.to_owned()),
            (&["app", "b.test/app"], "latest to latest".to_owned()),
            (&["app:1", "b.test/app"], "1 to 1".to_owned()),
            (&["app:1", "b.test/app:2"], "1 to 2".to_owned()),
            (&[&pinned, "b.test/app"], format!("{digest} to no tag")),
            (&[&pinned, "b.test/app:2"], format!("{digest} to 2")),
            (&[&named, "b.test/app"], format!("{digest} to 1")),
            (&["app", "b.test/app:2"], "latest to 2".to_owned()),
            (&["app:1", "./dir"], "1 to 1".to_owned()),
            (&["app:1", "./dir:2"], "1 to 2".to_owned()),
            (&["app:1", "docker-archive:a.tar:b:2"], "1 to 2".to_owned()),
            (&["a:1", "b:2", "docker-archive:a.tar"], "1 to 1, 2 to 2".to_owned()),
            (&["-a", "app", "b.test/app"], "all tags".to_owned()),
            (&["-a", "app:1", "b.test/app"], format!("SRC {one_image}")),
            (&["-a", "app", "b.test/app:1"], format!("DST {one_image}")),
            (
                &["app", &pinned],
                "DST has a digest, which the content alone decides: write a tag or none".to_owned(),
            ),
            (
                &["a:1", "b:1", "./dir:1"],
                "DST names one image, and there are several SRC: leave out its tag".to_owned(),
            ),
            (
                &["a:1", "b:1", "b.test/app"],
                "DST is one repository, and there are several SRC: copy one after the other, or to a directory or archive"
                    .to_owned(),
            ),
            (
                &["a:1", "docker-archive:a.tar", "--platform", "linux/amd64,linux/arm64"],
                "docker load takes one platform of an image: name one, or write an oci-archive".to_owned(),
            ),
        ];
        for (arguments, expected) in cases {
            assert_eq!(meant(arguments), expected, "{arguments:?}");
        }
    }
}
