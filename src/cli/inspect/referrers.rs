// SPDX-License-Identifier: Apache-2.0

//! What refers to an image: listed by the registry, or found under the tags that stand in for that.

use futures::future::try_join_all;

use super::super::error::Error;
use super::super::image::Source;
use super::view::ReferrerView;
use crate::copy::endpoint::Referrers;
use crate::oci::{Content, Descriptor, Digest, Tag, TagOrDigest};

/// Endings of the tags under which cosign keeps what it made, and what that is.
const COSIGN_TAGS: [(&str, &str); 3] = [
    (".sig", "cosign signature"),
    (".att", "cosign attestation"),
    (".sbom", "cosign SBOM"),
];

/// Reads both schemes.
pub(super) async fn read(source: &Source, digest: &Digest) -> Result<Vec<ReferrerView>, Error> {
    let mut all = read_listed(source, digest).await?;
    let tags = COSIGN_TAGS.map(|(ending, kind)| read_tagged(source, digest, ending, kind));
    all.extend(try_join_all(tags).await?.into_iter().flatten());
    Ok(all)
}

async fn read_listed(source: &Source, digest: &Digest) -> Result<Vec<ReferrerView>, Error> {
    let list = match source
        .endpoint
        .referrers(&source.repository, digest)
        .await?
    {
        Referrers::Listed(list) => return Ok(list.iter().map(|entry| view(entry, None)).collect()),
        Referrers::Unsupported => read_fallback(source, digest).await?,
    };
    Ok(list)
}

/// The index under the tag `sha256-<hex>` (distribution specification, referrers tag schema).
async fn read_fallback(source: &Source, digest: &Digest) -> Result<Vec<ReferrerView>, Error> {
    let Some((tag, found)) = find(source, digest, "").await? else {
        return Ok(Vec::new());
    };
    let index = source.fetch(&found.into()).await?;
    Ok(match index.content() {
        Content::Index(index) => index
            .manifests
            .iter()
            .map(|entry| view(entry, Some(&tag)))
            .collect(),
        Content::Image(_) => Vec::new(),
    })
}

async fn read_tagged(
    source: &Source,
    digest: &Digest,
    ending: &str,
    kind: &str,
) -> Result<Option<ReferrerView>, Error> {
    let found = find(source, digest, ending).await?;
    Ok(found.map(|(tag, digest)| ReferrerView {
        artifact_type: kind.to_owned(),
        digest,
        tag: Some(tag.to_string()),
    }))
}

async fn find(
    source: &Source,
    digest: &Digest,
    ending: &str,
) -> Result<Option<(Tag, Digest)>, Error> {
    let text = format!(
        "{}-{}{ending}",
        digest.algorithm().as_str(),
        digest.encoded()
    );
    // The longer digests make tags that are too long, so that there are none.
    let Ok(tag) = text.parse::<Tag>() else {
        return Ok(None);
    };
    let target = TagOrDigest::Tag(tag.clone());
    let found = source.endpoint.resolve(&source.repository, &target, None);
    Ok(found.await?.map(|found| (tag, found)))
}

fn view(entry: &Descriptor, tag: Option<&Tag>) -> ReferrerView {
    let artifact_type = entry.artifact_type.clone();
    ReferrerView {
        artifact_type: artifact_type.unwrap_or_else(|| entry.media_type.to_string()),
        digest: entry.digest.clone(),
        tag: tag.map(ToString::to_string),
    }
}
