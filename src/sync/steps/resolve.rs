// SPDX-License-Identifier: Apache-2.0

//! Tags become digests, once; the destination tags are looked at meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, stream};

use crate::api::TagMutability;
use crate::copy::endpoint::Described;
use crate::copy::{Endpoint, Engine, Lookup, Origin, endpoint};
use crate::oci::{Digest, MediaType, Repository, Tag, TagOrDigest};
use crate::plan::report::{Excluded, Failure};
use crate::plan::{Claim, Destination, Mirror, NotSelected, ReferrerTypes, SourceImage};
use crate::sync::Mode;
use crate::sync::connect::Connect;
use crate::sync::ledger::{Ledger, Page, Record, Slot};
use crate::sync::mirror_round::MirrorRound;
use crate::sync::shape::Shape;
use crate::sync::sighting::{Absent, Image, Missed, Selected, Sighted, Sighting};

/// What the step works with.
pub(in crate::sync) struct Deps<'a, C> {
    pub(in crate::sync) connection: &'a C,
    pub(in crate::sync) engine: &'a Engine,
    pub(in crate::sync) ledger: &'a Ledger,
}

/// Tags that are looked at together. What a registry bears is decided by its own limits.
const LOOKS: usize = 128;

/// What a selected tag names.
enum Resolved {
    Image(Image),
    /// Nothing, and that is no failure.
    Absent(SourceImage),
}

/// What a destination tag is like, whatever the source has.
struct Look {
    slot: Slot,
    endpoint: Endpoint,
    current: Option<Digest>,
    recorded: Option<Record>,
}

/// What destination tags are like, by the names of their destinations.
type Looks<'a> = HashMap<(&'a str, Claim), Result<Look, Failure>>;

// === the step ===

/// Resolves the selected tags and looks at their destinations. What fails is a failure of its tag.
pub(in crate::sync) async fn resolve<C: Connect>(
    deps: &Deps<'_, C>,
    round: &mut MirrorRound,
    selected: Vec<Selected>,
    mode: Mode,
) -> Vec<Sighting> {
    let mirror = round.mirror.clone();
    let known = deps.ledger.sources(&mirror.name);
    let strange = if mode == Mode::Prune {
        Vec::new()
    } else {
        first_met(&mirror, &known, &selected)
    };
    let probes = strange
        .iter()
        .map(|origin| deps.engine.probe_referrers(origin));
    let (mirror, known) = (&*mirror, &known);
    let sighted = stream::iter(selected)
        .map(|selected| sight(deps, mirror, known, selected))
        .buffered(LOOKS)
        .collect::<Vec<_>>();
    // Whether the sources list referrers is asked next of whatever has no record.
    let (sighted, _) = tokio::join!(sighted, futures::future::join_all(probes));
    keep(round, sighted)
}

/// The destination tags that could be looked at; the others are failures of their tags.
fn keep(round: &mut MirrorRound, sighted: Vec<Sighted>) -> Vec<Sighting> {
    let mut kept = Vec::new();
    for Sighted {
        sightings,
        failures,
        absent,
    } in sighted
    {
        if let Some(absent) = absent {
            // A tag that need not exist is wanted all the same.
            round.report.excluded.push(Excluded {
                source: absent.source.clone(),
                reason: NotSelected::Absent,
            });
            round.absent.push(absent);
        }
        for failure in failures {
            round.fail_tag(failure);
        }
        for sighting in sightings {
            match sighting {
                Ok(sighting) => kept.push(sighting),
                Err(missed) => round.report.tags.push(missed.report()),
            }
        }
    }
    kept
}

/// The source and the destinations are asked at the same time, as far as the names of the
/// destination tags do not need the digest.
async fn sight<C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &Mirror,
    known: &HashMap<String, Digest>,
    selected: Selected,
) -> Sighted {
    let namings = selected.namings.clone();
    let claims = |repository: &Repository, tag: &Tag, digest: Option<&Digest>| {
        let claims = namings.iter();
        let claims = claims.flat_map(|naming| mirror.claims(naming, repository, tag, digest));
        claims.collect::<Vec<_>>()
    };
    let early = claims(&selected.origin.repository, &selected.tag, None);
    let early: Vec<(&Destination, Claim)> = early
        .into_iter()
        .filter_map(|(destination, claim)| Some((destination, claim.ok()?)))
        .collect();
    let looks = early
        .iter()
        .map(|(destination, claim)| look(deps, mirror, destination, claim));
    let (image, looks) = tokio::join!(
        find_image(mirror, known, selected),
        futures::future::join_all(looks),
    );
    let mut sighted = Sighted::default();
    let image = match image {
        Ok(Resolved::Image(image)) => Arc::new(image),
        Ok(Resolved::Absent(source)) => {
            let claims = early.into_iter().map(|(_, claim)| claim).collect();
            sighted.absent = Some(Absent { source, claims });
            return sighted;
        }
        Err(failure) => {
            sighted.failures.push(failure);
            return sighted;
        }
    };
    let named = early
        .into_iter()
        .map(|(destination, claim)| (destination.name.as_str(), claim));
    let mut looks: Looks<'_> = named.zip(looks).collect();
    let SourceImage {
        repository, tag, ..
    } = &image.source;
    for (destination, claim) in claims(repository, tag, Some(&image.digest)) {
        match claim {
            Ok(claim) => {
                let key = (destination.name.as_str(), claim);
                let known = looks.remove(&key);
                let (_, claim) = key;
                let found = match known {
                    Some(found) => found,
                    None => look(deps, mirror, destination, &claim).await,
                };
                let sighting = compare(deps, &image, (destination, claim), found).await;
                sighted.sightings.push(sighting);
            }
            Err(error) => {
                let subject = image.source.to_string();
                sighted.failures.push(Failure::naming(&subject, &error));
            }
        }
    }
    sighted
}

/// Looks at one destination tag.
async fn look<C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &Mirror,
    destination: &Destination,
    claim: &Claim,
) -> Result<Look, Failure> {
    let subject = claim.to_string();
    let endpoint = deps
        .connection
        .destination(destination, &claim.repository)
        .await
        .map_err(|error| Failure::connecting(&subject, error))?;
    let slot = Slot {
        page: Page {
            mirror: mirror.name.clone(),
            destination: destination.name.clone(),
            repository: claim.repository.clone(),
        },
        tag: claim.tag.clone(),
    };
    let recorded = deps.ledger.read(&slot).filter(|record| {
        let registry = record.registry.as_ref();
        registry.is_none_or(|registry| *registry == claim.registry)
    });
    let current = current(mirror, &endpoint, claim, recorded.as_ref())
        .await
        .map_err(|error| Failure::requesting(&subject, &error))?;
    Ok(Look {
        slot,
        endpoint,
        current,
        recorded,
    })
}

/// Puts together what the source has and what the destination tag is like.
async fn compare<C>(
    deps: &Deps<'_, C>,
    image: &Arc<Image>,
    (destination, claim): (&Destination, Claim),
    look: Result<Look, Failure>,
) -> Result<Sighting, Missed> {
    let missed = |failure| Missed {
        image: image.clone(),
        destination: destination.name.clone(),
        claim: claim.clone(),
        failure,
    };
    let Look {
        slot,
        endpoint,
        current,
        recorded,
    } = look.map_err(missed)?;
    let expected = expected(deps.engine, image, recorded.as_ref())
        .await
        .map_err(missed)?;
    Ok(Sighting {
        image: image.clone(),
        claim,
        slot,
        endpoint,
        current,
        expected,
        recorded,
    })
}

/// The digest that the destination is to have: on record, or told by the source's index.
async fn expected(
    engine: &Engine,
    image: &Image,
    recorded: Option<&Record>,
) -> Result<Digest, Failure> {
    let Image {
        origin,
        digest,
        shape,
        ..
    } = image;
    if let Some(record) = recorded.filter(|record| record.is_of(digest, shape)) {
        return Ok(record.digest.clone());
    }
    engine
        .expected_digest(origin, digest, &shape.platforms)
        .await
        .map_err(|error| Failure::copying(&image.source.to_string(), &error))
}

/// One repository of each source of whose images nothing is on record, and whose referrers are wanted.
fn first_met(
    mirror: &Mirror,
    known: &HashMap<String, Digest>,
    selected: &[Selected],
) -> Vec<Origin> {
    if mirror.referrers.types == ReferrerTypes::None || !known.is_empty() {
        return Vec::new();
    }
    let mut places = HashSet::new();
    let met = selected
        .iter()
        .filter(|selected| places.insert(selected.origin.endpoint.place()));
    met.map(|selected| selected.origin.clone()).collect()
}

/// What a destination tag names. Where the registry does not say, it is taken for absent and the push
/// shows whether the credential will do; unless it was written before or must not be written over: then
/// the list of tags has to be without it.
async fn current(
    mirror: &Mirror,
    endpoint: &Endpoint,
    claim: &Claim,
    recorded: Option<&Record>,
) -> Result<Option<Digest>, endpoint::Error> {
    let Claim {
        repository, tag, ..
    } = claim;
    let known = recorded.map(|record| &record.digest);
    let target = TagOrDigest::Tag(tag.clone());
    let error = match endpoint.look_up(repository, &target, known).await? {
        Lookup::Missing => return Ok(None),
        Lookup::Found(digest) => return Ok(Some(digest)),
        Lookup::Untold(error) => error,
    };
    let was_written = recorded.is_some_and(|record| !record.is_pending());
    let may_write = !was_written && mirror.tag_mutability == TagMutability::Follow;
    if may_write || endpoint.is_unlisted(repository, tag).await {
        return Ok(None);
    }
    Err(error)
}

async fn find_image(
    mirror: &Mirror,
    known: &HashMap<String, Digest>,
    selected: Selected,
) -> Result<Resolved, Failure> {
    let Selected {
        origin,
        tag,
        pin,
        is_optional,
        namings: _,
        selected_by,
        policies,
    } = selected;
    let source = SourceImage {
        registry: mirror.source.registry.clone(),
        repository: origin.repository.clone(),
        tag,
    };
    let name = source.to_string();
    let tag = TagOrDigest::Tag(source.tag.clone());
    let describe = async |target: &TagOrDigest| {
        // It is about the tag.
        let known = known.get(&name).filter(|_| *target == tag);
        let described = origin.endpoint.describe(&origin.repository, target, known);
        let described = described.await;
        described.map_err(|error| Failure::requesting(&name, &error))
    };
    let target = pin.clone().map_or(tag.clone(), TagOrDigest::Digest);
    let Some(Described { digest, media_type }) = describe(&target).await? else {
        return match pin {
            // Nothing but its digest is wanted: no tag can name another one.
            Some(pin) if source.tag == Tag::of_digest(&pin) => {
                if is_optional {
                    return Ok(Resolved::Absent(source));
                }
                let SourceImage {
                    registry,
                    repository,
                    ..
                } = source;
                Err(Failure::missing(&format!("{registry}/{repository}@{pin}")))
            }
            Some(pin) => {
                let named = describe(&tag).await?;
                let named = named.map(|described| described.digest);
                Err(Failure::not_as_pinned(&name, &pin, named.as_ref()))
            }
            None if is_optional => Ok(Resolved::Absent(source)),
            None => Err(Failure::missing(&name)),
        };
    };
    Ok(Resolved::Image(Image {
        source,
        origin,
        digest,
        is_index: media_type.as_ref().and_then(is_index),
        shape: Shape::of(mirror),
        selected_by,
        policies,
    }))
}

/// Whether a media type is that of an index; None where it says neither.
fn is_index(media_type: &MediaType) -> Option<bool> {
    let is_index = media_type.is_index();
    (is_index || media_type.is_image()).then_some(is_index)
}
