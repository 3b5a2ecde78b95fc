// SPDX-License-Identifier: Apache-2.0

//! What workloads use is not deleted: neither a tag that they name, nor a digest that they run, nor an
//! index of which they run a part.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::closures::Closures;
use super::run::PruneRun;
use crate::api::image_mirror::InUse as Protect;
use crate::copy::{self, Endpoint};
use crate::oci::{Digest, Repository, Tag, TagOrDigest};
use crate::plan::in_use::{InUse, Subject};
use crate::plan::prune::{
    Candidate, Doubt, Holding, Holdings, Leftover, Rule, Stop, Target, find_holder,
    policy_that_keeps,
};
use crate::plan::report::Failure;
use crate::plan::{Claim, SourceImage};
use crate::sync::Connect;
use crate::sync::workloads::WorkloadsError;

/// How old a look at the workloads may be when a tag is deleted.
const FRESH: Duration = Duration::from_secs(10);

/// Protects the candidates of one mirror.
pub(super) struct Protection<'a, C> {
    run: PruneRun<'a, C>,
    /// What this round wants, by repository.
    pub(super) wanted: HashMap<&'a Repository, Vec<(&'a Claim, &'a Digest)>>,
    /// The tags that anybody wants, by their repositories, when that was last looked at.
    pub(super) holdings: HashMap<Repository, Arc<Holdings>>,
    /// What workloads run by digest, by the repositories of destination and source.
    roots: HashMap<(Repository, Repository), Arc<[Root]>>,
    /// What workloads used when that was last looked at.
    seen: Option<(Instant, Option<InUse>)>,
    /// What could not be read, and keeps its tags.
    pub(super) failures: Vec<Failure>,
}

/// An image that a workload names by its digest, and what it leads to.
type Root = (Digest, Arc<[Digest]>);

/// A tag and what it names, or named until it was deleted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image<'a> {
    pub(super) target: &'a Target,
    pub(super) source: &'a SourceImage,
    /// The digest that it has at the source.
    pub(super) source_digest: &'a Digest,
    /// The digest that the tag names.
    pub(super) digest: &'a Digest,
}

impl<'a, C: Connect> Protection<'a, C> {
    pub(super) fn new(run: PruneRun<'a, C>, wanted: &'a [(&'a Claim, &'a Digest)]) -> Self {
        let mut by_repository: HashMap<&Repository, Vec<_>> = HashMap::new();
        for (claim, digest) in wanted {
            let there = by_repository.entry(&claim.repository).or_default();
            there.push((*claim, *digest));
        }
        Self {
            run,
            wanted: by_repository,
            holdings: HashMap::new(),
            roots: HashMap::new(),
            seen: None,
            failures: Vec::new(),
        }
    }

    /// Protects what workloads use, and what is due and cannot be read. Says why nothing may be deleted
    /// where the workloads cannot be seen.
    pub(super) async fn protect(&mut self, candidates: &mut [Candidate]) -> Option<Stop> {
        if candidates.is_empty() {
            return None;
        }
        match self.look().await {
            Ok(()) => {}
            Err(error) => return Some(unseen(error)),
        }
        for candidate in candidates {
            if candidate.unwanted.protected_by.is_some() {
                continue;
            }
            if let Some(protector) = self.protector_of((&*candidate).into(), &[]) {
                candidate.protect(protector);
            }
            if candidate.is_due() {
                self.protect_closure(candidate).await;
            }
            if candidate.is_due() {
                self.protect_attached(candidate).await;
            }
        }
        None
    }

    /// An image that runs may be a part of the candidate, or only its config may be known.
    async fn protect_closure(&mut self, candidate: &mut Candidate) {
        let image = Image::from(&*candidate);
        match self.closure(image).await {
            Ok(digests) => {
                if let Some(protector) = self.protector_of(image, &digests) {
                    candidate.protect(protector);
                }
            }
            Err(failure) => {
                let message = format!("it cannot be read: {}", failure.message);
                candidate.protect(Doubt::new(Rule::Unused, message));
                self.failures.push(failure);
            }
        }
    }

    /// A signature stays with its image, also where it was written as a tag like any other.
    async fn protect_attached(&mut self, candidate: &mut Candidate) {
        match self.find_subject((&*candidate).into()).await {
            Ok(None) => {}
            Ok(Some(doubt)) => candidate.protect(doubt),
            Err(failure) => {
                let message = format!("its image cannot be looked up: {}", failure.message);
                candidate.protect(Doubt::new(Rule::Unwanted, message));
                self.failures.push(failure);
            }
        }
    }

    /// The image that a tag goes with that is named after its digest, where that is there.
    async fn find_subject(&self, image: Image<'_>) -> Result<Option<Doubt>, Failure> {
        let Image { target, digest, .. } = image;
        let Some(attachment) = target.tag.attachment() else {
            return Ok(None);
        };
        let kept = |what: &str| {
            Some(Doubt::new(
                Rule::Unwanted,
                format!("{what}, with which it goes"),
            ))
        };
        let Ok(subject) = attachment.subject.replacen('-', ":", 1).parse::<Digest>() else {
            // Only a part of the digest stands in the name.
            return Ok(kept(
                "an image of which it is not known whether it is there",
            ));
        };
        if subject == *digest {
            return Ok(None);
        }
        let endpoint = self.endpoint(target).await?;
        let reference = TagOrDigest::Digest(subject.clone());
        let found = endpoint.resolve(&target.repository, &reference, None).await;
        let found = found.map_err(|error| Failure::requesting(&target.to_string(), &error))?;
        Ok(found.and_then(|_| kept(subject.as_str())))
    }

    /// What keeps an image of which something is about to be deleted, by a look that is fresh.
    pub(super) async fn find_protector(&mut self, image: Image<'_>) -> Result<Option<Doubt>, Stop> {
        let is_fresh = self
            .seen
            .as_ref()
            .is_some_and(|(looked, _)| looked.elapsed() < FRESH);
        if !is_fresh {
            self.look().await.map_err(unseen)?;
        }
        let digests = self
            .closure(image)
            .await
            .map_err(|failure| Stop::new(failure.reason, failure.message))?;
        if let Some(doubt) = self.protector_of(image, &digests) {
            return Ok(Some(doubt));
        }
        let subject = self.find_subject(image).await;
        subject.map_err(|failure| Stop::new(failure.reason, failure.message))
    }

    /// Until when the last look is good for a deletion. A registry may take its time between the two.
    pub(super) fn good_until(&self) -> Option<Instant> {
        let (looked, _) = self.seen.as_ref()?;
        Some(*looked + FRESH)
    }

    /// Asks for a look before the next tag is deleted.
    pub(super) fn forget_look(&mut self) {
        self.seen = None;
    }

    pub(super) async fn look(&mut self) -> Result<(), WorkloadsError> {
        let began = Instant::now();
        self.holdings.clear();
        self.roots.clear();
        let in_use = match self.run.mirror.prune.in_use {
            Protect::Ignore => None,
            Protect::Protect => self.run.state.pruner.look().await?,
        };
        self.seen = Some((began, in_use));
        Ok(())
    }

    /// What keeps an image: a mirror that wants its tag, or a workload.
    pub(super) fn protector_of(&mut self, image: Image<'_>, closure: &[Digest]) -> Option<Doubt> {
        let Image {
            target,
            source,
            source_digest,
            digest,
        } = image;
        if let Some(holder) = find_holder(target, digest, &self.holdings(&target.repository)) {
            return Some(Doubt::new(Rule::Unwanted, holder));
        }
        let claims = self.run.state.claims();
        let unheard = claims.find_unheard(&self.run.mirror.name, target);
        if let Some(mirror) = unheard {
            let message = format!("mirror {mirror} may want it, and could not be asked");
            return Some(Doubt::new(Rule::Unwanted, message));
        }
        drop(claims);
        let (_, in_use) = self.seen.as_ref()?;
        let digests: Vec<Digest> = [digest, source_digest]
            .into_iter()
            .chain(closure)
            .cloned()
            .collect();
        let subject = Subject {
            destination: (&target.registry, &target.repository, &target.tag),
            source: (&source.registry, &source.repository, &source.tag),
            digests: &digests,
        };
        let user = in_use.as_ref()?.user_of(&subject)?;
        Some(Doubt::new(Rule::Unused, user))
    }

    /// What keeps a referrer for its own sake, by the last look: a policy that keeps tags of its name, or a workload
    /// that names its tag or one of the digests that it leads to.
    pub(super) fn keeper_of(
        &self,
        target: &Target,
        source: &SourceImage,
        part: &Leftover,
        digests: &[Digest],
    ) -> Option<String> {
        let tag = match part {
            Leftover::Tag(tag, _) => tag.clone(),
            Leftover::Manifest(digest) => Tag::of_digest(digest),
        };
        if let Some(policy) = policy_that_keeps(self.run.mirror, &tag) {
            return Some(policy.to_owned());
        }
        let (_, in_use) = self.seen.as_ref()?;
        let subject = Subject {
            destination: (&target.registry, &target.repository, &tag),
            source: (&source.registry, &source.repository, &tag),
            digests,
        };
        in_use.as_ref()?.user_of(&subject).map(str::to_owned)
    }

    /// The tags of a repository that anybody wants, at any registry.
    pub(super) fn holdings(&mut self, repository: &Repository) -> Arc<Holdings> {
        if let Some(known) = self.holdings.get(repository) {
            return known.clone();
        }
        let Self {
            run: PruneRun { mirror, state, .. },
            wanted,
            ..
        } = self;
        let own = wanted.get(repository).into_iter().flatten();
        let name = &mirror.name;
        let own = own.flat_map(|(claim, digest)| {
            claim.tags().map(|tag| Holding {
                mirror: name.clone(),
                registry: Some(claim.registry.clone()),
                tag: tag.clone(),
                digest: (*tag == claim.tag).then(|| (*digest).clone()),
            })
        });
        let recorded = state.ledger.holdings_besides(name, repository);
        let claims = state.claims();
        let holdings = own.chain(recorded).chain(claims.besides(name, repository));
        let holdings: Arc<Holdings> = Arc::new(holdings.collect());
        self.holdings.insert(repository.clone(), holdings.clone());
        holdings
    }

    /// The digests by which an image may be used: what an index lists and configs below it, and images in
    /// use that lead to it.
    async fn closure(&mut self, image: Image<'_>) -> Result<Vec<Digest>, Failure> {
        if self.run.mirror.prune.in_use == Protect::Ignore {
            return Ok(Vec::new());
        }
        let Image { target, digest, .. } = image;
        let subject = target.to_string();
        let endpoint = self.endpoint(target).await?;
        let failed = |error| Failure::requesting(&subject, &error);
        let read = read_closure(
            &self.run.state.closures,
            &endpoint,
            &target.repository,
            digest,
        );
        let mut digests = read.await.map_err(failed)?.to_vec();
        let above = self.roots(&endpoint, image).await.map_err(failed)?;
        let above = above.iter().filter(|(_, below)| below.contains(digest));
        digests.extend(above.map(|(root, _)| root.clone()));
        Ok(digests)
    }

    /// The digests that workloads name in the repository of an image, with what each leads to. Those that are
    /// not there lead to nothing.
    async fn roots(
        &mut self,
        endpoint: &Endpoint,
        image: Image<'_>,
    ) -> Result<Arc<[Root]>, copy::endpoint::Error> {
        let Image { target, source, .. } = image;
        let key = (target.repository.clone(), source.repository.clone());
        if let Some(known) = self.roots.get(&key) {
            return Ok(known.clone());
        }
        let named: BTreeSet<Digest> = match &self.seen {
            Some((_, Some(in_use))) => {
                let here = in_use.digests_in(&target.registry, &target.repository);
                let there = in_use.digests_in(&source.registry, &source.repository);
                here.chain(there).cloned().collect()
            }
            Some((_, None)) | None => BTreeSet::new(),
        };
        let mut roots = Vec::new();
        for digest in named {
            match read_closure(
                &self.run.state.closures,
                endpoint,
                &target.repository,
                &digest,
            )
            .await
            {
                Ok(below) => roots.push((digest, below)),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let roots: Arc<[Root]> = roots.into();
        self.roots.insert(key, roots.clone());
        Ok(roots)
    }

    /// The endpoint at which a tag is.
    pub(super) async fn endpoint(&self, target: &Target) -> Result<Endpoint, Failure> {
        let subject = target.to_string();
        let destination = self
            .run
            .mirror
            .destination(&target.destination)
            .ok_or_else(|| Failure::missing(&subject))?;
        self.run
            .connection
            .destination(destination, &target.repository)
            .await
            .map_err(|error| Failure::connecting(&subject, error))
    }
}

impl<'a> From<&'a Candidate> for Image<'a> {
    fn from(candidate: &'a Candidate) -> Self {
        let Candidate {
            target,
            source,
            source_digest,
            digest,
            unwanted: _,
            held_by: _,
            is_over: _,
            shared_with: _,
        } = candidate;
        Self {
            target,
            source,
            source_digest,
            digest,
        }
    }
}

/// What a manifest leads to, found out once for each digest.
async fn read_closure(
    closures: &Closures,
    endpoint: &Endpoint,
    repository: &Repository,
    digest: &Digest,
) -> Result<Arc<[Digest]>, copy::endpoint::Error> {
    if let Some(known) = closures.read(digest) {
        return Ok(known);
    }
    let digests = copy::closure(endpoint, repository, digest).await?;
    let digests: Arc<[Digest]> = digests.into();
    closures.write(digest, digests.clone());
    Ok(digests)
}

fn unseen(error: WorkloadsError) -> Stop {
    let WorkloadsError { reason, message } = error;
    let message =
        format!("nothing is deleted, because it cannot be seen what workloads use: {message}");
    Stop::new(reason, message)
}
