// SPDX-License-Identifier: Apache-2.0

//! Tags become digests, once; the destination tags are looked at meanwhile.

mod deps;
mod destination;
mod recorded;
mod source;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, stream};

pub(in crate::sync) use self::deps::Deps;
use self::destination::{Look, compare, look};
use self::recorded::{RecordedMirror, recall};
use self::source::{Resolved, find_image};
use crate::copy::Origin;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::report::{Excluded, Failure};
use crate::plan::{Claim, Destination, Mirror, NotSelected, ReferrerTypes, SourceImage};
use crate::runtime::clock;
use crate::sync::Mode;
use crate::sync::connect::Connect;
use crate::sync::mirror_round::MirrorRound;
use crate::sync::sighting::{Absent, Selected, Sighted, Sighting};

/// Tags that are looked at together. What a registry bears is decided by its own limits.
const LOOKS: usize = 128;

/// When the destinations of a tag are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// At the same time as its source.
    Together,
    /// Once it is there at its source.
    SourceFirst,
}

impl Order {
    /// What the source says, and what the destinations do, as far as they are asked.
    async fn ask<L>(
        self,
        source: impl Future<Output = Result<Resolved, Failure>>,
        destinations: impl Future<Output = Vec<L>>,
    ) -> (Result<Resolved, Failure>, Vec<L>) {
        match self {
            Self::Together => tokio::join!(source, destinations),
            Self::SourceFirst => match source.await {
                Ok(Resolved::Image(image)) => (Ok(Resolved::Image(image)), destinations.await),
                none => (none, Vec::new()),
            },
        }
    }
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
    // Somebody else says what is looked at: that does not make a registry ask all others for what it does not have.
    let order = if round.only.is_some() {
        Order::SourceFirst
    } else {
        Order::Together
    };
    let wanted = &RecordedMirror::of(mirror, known, clock::now());
    let may_recall = round.only.is_none() && matches!(mode, Mode::Apply | Mode::Plan);
    let sighted = stream::iter(selected)
        .map(|selected| async move {
            if may_recall && let Some(sighted) = recall(deps, wanted, &selected).await {
                return sighted;
            }
            sight(deps, (mirror, known), order, selected).await
        })
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

/// The source and the destinations are asked in this order, as far as the names of the destination tags do not need
/// the digest.
async fn sight<C: Connect>(
    deps: &Deps<'_, C>,
    (mirror, known): (&Mirror, &HashMap<String, Digest>),
    order: Order,
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
    let looks = futures::future::join_all(looks);
    let (image, looks) = order.ask(find_image(mirror, known, selected), looks).await;
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
