// SPDX-License-Identifier: Apache-2.0

//! What the sources have: which repositories an entry means, and their tags where they are needed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures::future::join_all;

use super::lists::Lists;
use super::{Connect, Syncer};
use crate::copy::Origin;
use crate::oci::{Repository, Tag};
use crate::plan::report::Failure;
use crate::plan::select::Times;
use crate::plan::{ImageEntry, Mirror, RepositorySelector};
use crate::runtime::clock;

/// A repository of a source, with the tags that it lists.
pub(super) struct Observed<'a> {
    pub(super) entry: &'a ImageEntry,
    pub(super) origin: Origin,
    /// Empty where the entry names all its tags itself.
    pub(super) listing: Vec<Tag>,
    /// Those of them that name lists of referrers.
    pub(super) lists: Lists,
    /// When the listed tags came to be, where rules ask for it.
    pub(super) times: Times,
    /// How many more tags there are that the entry does not name, and that nobody asks about.
    pub(super) unnamed: usize,
    pub(super) recorded: Recorded,
}

/// The images that a mirror has on record, as far as only those matter of what is not selected.
#[derive(Clone, Default)]
pub(super) struct Recorded(Option<Arc<HashSet<String>>>);

// === impl Recorded ===

impl Recorded {
    /// Whether a tag matters although it is not selected.
    pub(super) fn has(&self, repository: &str, tag: &Tag) -> bool {
        let names = self.0.as_ref();
        names.is_none_or(|names| names.contains(&format!("{repository}:{tag}")))
    }
}

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// Looks at every entry of a mirror; what fails does not hold up the others.
    pub(super) async fn observe<'a>(
        &self,
        mirror: &'a Mirror,
    ) -> Vec<Result<Observed<'a>, Failure>> {
        let recorded = self.recorded(mirror);
        let entries = join_all(
            mirror
                .images
                .iter()
                .map(|entry| self.observe_entry(mirror, entry, &recorded)),
        );
        entries.await.into_iter().flatten().collect()
    }

    fn recorded(&self, mirror: &Mirror) -> Recorded {
        if self.allowance.tells_excluded {
            return Recorded(None);
        }
        let sources = self.ledger.sources(&mirror.name);
        Recorded(Some(Arc::new(sources.into_keys().collect())))
    }

    async fn observe_entry<'a>(
        &self,
        mirror: &'a Mirror,
        entry: &'a ImageEntry,
        recorded: &Recorded,
    ) -> Vec<Result<Observed<'a>, Failure>> {
        let repositories = match &entry.repository {
            RepositorySelector::Literal(repository) => vec![repository.clone()],
            RepositorySelector::Glob(glob) => {
                let is_wanted = |repository: &Repository| glob.matches(repository);
                match self.list_repositories(mirror, is_wanted).await {
                    Ok(repositories) => repositories,
                    Err(failure) => return vec![Err(failure)],
                }
            }
        };
        if repositories.is_empty() {
            let registry = &mirror.source.registry;
            let subject = format!("{registry}/{}", entry.repository);
            let failure = Failure::nothing_matches(&subject, registry, &entry.repository);
            return vec![Err(failure)];
        }
        join_all(
            repositories
                .into_iter()
                .map(|repository| self.observe_repository(mirror, entry, repository, recorded)),
        )
        .await
    }

    async fn list_repositories(
        &self,
        mirror: &Mirror,
        is_wanted: impl Fn(&Repository) -> bool + Sync,
    ) -> Result<Vec<Repository>, Failure> {
        let subject = mirror.source.registry.to_string();
        let endpoint = self
            .connect
            .source(mirror, None)
            .await
            .map_err(|error| Failure::connecting(&subject, error))?;
        endpoint
            .list_repositories_matching(is_wanted)
            .await
            .map_err(|error| Failure::requesting(&subject, &error))
    }

    async fn observe_repository<'a>(
        &self,
        mirror: &Mirror,
        entry: &'a ImageEntry,
        repository: Repository,
        recorded: &Recorded,
    ) -> Result<Observed<'a>, Failure> {
        let subject = format!("{}/{repository}", mirror.source.registry);
        let endpoint = self
            .connect
            .source(mirror, Some(&repository))
            .await
            .map_err(|error| Failure::connecting(&subject, error))?;
        let origin = Origin {
            endpoint,
            repository,
        };
        if !entry.needs_listing() {
            return Ok(Observed {
                entry,
                origin,
                listing: Vec::new(),
                lists: Lists::default(),
                times: Times::default(),
                unnamed: 0,
                recorded: recorded.clone(),
            });
        }
        let unnamed = AtomicUsize::new(0);
        let is_kept = |tag: &Tag| {
            let is_kept = entry.may_take(tag) || tag.is_attached() || recorded.has(&subject, tag);
            unnamed.fetch_add(usize::from(!is_kept), Relaxed);
            is_kept
        };
        let listing = origin
            .endpoint
            .list_tags_matching(&origin.repository, is_kept);
        let listing = listing.await;
        let listing = listing.map_err(|error| Failure::requesting(&subject, &error))?;
        self.engine.learn_tags(&origin, &listing);
        let lists = self.find_lists(mirror, entry, &origin, &listing).await;
        let mut times = Times::default();
        if entry.needs_first_seen() {
            // They are remembered from round to round.
            if let Some(most) = self.allowance.tags.filter(|most| listing.len() > *most) {
                return Err(Failure::too_many_tags(&subject, listing.len(), most));
            }
            times.first_seen = self.ledger.first_seen(&subject, &listing, clock::now());
        }
        let undated = entry.undated(&listing, &lists.tags);
        times.created = self.find_created(&subject, &origin, undated).await?;
        Ok(Observed {
            entry,
            origin,
            listing,
            lists,
            times,
            unnamed: unnamed.into_inner(),
            recorded: recorded.clone(),
        })
    }
}
