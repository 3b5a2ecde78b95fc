// SPDX-License-Identifier: Apache-2.0

//! Tables: what is on record, what the round found, what becomes of it.
//!
//! A tag on record is written `1.0=a` with its digest, and behind that, each after a comma: `gone 30` it
//! was found unwanted 30 hours ago and last looked at one hour ago, `looked 9` it was last looked at 9 hours
//! ago, `seen 5` its digest was first seen 5 hours ago, `adopted`, `pending`, `from NAME` its source tag,
//! `of REPOSITORY` its source repository and its own, `in REPOSITORY` its own, `at REGISTRY` where it was written, `claimed` this round wants it.

mod brakes;
mod candidates;
mod retain;
mod siblings;
mod stops;
mod unwanted;
mod wanted;

use jiff::{SignedDuration, Timestamp};

use super::recorded::Standing;
use super::*;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::naming::Naming;
use crate::plan::select::NotSelected;
use crate::plan::validate::documents;
use crate::plan::{Mirror, SourceImage};
use crate::policy::select::Exclusion;

const NOW: i64 = 2_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// A mirror of library/app and library/db, and of all of team, with this in `prune` and in `retain`.
fn mirror(prune: &str, retain: &str, destination: &str) -> Mirror {
    let comma = if destination.is_empty() { "" } else { ", " };
    let grace = if prune.contains("grace") {
        ""
    } else {
        "grace: 24h, "
    };
    let prune = if prune.is_empty() {
        "adopted: Keep"
    } else {
        prune
    };
    let retain = if retain.is_empty() {
        "keepNewest: 0"
    } else {
        retain
    };
    documents::mirror(&format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: base, namespace: platform}}
spec:
  source: {{registry: docker.io}}
  images:
    - {{repository: library/app, policyRefs: [{{name: keep}}]}}
    - {{repository: library/db, policyRefs: [{{name: plain}}]}}
    - {{repository: 'team/*', policyRefs: [{{name: plain}}]}}
  destinations:
    - {{name: eu, registry: r.example.com{comma}{destination}}}
  prune: {{mode: Delete, {grace}{prune}}}
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: keep, namespace: platform}}
spec:
  select: {{include: ['.*']}}
  retain: {{{retain}}}
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: plain, namespace: platform}}
spec:
  select: {{include: ['.*']}}
"
    ))
}

/// A tag on record that owns its parts.
struct Written {
    registry: Option<Registry>,
    repository: Repository,
    tag: Tag,
    source: SourceImage,
    digest: Digest,
    first_seen: Timestamp,
    standing: Standing,
    is_claimed: bool,
    unwanted: Option<Unwanted>,
}

fn unwanted(since: i64, seen: i64) -> Unwanted {
    Unwanted {
        cause: Cause::NotSelected,
        since: ago(since),
        seen: ago(seen),
        protected_by: None,
    }
}

fn written(text: &str) -> Written {
    let mut words = text.split(", ");
    let (tag, digest) = words.next().unwrap().split_once('=').unwrap();
    let mut written = Written {
        registry: Some("r.example.com".parse().unwrap()),
        repository: "library/app".parse().unwrap(),
        tag: tag.parse().unwrap(),
        source: SourceImage {
            registry: "docker.io".parse().unwrap(),
            repository: "library/app".parse().unwrap(),
            tag: tag.parse().unwrap(),
        },
        digest: Digest::sha256(digest.as_bytes()),
        first_seen: ago(1000),
        standing: Standing::Written,
        is_claimed: false,
        unwanted: None,
    };
    for word in words {
        let (name, value) = word.split_once(' ').unwrap_or((word, ""));
        let hours = || value.parse::<i64>().unwrap();
        match name {
            "gone" => written.unwanted = Some(unwanted(hours(), 1.min(hours()))),
            "looked" => written.unwanted.as_mut().unwrap().seen = ago(hours()),
            "seen" => written.first_seen = ago(hours()),
            "adopted" => written.standing = Standing::Adopted,
            "pending" => written.standing = Standing::Pending,
            "claimed" => written.is_claimed = true,
            "from" => written.source.tag = value.parse().unwrap(),
            "of" => {
                written.source.repository = value.parse().unwrap();
                written.repository = value.parse().unwrap();
            }
            "in" => written.repository = value.parse().unwrap(),
            "source" => written.source.registry = value.parse().unwrap(),
            "at" => written.registry = value.parse().ok(),
            "nowhere" => written.registry = None,
            _ => panic!("{word}"),
        }
    }
    written
}

impl Written {
    fn recorded(&self) -> Recorded<'_> {
        Recorded {
            target: Place {
                destination: "eu",
                registry: self.registry.as_ref(),
                repository: &self.repository,
                tag: &self.tag,
            },
            source: Some(self.source.clone()),
            source_digest: &self.digest,
            digest: &self.digest,
            first_seen: self.first_seen,
            standing: self.standing,
            is_claimed: self.is_claimed,
            unwanted: self.unwanted.as_ref(),
        }
    }
}

/// What was found of library/app: `2.0` is selected, `-1.0` excluded by a policy, `/1.0` not named.
fn selection(text: &str) -> Selection {
    let mut selection = Selection::default();
    let app: Repository = "library/app".parse().unwrap();
    let policies = NotSelected::Policies(vec![("keep".parse().unwrap(), Exclusion::NotIncluded)]);
    let mut selected: Vec<Tag> = Vec::new();
    let mut excluded: Vec<(Tag, NotSelected)> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(tag) = word.strip_prefix('-') {
            excluded.push((tag.parse().unwrap(), policies.clone()));
        } else if let Some(tag) = word.strip_prefix('/') {
            excluded.push((tag.parse().unwrap(), NotSelected::NotNamed));
        } else {
            selected.push(word.parse().unwrap());
        }
    }
    let pairs = excluded.iter().map(|(tag, reason)| (tag, reason));
    selection.add(&app, &Naming::default(), true, selected.iter(), pairs);
    selection
}

fn found(mirror: &Mirror, selected: &str, recorded: &[&str], clock: Clock) -> Found {
    let written: Vec<Written> = recorded.iter().map(|text| self::written(text)).collect();
    let recorded: Vec<Recorded<'_>> = written.iter().map(Written::recorded).collect();
    find_candidates(mirror, &selection(selected), &recorded, clock, now())
}

/// Each candidate as `1.0 NotSelected due`, `waits`, or `kept: why`.
fn tell(found: &Found) -> String {
    let told: Vec<String> = found
        .candidates
        .iter()
        .map(|candidate| {
            let fate = match (&candidate.unwanted.protected_by, candidate.is_over) {
                (Some(by), _) => format!("kept: {by}"),
                (None, true) => "due".to_owned(),
                (None, false) => "waits".to_owned(),
            };
            let cause = candidate.unwanted.cause;
            format!("{} {cause} {fate}", candidate.target.tag)
        })
        .collect();
    told.join(" | ")
}
