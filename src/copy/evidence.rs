// SPDX-License-Identifier: Apache-2.0

//! What stands beside an image and may prove something of it: signatures and attestations, in both
//! schemes of cosign. It is found as referrers are, and read without being copied.

use std::collections::HashSet;

use futures::{TryStreamExt, stream};

use super::config::read_blob;
use super::examine::images;
use super::graph::Graph;
use super::graph_error::GraphError;
use super::links::Detail;
use super::manifests::{Manifests, Room};
use super::pipe::Origin;
use super::{Engine, Error, endpoint};
use crate::oci::{Content, Descriptor, Digest, Platform, Tag, limits};
use crate::plan::Platforms;
use crate::plan::gates::Scan;
use crate::runtime::memory;
use crate::signature::{Evidence, Layer};

/// What the type of a referrer begins with that is a Sigstore bundle.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// What the type of a referrer begins with that holds the layers of cosign's tags.
const COSIGN: &str = "application/vnd.dev.cosign.artifact.";
/// The layer of a `.sig` tag.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The layer of an `.att` tag.
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// What a bundle states, as the annotations of its manifest tell beforehand.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";
/// What a bundle states that is a signature.
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

/// Most manifests beside one image that are read, and most layers of one of them; the last ones are the
/// newest.
const EVIDENCE: usize = 256;
/// Manifests and layers of evidence that are read at once for one image.
const READS: usize = 8;

/// Which evidence is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// Signatures.
    Signatures,
    /// Signatures and scans for vulnerabilities.
    SignaturesAndScans,
    /// Everything that is signed.
    Everything,
}

/// The manifests beside an image that may hold evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Their digests, each once.
    pub manifests: Vec<Digest>,
    /// Whether there are more than are read.
    pub is_cut: bool,
}

/// What one manifest holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// The evidence, as it was found.
    pub evidence: Vec<Evidence>,
    /// Whether there is more, which is too large or too much to be read.
    pub is_cut: bool,
}

// === impl Engine ===

impl Engine {
    /// Looks for evidence about the manifest `subject`; asks again each time.
    pub async fn find_evidence(
        &self,
        origin: &Origin,
        subject: &Digest,
        wanted: Wanted,
    ) -> Result<Found, Error> {
        let (found, _) = memory::with_room(|| find(self, origin, subject, wanted)).await;
        found.map_err(|error| Error::source(origin, subject, GraphError::Evidence(error)))
    }

    /// Reads what one manifest holds.
    pub async fn read_evidence(&self, origin: &Origin, digest: &Digest) -> Result<Holds, Error> {
        let holds = read(&self.manifests, origin, digest).await;
        holds.map_err(|error| Error::source(origin, digest, GraphError::Evidence(error)))
    }

    /// The images that would be copied of `digest`, each with the platform that an index gives it.
    pub async fn images(
        &self,
        origin: &Origin,
        digest: &Digest,
        platforms: &Platforms,
    ) -> Result<Vec<(Option<Platform>, Digest)>, Error> {
        let (graph, _kept) = memory::with_room(|| async {
            let room = Room::new();
            Graph::read(&self.manifests, origin, digest, platforms, &room).await
        })
        .await;
        let graph = graph.map_err(|error| Error::source(origin, digest, error))?;
        let images = images(&graph).into_iter();
        Ok(images
            .map(|(platform, manifest)| (platform, manifest.digest().clone()))
            .collect())
    }
}

// === finding ===

async fn find(
    engine: &Engine,
    origin: &Origin,
    subject: &Digest,
    wanted: Wanted,
) -> Result<Found, endpoint::Error> {
    let Engine {
        finder, manifests, ..
    } = engine;
    let listed = finder
        .listed(manifests, origin, subject, Detail::Members)
        .await?;
    let listed = listed
        .entries
        .into_iter()
        .filter(|entry| wanted.may_be(entry));
    let mut manifests: Vec<Digest> = listed.map(|entry| entry.digest).collect();
    for suffix in wanted.suffixes() {
        if let Some(tag) = Tag::of_referrers(subject, suffix)
            && let Some(digest) = finder.tagged(origin, &tag).await?
        {
            manifests.push(digest);
        }
    }
    let mut seen = HashSet::new();
    manifests.retain(|digest| seen.insert(digest.clone()));
    let surplus = manifests.len().saturating_sub(EVIDENCE);
    Ok(Found {
        manifests: manifests.split_off(surplus),
        is_cut: surplus > 0,
    })
}

// === impl Wanted ===

impl Wanted {
    /// Whether a referrer may be what is wanted, by what its entry says. Who says something wrong there
    /// only hides it.
    fn may_be(self, entry: &Descriptor) -> bool {
        let is_evidence = match entry.artifact_type.as_deref() {
            None | Some("") => true,
            Some(name) => name.starts_with(BUNDLE) || name.starts_with(COSIGN),
        };
        let predicate = entry.annotations.get(PREDICATE).map(String::as_str);
        is_evidence && predicate.is_none_or(|predicate| self.wants(predicate))
    }

    fn wants(self, predicate: &str) -> bool {
        match self {
            Self::Signatures => predicate == SIGNATURE,
            Self::SignaturesAndScans => predicate == SIGNATURE || Scan::is_scan(predicate),
            Self::Everything => true,
        }
    }

    /// The endings of cosign's tags.
    const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Signatures => &[".sig"],
            Self::SignaturesAndScans | Self::Everything => &[".sig", ".att"],
        }
    }
}

// === reading ===

async fn read(
    manifests: &Manifests,
    origin: &Origin,
    digest: &Digest,
) -> Result<Holds, endpoint::Error> {
    let manifest = manifests.fetch(origin, digest).await?;
    let Content::Image(image) = manifest.content() else {
        return Ok(Holds::default());
    };
    let layers = image.layers.iter().filter(|layer| is_evidence(layer));
    let layers: Vec<&Descriptor> = layers.collect();
    let surplus = layers.len().saturating_sub(EVIDENCE);
    let reads: Vec<_> = layers
        .into_iter()
        .skip(surplus)
        .map(|layer| Ok(read_layer(origin, digest, layer)))
        .collect();
    let read: Vec<Option<Evidence>> = stream::iter(reads)
        .try_buffered(READS)
        .try_collect()
        .await?;
    Ok(Holds {
        is_cut: surplus > 0 || read.iter().any(Option::is_none),
        evidence: read.into_iter().flatten().collect(),
    })
}

fn is_evidence(layer: &Descriptor) -> bool {
    let media_type = layer.media_type.as_str();
    media_type.starts_with(BUNDLE) || media_type == SIMPLE_SIGNING || media_type == ENVELOPE
}

/// Reads a layer; nothing where it is too large, or damaged.
async fn read_layer(
    origin: &Origin,
    manifest: &Digest,
    layer: &Descriptor,
) -> Result<Option<Evidence>, endpoint::Error> {
    let limit = limits::EVIDENCE_BYTES as u64;
    let Some(bytes) = read_blob(origin, layer, limit).await? else {
        return Ok(None);
    };
    // What is signed stands in it once more, encoded.
    memory::keep(bytes.len())?;
    let digest = manifest.clone();
    let of_layer = |payload| Layer::new(digest.clone(), payload, &layer.annotations);
    Ok(Some(match layer.media_type.as_str() {
        SIMPLE_SIGNING => Evidence::Simple(of_layer(bytes)),
        ENVELOPE => Evidence::Envelope(of_layer(bytes)),
        _ => Evidence::Bundle { digest, bytes },
    }))
}
