//! Tags become digests, once; after that the destinations are looked at.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, stream};

use super::ledger::{Record, Slot};
use super::report::{Failure, Outcome, TagReport};
use super::{Connect, Syncer};
use crate::api::{Reason, ReferrersMode};
use crate::copy::{self, Endpoint, Job, Origin};
use crate::oci::{Digest, Tag, TagOrDigest};
use crate::plan::template::TemplateError;
use crate::plan::{Claim, Destination, Mirror, Platforms, SourceImage};

/// Tags that are looked at together. What a registry bears is decided by its own limits.
const LOOKS: usize = 128;

/// A tag of a source that was selected.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    /// The place of its mirror among the mirrors of the round.
    pub(super) mirror: usize,
    pub(super) origin: Origin,
    pub(super) tag: Tag,
}

/// A selected tag and the digest that it names; from here on the digest is what is spoken of.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// The place of its mirror among the mirrors of the round.
    pub(super) mirror: usize,
    pub(super) source: SourceImage,
    pub(super) origin: Origin,
    pub(super) digest: Digest,
    pub(super) platforms: Platforms,
    pub(super) referrers: ReferrersMode,
}

/// A destination tag of an image, as it was found.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) slot: Slot,
    pub(super) image: Arc<Image>,
    pub(super) claim: Claim,
    pub(super) endpoint: Endpoint,
    /// What the tag names now.
    pub(super) current: Option<Digest>,
    /// What it should name.
    pub(super) expected: Digest,
    pub(super) recorded: Option<Record>,
}

/// A destination tag that could not be looked at.
#[derive(Clone, Debug)]
pub(super) struct Missed {
    pub(super) image: Arc<Image>,
    pub(super) claim: Claim,
    pub(super) failure: Failure,
}

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// Asks the sources for the digests of the selected tags.
    pub(super) async fn resolve(
        &self,
        mirrors: &[&Mirror],
        selected: Vec<Selected>,
    ) -> Vec<(usize, Result<Image, Failure>)> {
        let known: Vec<HashMap<String, Digest>> = mirrors
            .iter()
            .map(|mirror| self.ledger.sources(&mirror.name))
            .collect();
        stream::iter(selected)
            .map(|selected| {
                let index = selected.mirror;
                let mirror = mirrors.get(index).zip(known.get(index));
                async move { Some((index, resolve(mirror?, selected).await)) }
            })
            .buffered(LOOKS)
            .filter_map(async |resolved| resolved)
            .collect()
            .await
    }

    /// Looks at the destination tags of the images.
    pub(super) async fn look(
        &self,
        mirrors: &[&Mirror],
        claims: Vec<(Arc<Image>, Claim)>,
    ) -> Vec<Result<Sighting, Missed>> {
        stream::iter(claims)
            .map(|(image, claim)| {
                let mirror = mirrors.get(image.mirror).copied();
                let place = mirror
                    .and_then(|mirror| Some((mirror, mirror.destinations.get(claim.destination)?)));
                async move {
                    let seen = self.look_at(place?, &image, &claim).await;
                    Some(seen.map_err(|failure| Missed {
                        image,
                        claim,
                        failure,
                    }))
                }
            })
            .buffered(LOOKS)
            .filter_map(async |seen| seen)
            .collect()
            .await
    }

    async fn look_at(
        &self,
        place: (&Mirror, &Destination),
        image: &Arc<Image>,
        claim: &Claim,
    ) -> Result<Sighting, Failure> {
        let subject = claim.to_string();
        let (mirror, destination) = place;
        let endpoint = self
            .connect
            .destination(mirror, destination, &claim.repository)
            .await
            .map_err(|error| Failure::connecting(&subject, error))?;
        let slot = Slot {
            mirror: mirror.name.clone(),
            destination: destination.name.clone(),
            repository: claim.repository.clone(),
            tag: claim.tag.clone(),
        };
        let recorded = self.ledger.read(&slot);
        let known = recorded.as_ref().map(|record| &record.digest);
        let tag = TagOrDigest::Tag(claim.tag.clone());
        let (current, expected) = tokio::join!(
            endpoint.resolve(&claim.repository, &tag, known),
            self.expected(image, recorded.as_ref()),
        );
        let current = current.map_err(|error| Failure::requesting(&subject, &error))?;
        Ok(Sighting {
            slot,
            image: image.clone(),
            claim: claim.clone(),
            endpoint,
            current,
            expected: expected?,
            recorded,
        })
    }

    /// The digest that the destination is to have: on record, or told by the source's index.
    async fn expected(&self, image: &Image, recorded: Option<&Record>) -> Result<Digest, Failure> {
        if let Some(record) = recorded.filter(|record| record.source_digest == image.digest) {
            return Ok(record.digest.clone());
        }
        let Image {
            origin,
            digest,
            platforms,
            ..
        } = image;
        self.engine
            .expected_digest(origin, digest, platforms)
            .await
            .map_err(|error| Failure::copying(&image.source.to_string(), &error))
    }
}

async fn resolve(
    (mirror, known): (&&Mirror, &HashMap<String, Digest>),
    selected: Selected,
) -> Result<Image, Failure> {
    let Selected {
        mirror: index,
        origin,
        tag,
    } = selected;
    let source = SourceImage {
        registry: mirror.source.registry.clone(),
        repository: origin.repository.clone(),
        tag,
    };
    let name = source.to_string();
    let digest = origin
        .endpoint
        .resolve(
            &origin.repository,
            &source.tag.clone().into(),
            known.get(&name),
        )
        .await
        .map_err(|error| Failure::requesting(&name, &error))?
        .ok_or_else(|| Failure::missing(&name))?;
    Ok(Image {
        mirror: index,
        source,
        platforms: mirror.platforms.clone(),
        referrers: mirror.referrers,
        origin,
        digest,
    })
}

// === impl Image ===

impl Image {
    /// A job that copies it, with no target yet.
    pub(super) fn job(&self) -> Job {
        Job {
            origin: self.origin.clone(),
            digest: self.digest.clone(),
            platforms: self.platforms.clone(),
            referrers: self.referrers,
            targets: Vec::new(),
        }
    }

    /// The line of the report for one of its destination tags.
    pub(super) fn report(&self, destination: &str, claim: &Claim, outcome: Outcome) -> TagReport {
        TagReport {
            source: self.source.to_string(),
            destination: destination.to_owned(),
            target: claim.to_string(),
            source_digest: self.digest.clone(),
            outcome,
        }
    }
}

// === impl Sighting ===

impl Sighting {
    /// The line of the report.
    pub(super) fn report(&self, outcome: Outcome) -> TagReport {
        self.image
            .report(&self.slot.destination, &self.claim, outcome)
    }
}

// === impl Failure ===

impl Failure {
    fn copying(subject: &str, error: &copy::Error) -> Self {
        Self {
            subject: subject.to_owned(),
            reason: error.reason(),
            message: error.to_string(),
            next_attempt_time: error.retry_at(),
        }
    }

    pub(super) fn naming(subject: &str, error: &TemplateError) -> Self {
        Self {
            subject: subject.to_owned(),
            reason: Reason::InvalidSpec,
            message: error.to_string(),
            next_attempt_time: None,
        }
    }

    fn missing(source: &str) -> Self {
        Self {
            subject: source.to_owned(),
            reason: Reason::NotFound,
            message: format!("{source} does not exist"),
            next_attempt_time: None,
        }
    }
}
