// SPDX-License-Identifier: Apache-2.0

//! Which of what refers to an image comes along.

use crate::copy::endpoint;
use crate::copy::fallback;
use crate::copy::graph::Graph;
use crate::copy::links::{Entry, Links};
use crate::copy::manifests::Manifests;
use crate::copy::pipe::Origin;
use crate::oci::{Content, Digest, Manifest};
use crate::plan::ReferrerTypes;

/// Which of what refers to an image comes along.
#[derive(Clone, Copy)]
pub(in crate::copy) struct Wish<'a> {
    pub(in crate::copy) types: &'a ReferrerTypes,
    /// What comes along whatever its type.
    pub(in crate::copy) evidence: &'a [Digest],
    /// Whether nothing comes along that a node would run.
    pub(in crate::copy) is_gated: bool,
}

// === impl Wish ===

impl Wish<'_> {
    /// Whether a manifest comes along. What is found by a tag may have the type of one of its layers only.
    pub(super) fn admits(&self, manifest: &Manifest) -> bool {
        let layers = match manifest.content() {
            Content::Image(image) => image.layers.as_slice(),
            Content::Index(_) => &[],
        };
        let of_layers = layers.iter().map(|layer| layer.media_type.as_str());
        let mut types = manifest.artifact_type().into_iter().chain(of_layers);
        self.is_evidence(manifest.digest()) || types.any(|name| self.types.include(name))
    }

    /// Whether something is left out because it is an image that nobody has judged, attached to one that was.
    pub(super) fn bars(&self, origin: &Origin, graph: &Graph) -> bool {
        let is_barred = self.is_gated && graph.manifests().any(|manifest| manifest.can_run());
        if is_barred {
            let (repository, digest) = (origin.name(), graph.root.digest());
            tracing::warn!(
                repository,
                %digest,
                "refers to an image that policies judge, and is an image that none of them has judged: it is left out"
            );
        }
        is_barred
    }

    /// Whether it may, by what the source says of it.
    pub(super) fn may_admit(&self, entry: &Entry) -> bool {
        let artifact_type = entry.artifact_type.as_deref();
        self.is_evidence(&entry.digest)
            || artifact_type.is_none_or(|name| name.is_empty() || self.types.include(name))
    }

    /// What comes along of what refers to one manifest. It is read where the source does not say enough.
    pub(in crate::copy) async fn choose<'e>(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        links: &'e Links,
    ) -> Result<Vec<&'e Entry>, endpoint::Error> {
        let mut chosen = Vec::new();
        for entry in links.entries.iter().filter(|entry| self.may_admit(entry)) {
            let is_member = links.is_member(entry);
            let is_told = match self.types {
                ReferrerTypes::None | ReferrerTypes::All => true,
                ReferrerTypes::Only(_) => entry.artifact_type.is_some(),
            };
            if is_told && !is_member {
                chosen.push(entry);
                continue;
            }
            let manifest = match manifests.fetch(origin, &entry.digest).await {
                Ok(manifest) => manifest,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            let refers = !is_member || fallback::refers_to(&manifest, &links.subject);
            if refers && self.admits(&manifest) {
                chosen.push(entry);
            }
        }
        Ok(chosen)
    }

    fn is_evidence(&self, digest: &Digest) -> bool {
        self.evidence.contains(digest)
    }
}
