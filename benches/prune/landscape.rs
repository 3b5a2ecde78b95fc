// SPDX-License-Identifier: Apache-2.0

//! Repositories, what is on record of them, and Pods that use some of it.

#![expect(
    clippy::expect_used,
    reason = "what the measurements stand on stops at the first surprise, as in a test"
)]

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use transship::api::document::{self, Resource};
use transship::controller::workloads::Gather as _;
use transship::oci::{Digest, Registry, Repository, Tag};
use transship::plan::in_use::{InUse, Subject};
use transship::plan::prune::{
    Brakes, Cause, Clock, Doubt, Holding, Holdings, Place, Recorded, Rule, Selection, Standing,
    Unwanted, find_candidates, find_holder, keep_siblings, may_want,
};
use transship::plan::{self, Mirror, Naming, NotSelected, SourceImage};
use transship::policy::select::Exclusion;

/// How many repositories the tags are in.
const REPOSITORIES: usize = 500;
/// Containers of a Pod, each with another image.
const CONTAINERS: usize = 2;
/// Bytes of an object that name no image.
const BALLAST: usize = 4096;
/// Other mirrors that have not said what they want. Each names some tags.
const UNHEARD: usize = 10;
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

/// A mirror that has not said what it wants, and may want some tags of the same repositories.
const OTHER: &str = "
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: other}
spec:
  source: {registry: other.example.com}
  images: [{repository: 'team/**', tags: ['latest', 'v1.*', '2.*']}]
  destinations: [{name: d, registry: destination.example.com}]
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
    pub(crate) fn new(tags: usize) -> Self {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365);
        let images: Vec<Image> = (0..tags).map(|number| image(number, now)).collect();
        let registry = |text: &str| text.parse().expect("a registry");
        Self {
            mirror: mirror(MIRROR),
            registries: (
                registry("source.example.com"),
                registry("destination.example.com"),
            ),
            images,
            in_use: InUse::default(),
            now,
        }
    }

    /// Reads what workloads use off the objects as the API server gives them, one after another.
    pub(crate) fn look(&mut self, pods: usize, resources: usize) {
        let mut in_use = InUse::default();
        for pod in 0..pods {
            let text = self.pod(pod).to_string();
            let object = serde_json::from_str(&text).expect("JSON");
            in_use.add("v1", "Pod", &object).expect("a Pod");
        }
        for resource in 0..resources {
            let text = self.resource(resource).to_string();
            let object = serde_json::from_str(&text).expect("JSON");
            let added = in_use.add("keda.sh/v1alpha1", "ScaledJob", &object);
            added.expect("an object");
        }
        self.in_use = in_use;
    }

    /// The same images in many Pods, by name and by what the node says of them.
    fn pod(&self, number: usize) -> Value {
        let images = (0..CONTAINERS).filter_map(|container| {
            let index = (number * 7 + container * 13) % self.images.len().max(1);
            self.images.get(index)
        });
        let spelled = |image: &Image| {
            let Image { source, digest, .. } = image;
            let name = format!("destination.example.com/{}", source.repository);
            (format!("{name}:{}", source.tag), format!("{name}@{digest}"))
        };
        let (names, ids): (Vec<_>, Vec<_>) = images.map(spelled).unzip();
        let containers = names
            .iter()
            .map(|image| json!({"name": "a", "image": image}));
        let statuses = ids
            .iter()
            .map(|id| json!({"name": "a", "image": "", "imageID": id}));
        json!({
            "metadata": {
                "name": format!("web-{number}"), "namespace": "shop",
                "annotations": {"ballast": "a word / ".repeat(BALLAST / 9)},
            },
            "spec": {"containers": containers.collect::<Vec<_>>()},
            "status": {"containerStatuses": statuses.collect::<Vec<_>>()},
        })
    }

    /// A custom resource with an image in an argument.
    fn resource(&self, number: usize) -> Value {
        let index = number * 11 % self.images.len().max(1);
        let image = self.images.get(index).map(|image| {
            let SourceImage {
                repository, tag, ..
            } = &image.source;
            format!("--image=destination.example.com/{repository}:{tag}")
        });
        json!({
            "metadata": {"name": format!("job-{number}"), "namespace": "shop"},
            "spec": {"args": [image], "script": "a word / ".repeat(BALLAST / 9)},
        })
    }

    /// What another mirror wants of a repository: other tags.
    fn holdings(&self) -> HashMap<&Repository, Holdings> {
        let mut holdings: HashMap<&Repository, Vec<Holding>> = HashMap::new();
        for Image { source, digest, .. } in &self.images {
            let there = holdings.entry(&source.repository).or_default();
            there.push(Holding {
                mirror: "shop/other".to_owned(),
                registry: Some(self.registries.1.clone()),
                tag: format!("other-{}", source.tag).parse().expect("a tag"),
                digest: Some(digest.clone()),
            });
        }
        let holdings = holdings.into_iter();
        holdings
            .map(|(repository, all)| (repository, all.into_iter().collect()))
            .collect()
    }

    /// The decision as a round makes it, from the records to the digest of the plan.
    pub(crate) fn decide(&self) -> Decision {
        let selection = self.select();
        let recorded: Vec<Recorded<'_>> =
            self.images.iter().map(|image| self.record(image)).collect();
        let found = find_candidates(&self.mirror, &selection, &recorded, Clock::Steady, self.now);
        let mut candidates = found.candidates;
        let holdings = self.holdings();
        let unheard: Vec<Mirror> = (0..UNHEARD).map(|_| mirror(OTHER)).collect();
        for candidate in &mut candidates {
            let target = &candidate.target;
            let there = holdings.get(&target.repository).expect("a repository");
            let holder = find_holder(target, &candidate.digest, there);
            let other = unheard.iter().find(|mirror| may_want(mirror, target));
            let holder = holder.or_else(|| Some(other?.name.clone()));
            if let Some(holder) = holder {
                candidate.protect(Doubt::new(Rule::Unwanted, holder));
                continue;
            }
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
        keep_siblings(&mut candidates, &recorded);
        let brakes = Brakes::of(&self.mirror, &candidates, &recorded, &[]);
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

fn mirror(text: &str) -> Mirror {
    let documents = document::parse(text, "mirror.yaml")
        .expect("documents")
        .documents;
    let mirrors = documents
        .iter()
        .find_map(|document| match &document.resource {
            Resource::ImageMirror(mirror) => Some(mirror),
            Resource::ImagePolicy(_) | Resource::MirroredRepository(_) | Resource::Secret(_) => {
                None
            }
        });
    plan::validate(mirrors.expect("a mirror"), &[]).expect("a valid mirror")
}
