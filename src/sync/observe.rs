//! What the sources have: which repositories an entry means, and their tags where they are needed.

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
}

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// Looks at every entry of a mirror; what fails does not hold up the others.
    pub(super) async fn observe<'a>(
        &self,
        mirror: &'a Mirror,
    ) -> Vec<Result<Observed<'a>, Failure>> {
        let entries = join_all(
            mirror
                .images
                .iter()
                .map(|entry| self.observe_entry(mirror, entry)),
        );
        entries.await.into_iter().flatten().collect()
    }

    async fn observe_entry<'a>(
        &self,
        mirror: &'a Mirror,
        entry: &'a ImageEntry,
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
                .map(|repository| self.observe_repository(mirror, entry, repository)),
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
            });
        }
        let listing = origin.endpoint.list_tags(&origin.repository).await;
        let listing = listing.map_err(|error| Failure::requesting(&subject, &error))?;
        self.engine.learn_tags(&origin, &listing);
        let lists = self.find_lists(mirror, entry, &origin, &listing).await;
        let mut times = Times::default();
        if entry.needs_first_seen() {
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
        })
    }
}
