// SPDX-License-Identifier: Apache-2.0

//! Copies the images of one repository to another one.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::super::address::image_name;
use super::super::args::CopyArgs;
use super::super::error::Error;
use super::super::location::Location;
use super::archive::Staging;
use super::plan::{self, Job as Wanted};
use super::retag::{Retag, Retagged};
use super::way::{Single, Way};
use crate::api::{AbsentPlatform, Attestations, IndexMode};
use crate::copy::{
    self, Action, BareTag, Done, Engine, Job, Lookup, Origin, TagPush, Target, Visit, endpoint,
};
use crate::oci::{Content, Digest, Platform, Repository, Tag, TagOrDigest};
use crate::plan::report::{Failure, MirrorReport, Outcome, TagReport};
use crate::plan::{Platforms, ReferrerTypes};
use crate::sync::Observer;

/// Tags that are copied at once. What a registry bears is decided by its own limits.
const TAGS: usize = 32;

/// How images are copied on one way.
pub(super) struct Transfer<'a> {
    engine: &'a Engine,
    way: Way,
    origin: Origin,
    platforms: Platforms,
    referrers: ReferrerTypes,
    is_dry: bool,
    /// Whether tags that name something else are left alone.
    spares: bool,
}

/// One image of the source, and its tag at the destination; none where it is known by its digest only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) from: TagOrDigest,
    pub(super) to: Option<Tag>,
    /// The repository at the destination.
    pub(super) repository: Repository,
}

/// What of a source is to be copied.
pub(super) struct Items {
    pub(super) items: Vec<Item>,
    /// How many of its tags stay out, because the destination lists them.
    pub(super) left_alone: usize,
}

// === impl Transfer ===

impl<'a> Transfer<'a> {
    pub(super) fn new(engine: &'a Engine, way: Way, args: &CopyArgs) -> Self {
        let source = &way.source.source;
        Self {
            engine,
            origin: Origin {
                endpoint: source.endpoint.clone(),
                repository: source.repository.clone(),
            },
            platforms: if way.single.is_some() {
                Platforms::All
            } else {
                platforms(&args.platform)
            },
            // docker knows of none.
            referrers: if args.no_referrers || way.single.is_some() {
                ReferrerTypes::None
            } else {
                ReferrerTypes::All
            },
            is_dry: args.sparing.dry_run,
            spares: args.sparing.no_clobber,
            way,
        }
    }

    /// What is to be copied: the image that is named, or all of them; without clobbering those that the destination
    /// lists already, about which nothing more is asked.
    pub(super) async fn items(
        &self,
        wanted: &Wanted<'_>,
        source: &Location,
        staging: Option<&Staging>,
    ) -> Result<Items, Error> {
        let named = &self.way.source;
        let (found, left_alone) = if wanted.all_tags {
            let there = if self.spares && staging.is_none() {
                self.list_destination().await
            } else {
                HashSet::new()
            };
            let (tags, left_alone) = self.list(&there).await?;
            (tags.into_iter().map(TagOrDigest::Tag).collect(), left_alone)
        } else {
            (vec![named.target.clone()], 0)
        };
        let items = found.into_iter().map(|from| {
            let to = plan::tag(&from, source, wanted.destination);
            let repository = match staging {
                Some(staging) => staging.add(source, named, to.as_ref())?,
                None => self.way.repository.clone(),
            };
            Ok(Item {
                from,
                to,
                repository,
            })
        });
        Ok(Items {
            items: items.collect::<Result<_, Error>>()?,
            left_alone,
        })
    }

    /// The tags of the destination, as far as it tells: what it does not list is looked up before it is written.
    async fn list_destination(&self) -> HashSet<Tag> {
        let listed = self.way.endpoint.list_tags(&self.way.repository).await;
        listed.unwrap_or_default().into_iter().collect()
    }

    /// Every tag of the source but those that are left out, and those that belong to referrers, which come with
    /// their images; and how many were left out.
    async fn list(&self, left_out: &HashSet<Tag>) -> Result<(Vec<Tag>, usize), Error> {
        let Origin {
            endpoint,
            repository,
        } = &self.origin;
        let tags = endpoint.list_tags(repository).await?;
        self.engine.learn_tags(&self.origin, &tags);
        let destination = Origin {
            endpoint: self.way.endpoint.clone(),
            repository: self.way.repository.clone(),
        };
        let (there, mut tags): (Vec<Tag>, Vec<Tag>) =
            tags.into_iter().partition(|tag| left_out.contains(tag));
        let left_alone = there.iter().filter(|tag| !tag.is_attached()).count();
        let bare = tags.iter().filter(|tag| tag.is_bare());
        let looks = stream::iter(bare)
            .map(async |tag| {
                let named = self
                    .engine
                    .names_image(&self.origin, Some(&destination), tag, true);
                let is_list = named.await? != BareTag::Image;
                Ok::<_, endpoint::Error>(is_list.then(|| tag.clone()))
            })
            .buffer_unordered(TAGS);
        let lists: Vec<Option<Tag>> = looks.try_collect().await?;
        let lists: HashSet<Tag> = lists.into_iter().flatten().collect();
        tags.retain(|tag| !tag.is_attached() && !lists.contains(tag));
        Ok((tags, left_alone))
    }

    /// Copies the items; one failure does not stop the others. The report has them in their order.
    pub(super) async fn run(&self, items: Vec<Item>, observer: &dyn Observer) -> MirrorReport {
        let mut report = MirrorReport::new("");
        let mut results = stream::iter(items)
            .map(|item| async move {
                let copied = self.copy(&item).await;
                if let Ok(tag) = &copied {
                    observer.finished("", tag);
                }
                copied
            })
            .buffered(TAGS);
        while let Some(copied) = results.next().await {
            match copied {
                Ok(tag) => report.tags.push(tag),
                Err(failure) => report.failures.push(failure),
            }
        }
        report
    }

    async fn copy(&self, item: &Item) -> Result<TagReport, Failure> {
        let source = image_name(&self.way.source.source.name, &item.from);
        if let Some(tag) = self.only_tag(item)
            && let Some(report) = self.retag(item, tag, &source).await?
        {
            return Ok(report);
        }
        let digest = self.resolve(&item.from, &source).await?;
        let expected = self
            .engine
            .expected_digest(&self.origin, &digest, &self.platforms)
            .await;
        let name = match (&item.to, &expected) {
            (Some(tag), _) => TagOrDigest::Tag(tag.clone()),
            (None, Ok(expected)) => TagOrDigest::Digest(expected.clone()),
            (None, Err(_)) => TagOrDigest::Digest(digest.clone()),
        };
        let target = image_name(&self.way.name, &name);
        let outcome = match expected {
            Ok(expected) => self.bring(&digest, expected, item, &target).await,
            Err(error) => Err(copying(&target, &error)),
        };
        Ok(TagReport {
            source,
            destination: self.way.endpoint.name(),
            target,
            source_digest: digest,
            previous_digest: None,
            selected_by: Vec::new(),
            outcome: outcome.unwrap_or_else(Outcome::Failed),
        })
    }

    /// The tag of an item that is written whatever it names, and nothing else: its repository has the image.
    fn only_tag<'i>(&self, item: &'i Item) -> Option<&'i Tag> {
        let tag = item.to.as_ref()?;
        let is_another = item.from != TagOrDigest::Tag(tag.clone());
        let is_asked = !self.is_dry && !self.spares && self.platforms == Platforms::All;
        (is_another && is_asked && self.is_in_place()).then_some(tag)
    }

    /// Whether source and destination are one repository.
    fn is_in_place(&self) -> bool {
        self.origin.endpoint.place() == self.way.endpoint.place()
            && self.origin.repository == self.way.repository
    }

    /// Writes the tag; none where the registry does not say that it is there, which takes the patience of a copy.
    async fn retag(
        &self,
        item: &Item,
        tag: &Tag,
        source: &str,
    ) -> Result<Option<TagReport>, Failure> {
        let retag = Retag {
            source: &self.way.source.source,
            from: &item.from,
            tag,
        };
        let done = retag.run().await.map_err(|error| error.as_failure(source));
        let Retagged { digest, is_there } = done?;
        let target = image_name(&self.way.name, &tag.clone().into());
        let outcome = match is_there {
            Ok(true) => Outcome::Retagged {
                digest: digest.clone(),
            },
            Ok(false) => return Ok(None),
            Err(error) => Outcome::Failed(failed(&target, &error)),
        };
        Ok(Some(TagReport {
            source: source.to_owned(),
            destination: self.way.endpoint.name(),
            target,
            source_digest: digest,
            previous_digest: None,
            selected_by: Vec::new(),
            outcome,
        }))
    }

    async fn resolve(&self, from: &TagOrDigest, source: &str) -> Result<Digest, Failure> {
        let named = &self.way.source.source;
        let resolved = async {
            let Some(single) = &self.way.single else {
                return named.resolve(from).await;
            };
            let root = named.fetch(from).await?;
            match (single, root.content()) {
                (Single::Own(_), Content::Image(_)) => Ok(root.digest().clone()),
                (Single::Own(platform) | Single::Asked(platform), _) => {
                    named.select_digest(&root, platform).await
                }
            }
        };
        let resolved: Result<Digest, Error> = resolved.await;
        resolved.map_err(|error| error.as_failure(source))
    }

    /// Copies what the destination lacks.
    async fn bring(
        &self,
        digest: &Digest,
        expected: Digest,
        item: &Item,
        target: &str,
    ) -> Result<Outcome, Failure> {
        let Item { to, repository, .. } = item;
        let endpoint = &self.way.endpoint;
        let name = to
            .as_ref()
            .map_or(expected.clone().into(), |tag| tag.clone().into());
        let found = endpoint.look_up(repository, &name, None).await;
        let current = match found.map_err(|error| failed(target, &error))? {
            Lookup::Found(digest) => Some(digest),
            // What may be there is not written over.
            Lookup::Untold(error) if self.spares => return Err(failed(target, &error)),
            Lookup::Missing | Lookup::Untold(_) => None,
        };
        let is_there = current.as_ref() == Some(&expected);
        let other = current.clone().filter(|_| !is_there);
        if self.spares && other.is_some() {
            return Ok(Outcome::Frozen);
        }
        if self.is_dry {
            return Ok(planned(is_there, other));
        }
        let tags = to.iter().map(|tag| TagPush {
            tag: tag.clone(),
            current: current.clone(),
            previous: None,
        });
        let job = Job {
            origin: self.origin.clone(),
            digest: digest.clone(),
            platforms: self.platforms.clone(),
            referrers: self.referrers.clone(),
            evidence: Vec::new(),
            is_gated: false,
            targets: vec![Target {
                endpoint: endpoint.clone(),
                repository: repository.clone(),
                tags: tags.collect(),
            }],
        };
        if is_there {
            return self
                .complete(job, expected)
                .await
                .map_err(|error| copying(target, &error));
        }
        let results = self.engine.copy(&job).await.into_iter().next();
        results.map_or(Ok(Outcome::Unchanged), |done| {
            done.map(outcome).map_err(|error| copying(target, &error))
        })
    }

    /// Copies what refers to an image that is there, as far as it is missing.
    async fn complete(&self, job: Job, expected: Digest) -> Result<Outcome, copy::Error> {
        if self.is_in_place() || self.referrers == ReferrerTypes::None {
            return Ok(Outcome::Unchanged);
        }
        let visit = Visit {
            job,
            expected,
            is_index: None,
            siblings: Arc::default(),
            known: None,
        };
        let outline = self.engine.outline(&visit).await?;
        let late = self.engine.visit(&visit, outline).await?;
        match late.lacks.first() {
            Some(Ok(lack)) if lack.is_empty() => return Ok(Outcome::Unchanged),
            Some(Ok(_)) | None => {}
            Some(Err(error)) => return Err(error.clone()),
        }
        let done = self.engine.complete(&visit, &late).await.into_iter().next();
        Ok(done.transpose()?.map_or(Outcome::Unchanged, outcome))
    }
}

fn outcome(
    Done {
        digest,
        action,
        bytes,
        // There is one tag at most, and what became of it is what became of the copy.
        unmoved: _,
        seen: _,
        attached: _,
    }: Done,
) -> Outcome {
    match action {
        Action::Unchanged => Outcome::Unchanged,
        Action::Retagged => Outcome::Retagged { digest },
        Action::Copied => Outcome::Copied { digest, bytes },
        Action::Completed => Outcome::Completed { digest, bytes },
    }
}

/// What a copy would do.
fn planned(is_there: bool, other: Option<Digest>) -> Outcome {
    if is_there {
        return Outcome::Unchanged;
    }
    Outcome::Planned {
        moves: other.is_some(),
        completes: false,
        destination_digest: other,
        moved: None,
    }
}

fn copying(subject: &str, error: &copy::Error) -> Failure {
    Failure {
        subject: subject.to_owned(),
        reason: error.reason(),
        message: error.to_string(),
        next_attempt_time: error.retry_at(),
        is_of_tag: false,
    }
}

fn failed(subject: &str, error: &endpoint::Error) -> Failure {
    Failure {
        subject: subject.to_owned(),
        reason: error.reason(),
        message: error.to_string(),
        next_attempt_time: error.retry_at(),
        is_of_tag: false,
    }
}

fn platforms(list: &[Platform]) -> Platforms {
    if list.is_empty() {
        return Platforms::All;
    }
    Platforms::List {
        platforms: list.to_vec(),
        absent: AbsentPlatform::Fail,
        index: IndexMode::Rewrite,
        attestations: Attestations::Copy,
    }
}
