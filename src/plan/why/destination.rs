// SPDX-License-Identifier: Apache-2.0

//! What is known of an image at one destination of a mirror.

mod former;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::answer::{MirrorAnswer, Whereabouts};
use super::asked::AskedImage;
use super::origins::{SoughtImage, origins};
use crate::api::conditions::{self, RECONCILING};
use crate::api::image_mirror::{FailureStatus, ImageMirrorStatus, RefusalStatus};
use crate::api::image_policy::PolicyMode;
use crate::api::mirrored_repository::{
    MirroredRepositoryStatus, RecordedTag, TagState, WaitingTag,
};
use crate::api::{MirroredRepository, Reason};
use crate::oci::{Digest, Reference, Repository, Tag};
use crate::plan::select::Times;
use crate::plan::status::halted;
use crate::plan::{Destination, ImageEntry, Mirror, NotSelected, Selector};

/// One destination of a mirror, with what is on record there.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) mirror: &'a Mirror,
    pub(super) status: &'a ImageMirrorStatus,
    /// Generation of the spec.
    pub(super) generation: i64,
    pub(super) destination: &'a Destination,
    /// Those of the mirror.
    pub(super) records: &'a [&'a MirroredRepository],
}

// === impl Look ===

impl<'a> Look<'a> {
    /// What is known of all that the name may mean here.
    pub(super) fn answers(&self, asked: &AskedImage) -> Vec<MirrorAnswer> {
        let sought = origins(asked, self.mirror, self.destination, self.records);
        let answers = sought.iter().map(|sought| {
            let whereabouts = self.whereabouts(asked, sought);
            let is_there = matches!(whereabouts, Whereabouts::Mirrored { .. });
            MirrorAnswer {
                mirror: self.mirror.name.clone(),
                destination: Some(self.destination.name.clone()),
                source: sought.tag.as_ref().map(|tag| self.source(sought, tag)),
                suspended: self.mirror.suspend,
                former: self.former(sought).filter(|_| !is_there),
                whereabouts,
            }
        });
        answers.collect()
    }

    fn source(&self, sought: &SoughtImage, tag: &Tag) -> String {
        format!(
            "{}/{}:{tag}",
            self.mirror.source.registry, sought.repository
        )
    }

    fn whereabouts(&self, asked: &AskedImage, sought: &SoughtImage) -> Whereabouts {
        if let Some((target, tag)) = self.recorded(asked, sought) {
            return self.of_record(asked, sought, target, tag);
        }
        if sought.tag.is_none() {
            let pruned = self.pruned(asked, sought);
            return pruned.unwrap_or_else(|| Whereabouts::Awaited {
                message: "the repository is mirrored, and no tag on record has this digest"
                    .to_owned(),
            });
        }
        let known = self.quarantined(sought);
        known
            .or_else(|| self.refusal(sought).map(refused))
            .or_else(|| self.failure(sought).map(failed))
            .or_else(|| self.pruned(asked, sought))
            .or_else(|| self.not_selected(sought))
            .unwrap_or_else(|| self.awaited())
    }

    /// The records of the registry that the destination has, each with where it is.
    fn pages(&self) -> impl Iterator<Item = (&'a str, &'a MirroredRepositoryStatus)> {
        let here = *self;
        self.all_pages()
            .filter(move |(repository, _)| here.is_here(repository))
    }

    /// The same, and those of registries that it had before.
    fn all_pages(&self) -> impl Iterator<Item = (&'a str, &'a MirroredRepositoryStatus)> {
        let name = &self.destination.name;
        let records = self.records.iter();
        let own = records.filter(move |record| record.spec.destination == *name);
        own.filter_map(|record| Some((record.spec.repository.as_str(), record.status.as_ref()?)))
    }

    /// The tag on record that was asked for; one with the digest where that was asked for, too.
    fn recorded(
        &self,
        asked: &AskedImage,
        sought: &SoughtImage,
    ) -> Option<(String, &'a RecordedTag)> {
        let all = self.pages().flat_map(|(repository, status)| {
            let tags = status.tags.iter();
            tags.map(move |tag| (format!("{repository}:{}", tag.tag), tag))
        });
        let mut fitting: Vec<(String, &RecordedTag)> = all
            .filter(|(_, tag)| self.is_sought(sought, &tag.source, &tag.tag))
            .filter(|(_, tag)| sought.tag.is_some() || has_digest(tag, asked.digest()))
            .collect();
        fitting.sort_by_key(|(_, tag)| !has_digest(tag, asked.digest()));
        fitting.into_iter().next()
    }

    fn is_sought(&self, sought: &SoughtImage, source: &str, tag: &Tag) -> bool {
        let source: Option<Reference> = source.parse().ok();
        source.is_some_and(|source| {
            source.registry.may_be(&self.mirror.source.registry)
                && source.repository == sought.repository
                && (sought.tag.is_none() || source.tag == sought.tag)
                && sought.target.as_ref().is_none_or(|target| target == tag)
        })
    }

    fn of_record(
        &self,
        asked: &AskedImage,
        sought: &SoughtImage,
        target: String,
        tag: &RecordedTag,
    ) -> Whereabouts {
        let digest = tag.digest.clone();
        if asked.digest().is_some() && !has_digest(tag, asked.digest()) {
            return Whereabouts::OtherImage { target, digest };
        }
        if tag.state == Some(TagState::Pending) {
            // A copy that failed is told by what failed.
            let failure = self.failure(sought).map(failed);
            return failure.unwrap_or(Whereabouts::Copying { target });
        }
        let verified = tag.verified_by.as_ref();
        Whereabouts::Mirrored {
            notes: self.notes(sought, &target, tag),
            target,
            digest,
            since: tag.copied_at.as_ref().map(|time| time.0),
            verified_by: verified.map(|by| {
                let (policy, authority) = (&by.policy, &by.authority);
                format!("{authority} (policy {policy}), evidence {}", by.evidence)
            }),
        }
    }

    /// What else is to be known of a tag that is there.
    fn notes(&self, sought: &SoughtImage, target: &str, tag: &RecordedTag) -> Vec<String> {
        let mut notes = Vec::new();
        if tag.adopted {
            notes.push("it was right before Transship first looked".to_owned());
        }
        if let Some(refusal) = self.refusal(sought) {
            let message = &refusal.message;
            notes.push(format!(
                "what the source tag names now is not let through: {message}"
            ));
        } else if tag.state == Some(TagState::Refused) {
            notes.push("a policy does not admit what the source tag names now".to_owned());
        }
        if let Some(failure) = self.failure(sought) {
            let FailureStatus {
                reason, message, ..
            } = failure;
            notes.push(format!(
                "the last round failed with it: {reason}: {message}"
            ));
        }
        let mut candidates = self.pages().flat_map(|(repository, status)| {
            let candidates = status.candidates.iter();
            candidates.map(move |candidate| (repository, candidate))
        });
        let candidate = candidates.find(|(repository, candidate)| {
            target.strip_suffix(candidate.tag.as_str()) == Some(&format!("{repository}:"))
        });
        if let Some((_, candidate)) = candidate {
            let (reason, since) = (&candidate.reason, candidate.since.0);
            let kept = candidate.protected_by.as_ref();
            let kept = kept.map_or_else(String::new, |by| format!(", kept by {by}"));
            notes.push(format!(
                "it is no longer wanted since {since:.0}: {reason}{kept}"
            ));
        }
        notes
    }

    fn quarantined(&self, sought: &SoughtImage) -> Option<Whereabouts> {
        let refusal = self.refusal(sought);
        let refusal = refusal.filter(|refusal| refusal.reason == Reason::Quarantined.as_str());
        let until = self
            .waiting(sought)
            .and_then(|waiting| self.until(sought, waiting));
        match (refusal, until) {
            (Some(refusal), until) => Some(Whereabouts::Quarantined {
                until,
                message: refusal.message.clone(),
            }),
            (None, Some(until)) => Some(Whereabouts::Quarantined {
                until: Some(until),
                message: "its digest has not been seen for long enough: wait".to_owned(),
            }),
            (None, None) => None,
        }
    }

    /// What waits under one of the names that the image has at the destination.
    fn waiting(&self, sought: &SoughtImage) -> Option<&'a WaitingTag> {
        let repositories = self.repositories(&sought.repository);
        let pages = self.pages().filter(|(at, _)| {
            let at: Option<Reference> = at.parse().ok();
            at.is_some_and(|at| repositories.contains(&at.repository))
        });
        let mut waiting = pages.flat_map(|(_, status)| &status.waiting);
        waiting.find(|waiting| {
            let digest = Some(&waiting.source_digest);
            self.targets(sought, digest).contains(&waiting.tag)
        })
    }

    /// When the last of the entry's policies lets it through.
    fn until(&self, sought: &SoughtImage, waiting: &WaitingTag) -> Option<Timestamp> {
        let policies = self.entries(&sought.repository);
        let policies = policies.flat_map(|entry| &entry.policies);
        let ages = policies.filter_map(|policy| policy.gates.as_ref()?.min_age);
        let age = ages.max()?;
        let age = SignedDuration::try_from(age.as_std()).ok()?;
        waiting.first_seen.0.checked_add(age).ok()
    }

    fn entries(&self, repository: &Repository) -> impl Iterator<Item = &'a ImageEntry> {
        let entries = self.mirror.images.iter();
        entries.filter(|entry| entry.repository.covers(repository))
    }

    /// The names that the repository has at the destination.
    fn repositories(&self, repository: &Repository) -> BTreeSet<Repository> {
        let registry = &self.mirror.source.registry;
        let namings = self.mirror.namings(repository);
        let named = namings.iter().filter_map(|naming| {
            let given = self.destination.repository_of(naming, registry, repository);
            given.ok()
        });
        named.collect()
    }

    /// The names that the tag has at the destination.
    fn targets(&self, sought: &SoughtImage, digest: Option<&Digest>) -> BTreeSet<Tag> {
        let Some(tag) = &sought.tag else {
            return BTreeSet::new();
        };
        let namings = self.mirror.namings(&sought.repository);
        let templates = &self.destination.tags;
        let named = namings.iter().flat_map(|naming| {
            let tag = naming.tag(tag);
            let given = templates.iter();
            given.filter_map(move |template| template.expand(tag, digest)?.ok())
        });
        named.collect()
    }

    /// What keeps the image out, or what of it waits.
    fn refusal(&self, sought: &SoughtImage) -> Option<&'a RefusalStatus> {
        let mut refusals = self.status.refusals.iter();
        refusals.find(|refusal| {
            refusal.mode == PolicyMode::Enforce && self.names_source(&refusal.image, sought, false)
        })
    }

    /// What failed with the image here, at the source, or with its whole repository.
    fn failure(&self, sought: &SoughtImage) -> Option<&'a FailureStatus> {
        let mut failures = self.status.failures.iter();
        failures.find(|failure| match failure.destination.as_deref() {
            None => self.names_source(&failure.image, sought, true),
            Some(name) => {
                name == self.destination.name
                    && (self.names_target(&failure.image, sought)
                        || self.names_source(&failure.image, sought, true))
            }
        })
    }

    /// Whether a text names the image at the source, or its repository where that will do.
    fn names_source(&self, text: &str, sought: &SoughtImage, or_repository: bool) -> bool {
        let named: Option<Reference> = text.parse().ok();
        named.is_some_and(|named| {
            named.registry.may_be(&self.mirror.source.registry)
                && named.repository == sought.repository
                && (named.tag == sought.tag || or_repository && named.tag.is_none())
        })
    }

    fn names_target(&self, text: &str, sought: &SoughtImage) -> bool {
        let named: Option<Reference> = text.parse().ok();
        named.is_some_and(|named| {
            named.registry.may_be(&self.destination.registry)
                && self
                    .repositories(&sought.repository)
                    .contains(&named.repository)
                && named
                    .tag
                    .is_none_or(|tag| self.targets(sought, None).contains(&tag))
        })
    }

    fn pruned(&self, asked: &AskedImage, sought: &SoughtImage) -> Option<Whereabouts> {
        let mut deleted = self.pages().flat_map(|(repository, status)| {
            let deleted = status.deleted.iter();
            deleted.map(move |deleted| (repository, deleted))
        });
        let (repository, deleted) = deleted.find(|(_, deleted)| {
            let digests = [&deleted.digest, &deleted.source_digest];
            self.is_sought(sought, &deleted.source, &deleted.tag)
                && (sought.tag.is_some() || is_any(digests, asked.digest()))
        })?;
        Some(Whereabouts::Pruned {
            target: format!("{repository}:{}", deleted.tag),
            deleted_at: deleted.deleted_at.0,
        })
    }

    /// Why no entry takes the tag. Beside it the tags on record are taken for those of the source.
    fn not_selected(&self, sought: &SoughtImage) -> Option<Whereabouts> {
        let tag = sought.tag.as_ref()?;
        let listing = self.listing(&sought.repository, tag);
        let mut reasons = Vec::new();
        let mut policies = BTreeSet::new();
        for entry in self.entries(&sought.repository) {
            let selected = entry.select(&listing, &BTreeSet::new(), &Times::default());
            match selected {
                Err(error) => reasons.push(error.to_string()),
                Ok(selected) if selected.tags.iter().any(|wanted| wanted.tag == *tag) => {
                    return None;
                }
                Ok(selected) => {
                    let excluded = selected.excluded.into_iter();
                    let mut excluded = excluded.filter(|(left_out, _)| left_out == tag);
                    if let Some((_, reason)) = excluded.next() {
                        reasons.push(reason.to_string());
                        policies.extend(policies_of(reason));
                    }
                }
            }
        }
        let message = reasons.join("; ");
        (!reasons.is_empty()).then(|| Whereabouts::NotSelected {
            message,
            policies: policies.into_iter().collect(),
        })
    }

    fn listing(&self, repository: &Repository, tag: &Tag) -> Vec<Tag> {
        let recorded = self.pages().flat_map(|(_, status)| &status.tags);
        let sources = recorded.filter_map(|tag| tag.source.parse::<Reference>().ok());
        let of_it = sources.filter(|source| source.repository == *repository);
        let mut listing: BTreeSet<Tag> = of_it.filter_map(|source| source.tag).collect();
        listing.insert(tag.clone());
        listing.into_iter().collect()
    }

    /// Why a tag that is selected is not on record.
    fn awaited(&self) -> Whereabouts {
        let status = self.status;
        let running = conditions::find(&status.conditions, RECONCILING);
        let is_running =
            running.is_some_and(|running| running.reason == Reason::Progressing.as_str());
        let told = status.failures.len();
        let failed = status.tags.map_or(0, |tags| tags.failed);
        if self.mirror.suspend {
            return Whereabouts::Suspended;
        }
        let is_current = status.observed_generation == self.generation;
        if let Some(halted) = halted(status).filter(|_| is_current) {
            return Whereabouts::Unusable {
                reason: halted.reason.clone(),
                message: halted.message.clone(),
            };
        }
        let message = if status.observed_generation < 0 {
            "it is selected, and no round has ended yet".to_owned()
        } else if !is_current {
            let runs = if is_running { ", a round runs" } else { "" };
            format!("it is selected, and no round has ended since the spec changed{runs}")
        } else if is_running {
            "it is selected, and a round runs".to_owned()
        } else if usize::try_from(failed).is_ok_and(|failed| failed > told) {
            format!(
                "it is selected and may be among the {failed} tags that failed, of which the status tells {told}: mend these first"
            )
        } else {
            "it is selected and not on record: the source does not have it, or it came after the last round".to_owned()
        };
        Whereabouts::Awaited { message }
    }
}

/// The policies whose rules leave a tag out.
fn policies_of(reason: NotSelected) -> Vec<String> {
    let exclusions = match reason {
        NotSelected::Policies(exclusions) => exclusions,
        NotSelected::NotNamed | NotSelected::Referrers | NotSelected::Absent => Vec::new(),
    };
    let policies = exclusions
        .into_iter()
        .filter_map(|(selector, _)| match selector {
            Selector::Policy(name) => Some(name.to_string()),
            Selector::Entry => None,
        });
    policies.collect()
}

fn has_digest(tag: &RecordedTag, digest: Option<&Digest>) -> bool {
    is_any([&tag.digest, &tag.source_digest], digest)
}

fn is_any(digests: [&Digest; 2], asked: Option<&Digest>) -> bool {
    asked.is_some_and(|asked| digests.contains(&asked))
}

fn refused(refusal: &RefusalStatus) -> Whereabouts {
    let RefusalStatus {
        image: _,
        policy,
        gate,
        reason,
        message,
        mode: _,
    } = refusal;
    Whereabouts::Refused {
        policy: policy.to_string(),
        gate: gate.clone(),
        reason: reason.clone(),
        message: message.clone(),
    }
}

fn failed(failure: &FailureStatus) -> Whereabouts {
    let FailureStatus {
        image: _,
        destination: _,
        reason,
        message,
        attempts: _,
        next_attempt_time,
    } = failure;
    Whereabouts::Failed {
        reason: reason.clone(),
        message: message.clone(),
        next_attempt_time: next_attempt_time.as_ref().map(|time| time.0),
    }
}
