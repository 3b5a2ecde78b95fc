// SPDX-License-Identifier: Apache-2.0

//! What the sources have: which repositories an entry means, and their tags where they are needed.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures::future::join_all;

use super::created::find_created;
use super::lists::{self, Lists, find_lists};
use crate::copy::{Engine, Origin};
use crate::oci::{Repository, Tag};
use crate::plan::report::Failure;
use crate::plan::select::Times;
use crate::plan::{ImageEntry, Mirror, RepositorySelector, SourceImage};
use crate::runtime::clock;
use crate::sync::connect::Connect;
use crate::sync::learned::Learned;
use crate::sync::ledger::Ledger;
use crate::sync::only::Only;
use crate::sync::state::Allowance;

/// What the step works with.
pub(in crate::sync) struct Deps<'a, C> {
    pub(in crate::sync) connection: &'a C,
    pub(in crate::sync) engine: &'a Engine,
    pub(in crate::sync) ledger: &'a Ledger,
    pub(in crate::sync) learned: &'a Learned,
    pub(in crate::sync) allowance: &'a Allowance,
}

/// A repository of a source, with the tags that it lists.
pub(in crate::sync) struct Observed<'a> {
    pub(in crate::sync) entry: &'a ImageEntry,
    pub(in crate::sync) origin: Origin,
    /// Empty where the entry names all its tags itself, and what is on record where the source does not list them.
    pub(in crate::sync) listing: Vec<Tag>,
    /// Why the source does not list them: then nothing is known of the tags that are not on record.
    pub(in crate::sync) unlisted: Option<Failure>,
    /// Those of them that name lists of referrers.
    pub(in crate::sync) lists: Lists,
    /// When the listed tags came to be, where rules ask for it.
    pub(in crate::sync) times: Times,
    /// How many more tags there are that the entry does not name, and that nobody asks about.
    pub(in crate::sync) unnamed: usize,
    pub(in crate::sync) recorded: Recorded,
}

/// The images that a mirror has on record, as far as only those matter of what is not selected.
#[derive(Clone, Default)]
pub(in crate::sync) struct Recorded(Option<Arc<HashSet<String>>>);

// === impl Recorded ===

impl Recorded {
    /// Whether a tag matters although it is not selected.
    pub(in crate::sync) fn has(&self, repository: &str, tag: &Tag) -> bool {
        let names = self.0.as_ref();
        names.is_none_or(|names| names.contains(&format!("{repository}:{tag}")))
    }
}

// === the step ===

/// Looks at every entry of a mirror, or at what `only` leaves of them; what fails does not hold up the others.
pub(in crate::sync) async fn list<'a, C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &'a Mirror,
    only: Option<&Only>,
) -> Vec<Result<Observed<'a>, Failure>> {
    let recorded = recorded(deps, mirror);
    let entries = mirror.images.iter();
    let entries = entries.map(|entry| list_entry(deps, mirror, entry, only, &recorded));
    join_all(entries).await.into_iter().flatten().collect()
}

fn recorded<C>(deps: &Deps<'_, C>, mirror: &Mirror) -> Recorded {
    if deps.allowance.tells_excluded {
        return Recorded(None);
    }
    let sources = deps.ledger.sources(&mirror.name);
    Recorded(Some(Arc::new(sources.into_keys().collect())))
}

async fn list_entry<'a, C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &'a Mirror,
    entry: &'a ImageEntry,
    only: Option<&Only>,
    recorded: &Recorded,
) -> Vec<Result<Observed<'a>, Failure>> {
    if let Some(only) = only {
        let repositories = only.repositories(entry).into_iter();
        let listings = repositories.map(|repository| {
            list_repository(deps, mirror, entry, (repository, Some(only)), recorded)
        });
        return join_all(listings).await;
    }
    let mut unlisted = None;
    let repositories = match &entry.repository {
        RepositorySelector::Literal(repository) => vec![repository.clone()],
        RepositorySelector::Glob(glob) => {
            let is_wanted = |repository: &Repository| glob.matches(repository);
            let namespace = glob.namespace();
            match list_repositories(deps, mirror, namespace.as_deref(), &is_wanted).await {
                Ok(repositories) => repositories,
                Err(failure) => {
                    unlisted = Some(failure);
                    let known = on_record(deps, mirror).map(|source| source.repository);
                    let known: BTreeSet<Repository> = known.filter(is_wanted).collect();
                    known.into_iter().collect()
                }
            }
        }
    };
    if repositories.is_empty() && unlisted.is_none() {
        let registry = &mirror.source.registry;
        let subject = format!("{registry}/{}", entry.repository);
        let failure = Failure::nothing_matches(&subject, registry, &entry.repository);
        return vec![Err(failure)];
    }
    let repositories = repositories.into_iter();
    let listings = repositories
        .map(|repository| list_repository(deps, mirror, entry, (repository, None), recorded));
    let listings = join_all(listings).await;
    unlisted.map(Err).into_iter().chain(listings).collect()
}

async fn list_repositories<C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &Mirror,
    namespace: Option<&str>,
    is_wanted: impl Fn(&Repository) -> bool + Sync,
) -> Result<Vec<Repository>, Failure> {
    let subject = mirror.source.registry.to_string();
    let endpoint = deps.connection.source(None).await;
    let endpoint = endpoint.map_err(|error| Failure::connecting(&subject, error))?;
    endpoint
        .list_repositories_matching(namespace, is_wanted)
        .await
        .map_err(|error| Failure::requesting(&subject, &error))
}

/// The images of a source that the mirror has on record: they stay known while the source does not list them.
fn on_record<C>(deps: &Deps<'_, C>, mirror: &Mirror) -> impl Iterator<Item = SourceImage> {
    let registry = mirror.source.registry.clone();
    let images = deps.ledger.sources(&mirror.name).into_keys();
    let sources = images.filter_map(|image| SourceImage::read(&image));
    sources.filter(move |source| source.registry == registry)
}

async fn list_repository<'a, C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &Mirror,
    entry: &'a ImageEntry,
    (repository, only): (Repository, Option<&Only>),
    recorded: &Recorded,
) -> Result<Observed<'a>, Failure> {
    let subject = format!("{}/{repository}", mirror.source.registry);
    let endpoint = deps.connection.source(Some(&repository)).await;
    let endpoint = endpoint.map_err(|error| Failure::connecting(&subject, error))?;
    let origin = Origin {
        endpoint,
        repository,
    };
    if only.is_some() {
        // What a round read of it may be of before the push.
        deps.engine
            .look_anew(&origin.endpoint.place(), &origin.repository);
    }
    let known = only.and_then(|only| only.listing(entry, &origin.repository));
    let is_known = known.is_some() || !entry.needs_listing();
    let mut observed = Observed {
        entry,
        origin,
        listing: known.unwrap_or_default(),
        unlisted: None,
        lists: Lists::default(),
        times: Times::default(),
        unnamed: 0,
        recorded: recorded.clone(),
    };
    // Nothing is asked where the tags are known, or named.
    if is_known {
        return Ok(observed);
    }
    list_tags(deps, mirror, &subject, &mut observed).await;
    let (origin, listing) = (&observed.origin, &observed.listing);
    let telling = lists::Deps {
        connection: deps.connection,
        engine: deps.engine,
        ledger: deps.ledger,
    };
    observed.lists = find_lists(&telling, mirror, entry, origin, listing).await;
    let times = find_times(deps, &subject, entry, origin, (listing, &observed.lists)).await;
    observed.times = match &observed.unlisted {
        Some(_) => times.unwrap_or_default(),
        None => times?,
    };
    Ok(observed)
}

/// Asks for the tags of a repository; those that are on record where the source does not list them.
async fn list_tags<C>(
    deps: &Deps<'_, C>,
    mirror: &Mirror,
    subject: &str,
    observed: &mut Observed<'_>,
) {
    let Observed {
        entry,
        origin,
        recorded,
        ..
    } = &*observed;
    let unnamed = AtomicUsize::new(0);
    let is_kept = |tag: &Tag| {
        let is_kept = entry.may_take(tag) || tag.is_attached() || recorded.has(subject, tag);
        unnamed.fetch_add(usize::from(!is_kept), Relaxed);
        is_kept
    };
    let listing = origin
        .endpoint
        .list_tags_matching(&origin.repository, is_kept);
    match listing.await {
        Ok(listing) => {
            deps.engine.learn_tags(origin, &listing);
            observed.listing = listing;
        }
        Err(error) => {
            let known = on_record(deps, mirror);
            let known = known.filter(|source| source.repository == origin.repository);
            observed.listing = known.map(|source| source.tag).collect();
            observed.unlisted = Some(Failure::requesting(subject, &error));
        }
    }
    observed.unnamed = unnamed.into_inner();
}

/// When the listed tags came to be, where rules ask for it.
async fn find_times<C>(
    deps: &Deps<'_, C>,
    subject: &str,
    entry: &ImageEntry,
    origin: &Origin,
    (listing, lists): (&[Tag], &Lists),
) -> Result<Times, Failure> {
    let mut times = Times::default();
    if entry.needs_first_seen() {
        // They are remembered from round to round.
        if let Some(most) = deps.allowance.tags.filter(|most| listing.len() > *most) {
            return Err(Failure::too_many_tags(subject, listing.len(), most));
        }
        times.first_seen = deps.ledger.first_seen(subject, listing, clock::now());
    }
    let undated = entry.undated(listing, &lists.tags);
    times.created =
        find_created(deps.engine, &deps.learned.created, subject, origin, undated).await?;
    Ok(times)
}
