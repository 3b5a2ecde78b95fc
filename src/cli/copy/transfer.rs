//! Copies the images of one repository to another one.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::super::address::image_name;
use super::super::args::CopyArgs;
use super::super::connect::Connector;
use super::super::error::Error;
use super::super::trust::Trust;
use crate::api::{AbsentPlatform, IndexMode, Reason};
use crate::copy::{
    self, Action, Done, Endpoint, Engine, Job, Lookup, Origin, TagPush, Target, Visit, endpoint,
};
use crate::oci::{Digest, Platform, Reference, Tag, TagOrDigest};
use crate::plan::report::{Failure, MirrorReport, Outcome, TagReport};
use crate::plan::{Platforms, ReferrerTypes};
use crate::sync::Observer;

/// Tags that are copied at once. What a registry bears is decided by its own limits.
const TAGS: usize = 32;

/// Where images are copied from and to, and how.
pub(super) struct Transfer {
    engine: Engine,
    origin: Origin,
    target: Target,
    /// The source and the destination as people write them, without tag or digest.
    names: (String, String),
    platforms: Platforms,
    referrers: ReferrerTypes,
}

/// One image of the source, and its tag at the destination; none where it is known by its digest only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) from: TagOrDigest,
    pub(super) to: Option<Tag>,
}

// === impl Transfer ===

impl Transfer {
    /// Opens both ends.
    pub(super) async fn open(args: &CopyArgs, events: copy::Progress) -> Result<Self, Error> {
        let connector = Connector::new(Trust::read(&args.registry)?);
        let (source, destination) = (&args.source, &args.destination);
        let open = async |reference: &Reference| {
            let client = connector.client(&reference.registry, Some(&reference.repository));
            Ok::<_, Error>(Endpoint::Registry(client.await?))
        };
        let name =
            |reference: &Reference| format!("{}/{}", reference.registry, reference.repository);
        Ok(Self {
            engine: Engine::new(events),
            origin: Origin {
                endpoint: open(source).await?,
                repository: source.repository.clone(),
            },
            target: Target {
                endpoint: open(destination).await?,
                repository: destination.repository.clone(),
                tags: Vec::new(),
            },
            names: (name(source), name(destination)),
            platforms: platforms(&args.platform),
            referrers: if args.no_referrers {
                ReferrerTypes::None
            } else {
                ReferrerTypes::All
            },
        })
    }

    /// Every tag of the source but those that belong to referrers, which come with their images.
    pub(super) async fn list(&self) -> Result<Vec<Item>, Error> {
        let Origin {
            endpoint,
            repository,
        } = &self.origin;
        let tags = endpoint.list_tags(repository).await?;
        self.engine.learn_tags(&self.origin, &tags);
        let there = Origin {
            endpoint: self.target.endpoint.clone(),
            repository: self.target.repository.clone(),
        };
        let bare = tags.iter().filter(|tag| tag.is_bare());
        let looks = stream::iter(bare)
            .map(async |tag| {
                let named = self.engine.names_image(&self.origin, Some(&there), tag);
                let is_image = named.await?;
                Ok::<_, endpoint::Error>((!is_image).then(|| tag.clone()))
            })
            .buffer_unordered(TAGS);
        let lists: Vec<Option<Tag>> = looks.try_collect().await?;
        let lists: HashSet<Tag> = lists.into_iter().flatten().collect();
        let items = tags
            .into_iter()
            .filter(|tag| !tag.is_attached() && !lists.contains(tag))
            .map(|tag| Item {
                from: TagOrDigest::Tag(tag.clone()),
                to: Some(tag),
            });
        Ok(items.collect())
    }

    /// Copies the items; one failure does not stop the others. The report has them in their order.
    pub(super) async fn run(&self, items: Vec<Item>, observer: &dyn Observer) -> MirrorReport {
        let mut report = MirrorReport::new("");
        let mut results = stream::iter(items)
            .map(|item| async move {
                let copied = self.copy(&item).await;
                if let Ok(tag) = &copied {
                    observer.finished(tag);
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

    async fn copy(&self, Item { from, to }: &Item) -> Result<TagReport, Failure> {
        let (source, destination) = &self.names;
        let source = image_name(source, from);
        let digest = self.resolve(from, &source).await?;
        let name = to.clone().map_or(digest.clone().into(), TagOrDigest::from);
        let target = image_name(destination, &name);
        let outcome = self.bring(&digest, to.as_ref(), &target).await;
        Ok(TagReport {
            source,
            destination: self.target.endpoint.name(),
            target,
            source_digest: digest,
            selected_by: Vec::new(),
            outcome: outcome.unwrap_or_else(Outcome::Failed),
        })
    }

    async fn resolve(&self, from: &TagOrDigest, source: &str) -> Result<Digest, Failure> {
        let Origin {
            endpoint,
            repository,
        } = &self.origin;
        let resolved = endpoint.resolve(repository, from, None).await;
        resolved
            .map_err(|error| failed(source, &error))?
            .ok_or_else(|| Failure {
                subject: source.to_owned(),
                reason: Reason::NotFound,
                message: format!("{source} does not exist"),
                next_attempt_time: None,
                is_of_tag: false,
            })
    }

    /// Copies what the destination lacks.
    async fn bring(
        &self,
        digest: &Digest,
        tag: Option<&Tag>,
        target: &str,
    ) -> Result<Outcome, Failure> {
        let copying = |error: copy::Error| Failure {
            subject: target.to_owned(),
            reason: error.reason(),
            message: error.to_string(),
            next_attempt_time: error.retry_at(),
            is_of_tag: false,
        };
        let expected = self
            .engine
            .expected_digest(&self.origin, digest, &self.platforms);
        let expected = expected.await.map_err(copying)?;
        let name = tag.map_or(expected.clone().into(), |tag| tag.clone().into());
        let Target {
            endpoint,
            repository,
            ..
        } = &self.target;
        let found = endpoint.look_up(repository, &name, None).await;
        let current = match found.map_err(|error| failed(target, &error))? {
            Lookup::Found(digest) => Some(digest),
            Lookup::Missing | Lookup::Untold(_) => None,
        };
        let is_there = current.as_ref() == Some(&expected);
        let tags = tag.map(|tag| TagPush {
            tag: tag.clone(),
            current,
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
                tags: tags.into_iter().collect(),
                ..self.target.clone()
            }],
        };
        if is_there {
            return self.complete(job, expected).await.map_err(copying);
        }
        let results = self.engine.copy(&job).await.into_iter().next();
        results.map_or(Ok(Outcome::Unchanged), |done| {
            done.map(outcome).map_err(copying)
        })
    }

    /// Copies what refers to an image that is there, as far as it is missing.
    async fn complete(&self, job: Job, expected: Digest) -> Result<Outcome, copy::Error> {
        let is_same = self.origin.endpoint.place() == self.target.endpoint.place()
            && self.origin.repository == self.target.repository;
        if is_same || self.referrers == ReferrerTypes::None {
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
    }
}
