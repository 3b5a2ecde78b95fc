// SPDX-License-Identifier: Apache-2.0

//! What stands under a tag that is named after a digest: a list of what refers to that, or something else.

use crate::copy::endpoint;
use crate::copy::links::members;
use crate::copy::manifests::Manifests;
use crate::copy::pipe::Origin;
use crate::oci::{Content, Descriptor, Manifest, Tag};

/// Most members of an index that are read to find out whether it is a list of referrers.
const WITNESSES: usize = 16;
/// The same with those that turn out to be gone.
const LOOKS: usize = 64;

/// What a manifest is that stands under a tag named after a digest, as far as one place tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::copy) enum Nature {
    /// A list of what refers to that digest.
    List,
    /// Something else.
    Other,
    /// Some of what it names is not there, and nothing that is there refers to the digest.
    Untold {
        /// Whether nothing of it is there.
        is_void: bool,
    },
}

/// Whether a manifest is a list of what refers to the digest that a tag is named after.
pub(in crate::copy) async fn lists(
    manifests: &Manifests,
    origin: &Origin,
    manifest: &Manifest,
    tag: &Tag,
) -> Result<bool, endpoint::Error> {
    match nature(manifests, origin, manifest, tag).await? {
        Nature::List => Ok(true),
        Nature::Other | Nature::Untold { is_void: false } => Ok(false),
        // Some tools leave a list behind when they delete what it lists. Whatever it was, nobody can pull it.
        Nature::Untold { is_void: true } => {
            let repository = origin.name();
            tracing::warn!(repository, %tag, "nothing that this tag lists is there any more: it is left out");
            Ok(true)
        }
    }
}

/// What a manifest is that stands under a tag named after a digest. Its members decide: some registries
/// resolve `sha256-<hex>` as the digest itself (GitLab, oras-project/oras-go#1396), and some images have no
/// other tag.
pub(in crate::copy) async fn nature(
    manifests: &Manifests,
    origin: &Origin,
    manifest: &Manifest,
    tag: &Tag,
) -> Result<Nature, endpoint::Error> {
    let (Content::Index(index), Some(attachment)) = (manifest.content(), tag.attachment()) else {
        return Ok(Nature::Other);
    };
    if attachment.is_of(manifest.digest()) {
        return Ok(Nature::Other);
    }
    let refers = |member: &Manifest| {
        let subject = member.subject();
        subject.is_some_and(|subject| attachment.is_of(&subject.digest))
    };
    let (mut strangers, mut gone) = (0, 0);
    for member in index.manifests.iter().take(LOOKS) {
        match manifests.fetch(origin, &member.digest).await {
            Ok(member) if refers(&member) => return Ok(Nature::List),
            Ok(_) => strangers += 1,
            Err(error) if error.is_not_found() => gone += 1,
            Err(error) => return Err(error),
        }
        if strangers == WITNESSES {
            break;
        }
    }
    Ok(match (strangers, gone) {
        (0, 0) => Nature::List,
        (_, 0) => Nature::Other,
        (strangers, _) => Nature::Untold {
            is_void: strangers == 0,
        },
    })
}

/// Whether an index lists artifacts by the word of its entries: each says what it is, and none where it runs.
/// That is how the referrers of a manifest are listed, and no image is listed so.
pub(in crate::copy) fn lists_artifacts(manifest: &Manifest) -> bool {
    let is_artifact = |entry: &Descriptor| {
        let artifact_type = entry.artifact_type.as_deref();
        entry.platform.is_none() && artifact_type.is_some_and(|name| !name.is_empty())
    };
    let entries = members(manifest);
    !entries.is_empty() && entries.iter().all(is_artifact)
}
