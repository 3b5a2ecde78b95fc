//! Repositories, what is on record of them, and Pods that use some of it.

#![expect(
    clippy::expect_used,
    reason = "what the measurements stand on stops at the first surprise, as in a test"
)]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use transship::api::document::{self, Resource};
use transship::oci::{Digest, Registry, Repository, Tag};
use transship::plan::in_use::{InUse, Subject};
use transship::plan::prune::{
    Brakes, Cause, Clock, Doubt, Place, Recorded, Rule, Selection, Standing, Unwanted,
    find_candidates,
};
use transship::plan::{self, Mirror, Naming, NotSelected, SourceImage};
use transship::policy::select::Exclusion;

/// How many repositories the tags are in.
const REPOSITORIES: usize = 500;
/// Containers of a Pod, each with another image.
const CONTAINERS: usize = 2;
/// One tag of so many is still wanted.
const WANTED: usize = 2;

/// A mirror that wants half of its tags by now, for longer than its grace.
const MIRROR: &str = "
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: all}
spec:
  source: {registry: source.example.com}
  images: [{repository: 'team/**', tags: ['*']}]
  destinations: [{name: d, registry: destination.example.com}]
  prune: {mode: Delete, maxPercent: 100, maxDeletes: 100000}
";

/// Everything that is decided about.
pub(crate) struct Landscape {
    mirror: Mirror,
    registries: (Registry, Registry),
    images: Vec<Image>,
    in_use: InUse,
    now: Timestamp,
}

/// A tag on record.
struct Image {
    source: SourceImage,
    digest: Digest,
    unwanted: Option<Unwanted>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Decision {
    pub(crate) candidates: usize,
    pub(crate) protected: usize,
    pub(crate) due: usize,
    expected: (usize, usize),
}

impl Decision {
    /// Whether as much goes as must, and stays as may.
    pub(crate) fn is_right(&self) -> bool {
        self.candidates == self.due + self.protected
            && (self.candidates, self.protected) == self.expected
    }
}

impl Landscape {
    pub(crate) fn new(tags: usize, pods: usize) -> Self {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365);
        let images: Vec<Image> = (0..tags).map(|number| image(number, now)).collect();
        let mut in_use = InUse::default();
        for pod in 0..pods {
            let user = format!("Pod shop/web-{pod}");
            for container in 0..CONTAINERS {
                // The same images in many Pods, by name and by what the node says of them.
                let number = (pod * 7 + container * 13) % images.len().max(1);
                let Some(Image { source, digest, .. }) = images.get(number) else {
                    continue;
                };
                let (repository, tag) = (&source.repository, &source.tag);
                let name = format!("destination.example.com/{repository}");
                in_use.add_image(&user, &format!("{name}:{tag}"));
                in_use.add_image_id(&user, &format!("{name}@{digest}"));
            }
        }
        let registry = |text: &str| text.parse().expect("a registry");
        Self {
            mirror: mirror(),
            registries: (
                registry("source.example.com"),
                registry("destination.example.com"),
            ),
            images,
            in_use,
            now,
        }
    }

    /// The decision as a round makes it, from the records to the digest of the plan.
    pub(crate) fn decide(&self) -> Decision {
        let selection = self.select();
        let recorded: Vec<Recorded<'_>> =
            self.images.iter().map(|image| self.record(image)).collect();
        let found = find_candidates(&self.mirror, &selection, &recorded, Clock::Steady, self.now);
        let mut candidates = found.candidates;
        for candidate in &mut candidates {
            let target = &candidate.target;
            let source = &candidate.source;
            let subject = Subject {
                destination: (&target.registry, &target.repository, &target.tag),
                source: (&source.registry, &source.repository, &source.tag),
                digests: std::slice::from_ref(&candidate.digest),
            };
            if let Some(user) = self.in_use.user_of(&subject) {
                candidate.protect(Doubt::new(Rule::Unused, user));
            }
        }
        let brakes = Brakes::of(&self.mirror, &candidates, &recorded, &BTreeMap::new());
        let due = brakes.shares.values().map(|share| share.due).sum();
        let used = |image: &&Image| self.in_use.user_of(&self.subject(image)).is_some();
        let unwanted = || self.images.iter().filter(|image| image.unwanted.is_some());
        Decision {
            candidates: candidates.len(),
            protected: candidates.len() - due,
            due,
            expected: (unwanted().count(), unwanted().filter(used).count()),
        }
    }

    fn select(&self) -> Selection {
        let mut selection = Selection::default();
        let policy = "some".parse().expect("a name");
        let reason = NotSelected::Policies(vec![(policy, Exclusion::NotIncluded)]);
        for image in &self.images {
            let tag = [&image.source.tag];
            let (selected, excluded): (&[&Tag], &[&Tag]) = match image.unwanted {
                None => (&tag, &[]),
                Some(_) => (&[], &tag),
            };
            selection.add(
                &image.source.repository,
                &Naming::default(),
                true,
                selected.iter().copied(),
                excluded.iter().map(|tag| (*tag, &reason)),
            );
        }
        selection
    }

    fn record<'a>(&'a self, image: &'a Image) -> Recorded<'a> {
        let Image {
            source,
            digest,
            unwanted,
        } = image;
        Recorded {
            target: Place {
                destination: "d",
                registry: Some(&self.registries.1),
                repository: &source.repository,
                tag: &source.tag,
            },
            source: Some(source.clone()),
            source_digest: digest,
            digest,
            first_seen: Timestamp::UNIX_EPOCH,
            standing: Standing::Written,
            is_claimed: unwanted.is_none(),
            unwanted: unwanted.as_ref(),
        }
    }

    fn subject<'a>(&'a self, image: &'a Image) -> Subject<'a> {
        let Image { source, digest, .. } = image;
        let (from, to) = &self.registries;
        Subject {
            destination: (to, &source.repository, &source.tag),
            source: (from, &source.repository, &source.tag),
            digests: std::slice::from_ref(digest),
        }
    }
}

fn image(number: usize, now: Timestamp) -> Image {
    let repository: Repository = format!("team/app{}", number % REPOSITORIES)
        .parse()
        .expect("a repository");
    let place = number / REPOSITORIES;
    let tag = format!("1.{place}.0").parse().expect("a tag");
    let seen = now - SignedDuration::from_hours(25);
    Image {
        source: SourceImage {
            registry: "source.example.com".parse().expect("a registry"),
            repository,
            tag,
        },
        digest: Digest::sha256(&number.to_be_bytes()),
        unwanted: place.is_multiple_of(WANTED).then_some(Unwanted {
            cause: Cause::NotSelected,
            since: seen,
            seen,
            protected_by: None,
        }),
    }
}

fn mirror() -> Mirror {
    let documents = document::parse(MIRROR, "mirror.yaml")
        .expect("documents")
        .documents;
    let mirrors = documents
        .iter()
        .find_map(|document| match &document.resource {
            Resource::ImageMirror(mirror) => Some(mirror),
            Resource::ImagePolicy(_) | Resource::Secret(_) => None,
        });
    plan::validate(mirrors.expect("a mirror"), &[]).expect("a valid mirror")
}
