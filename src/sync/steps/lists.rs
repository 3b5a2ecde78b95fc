// SPDX-License-Identifier: Apache-2.0

//! Tags that are named after a digest and nothing else: most name a list of what refers to that digest, and
//! some the only tag of an image. What they name is asked once in the time in which it is looked again at what refers to images.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::{StreamExt, stream};
use jiff::Timestamp;

use crate::api::image_mirror::PruneMode;
use crate::copy::{BareTag, Engine, Origin};
use crate::oci::Tag;
use crate::plan::report::Failure;
use crate::plan::{ImageEntry, Mirror};
use crate::runtime::clock;
use crate::sync::connect::Connect;
use crate::sync::ledger::{BareTagAnswer, Ledger};

/// Tags that are asked about at once. What a registry bears is decided by its own limits.
const LOOKS: usize = 64;

/// What the tags are told apart by.
pub(super) struct Deps<'a, C> {
    pub(super) connection: &'a C,
    pub(super) engine: &'a Engine,
    pub(super) ledger: &'a Ledger,
}

/// The tags of a listing that name lists of referrers, and what could not be found out.
#[derive(Default)]
pub(in crate::sync) struct Lists {
    pub(super) tags: BTreeSet<Tag>,
    pub(super) failures: Vec<Failure>,
}

/// What is known of the tags of a source repository before one is asked.
struct Known<'a> {
    /// The name of the repository, with its registry.
    subject: &'a str,
    /// What was asked lately.
    asked: BTreeMap<Tag, BareTagAnswer>,
    /// The images on record.
    images: HashSet<String>,
    /// The lists of what refers to images on record.
    listed: HashSet<Tag>,
}

// === impl Known ===

impl<'a> Known<'a> {
    fn of(ledger: &Ledger, mirror: &Mirror, subject: &'a str, now: Timestamp) -> Self {
        let mut asked = ledger.bare_tags(&mirror.name, subject);
        asked.retain(|_, answer| answer.is_fresh(mirror.referrers.recheck, now));
        Self {
            subject,
            asked,
            images: ledger.sources(&mirror.name).into_keys().collect(),
            listed: ledger.listed_subjects(&mirror.name, subject),
        }
    }

    fn names(&self, tag: &Tag) -> Option<BareTag> {
        let Self {
            subject,
            asked,
            images,
            listed,
        } = self;
        let asked = asked.get(tag).map(|answer| answer.names);
        let is_image = images.contains(&format!("{subject}:{tag}"));
        let on_record = is_image.then_some(BareTag::Image);
        let on_record = on_record.or_else(|| listed.contains(tag).then_some(BareTag::List));
        asked.or(on_record)
    }
}

// === the step ===

/// Tells the lists of referrers from the images among the tags of a listing that an entry would take.
pub(super) async fn find_lists<C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &Mirror,
    entry: &ImageEntry,
    origin: &Origin,
    listing: &[Tag],
) -> Lists {
    let doubtful: Vec<&Tag> = entry.doubtful(listing).collect();
    let mut lists = Lists::default();
    if doubtful.is_empty() {
        return lists;
    }
    let subject = format!("{}/{}", mirror.source.registry, origin.repository);
    let name = |tag: &Tag| format!("{subject}:{tag}");
    let now = clock::now();
    // A tag that is taken for a list is not wanted, and what is not wanted may be deleted.
    let is_likely_enough = mirror.prune.mode == PruneMode::Retain;
    let known = Known::of(deps.ledger, mirror, &subject, now);
    let mut unknown = Vec::new();
    for tag in doubtful {
        let names = known.names(tag);
        match names.filter(|names| is_likely_enough || *names != BareTag::LikelyList) {
            Some(BareTag::Image) => {}
            Some(BareTag::List | BareTag::LikelyList) => {
                lists.tags.insert(tag.clone());
            }
            None => unknown.push(tag),
        }
    }
    let looks: Vec<_> = unknown
        .into_iter()
        .map(|tag| async move {
            let there = first_destination(deps.connection, mirror, entry, origin, tag).await;
            let named = deps
                .engine
                .names_image(origin, there.as_ref(), tag, is_likely_enough);
            (tag, named.await)
        })
        .collect();
    let mut found = BTreeMap::new();
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
    while let Some((tag, answer)) = looks.next().await {
        match answer {
            Ok(names) => {
                found.insert(tag.clone(), BareTagAnswer { names, at: now });
            }
            Err(ref error) => {
                let failure = Failure::requesting(&name(tag), error);
                lists.failures.push(failure);
            }
        }
        if !matches!(answer, Ok(BareTag::Image)) {
            lists.tags.insert(tag.clone());
        }
    }
    if !found.is_empty() {
        let ledger = deps.ledger;
        ledger.learn_bare_tags(&mirror.name, &subject, found, |answer| {
            answer.is_fresh(mirror.referrers.recheck, now)
        });
    }
    lists
}

/// Where a tag of the source has its first copy. What is wrong with that is told when it is copied.
async fn first_destination<C: Connect>(
    connection: &C,
    mirror: &Mirror,
    entry: &ImageEntry,
    origin: &Origin,
    tag: &Tag,
) -> Option<Origin> {
    let claims = mirror.claims(&entry.naming, &origin.repository, tag, None);
    let (destination, claim) = claims
        .into_iter()
        .find_map(|(destination, claim)| Some((destination, claim.ok()?)))?;
    let endpoint = connection.destination(destination, &claim.repository);
    Some(Origin {
        endpoint: endpoint.await.ok()?,
        repository: claim.repository,
    })
}
