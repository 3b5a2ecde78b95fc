// SPDX-License-Identifier: Apache-2.0

//! What a round did, as values: whoever ran it renders them.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::conflicts::SourceImage;
pub use super::failure::Failure;
use super::gates::{Conclusion, Gate, Quarantine, Refusal, Verdict, Voucher};
use super::prune::PruneReport;
use super::select::{NotSelected, Selected, Wanted};
use super::selector::Selector;
use crate::api::ObjectName;
use crate::oci::{Digest, Registry, Repository};
use crate::policy::select::{Exclusion, Rule};

/// Most notes of one mirror.
const NOTES: usize = 100;

/// What a round did for all of its mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// One entry a mirror, in the order of the mirrors.
    pub mirrors: Vec<MirrorReport>,
}

/// What a round did for one mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorReport {
    /// The mirror, `namespace/name`.
    pub mirror: String,
    /// What keeps the whole mirror, or one of its repositories, from being looked at.
    pub failures: Vec<Failure>,
    /// Tags that are not copied, and why.
    pub excluded: Vec<Excluded>,
    /// One entry for each tag at each destination.
    pub tags: Vec<TagReport>,
    /// What policies found that are only to report: these images are copied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audited: Vec<Audited>,
    /// What each policy that selects took in, and what each one left out of the mirror.
    pub policies: BTreeMap<ObjectName, Tally>,
    /// What a person may want to know of rules that select little or nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What pruning came to; None where the mirror retains everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune: Option<PruneReport>,
}

/// What a policy made of the candidates of a mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Tags that it selects.
    pub selected: usize,
    /// Tags that no policy selects, and this one not because of `include` or `extract`.
    pub include: usize,
    /// The same because of `exclude`.
    pub exclude: usize,
    /// The same because of `semver`, or because there is no version in the tag.
    pub semver: usize,
    /// The same because of `newest`.
    pub newest: usize,
    /// Selected tags whose digest has not been seen for `minAge`.
    pub min_age: usize,
    /// Selected tags whose image no authority of `verify` vouches for.
    pub verify: usize,
    /// Selected tags whose image is not like `require` says.
    pub require: usize,
}

/// An image that a policy would not admit, and only reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// The image at the source.
    pub source: String,
    /// Why.
    #[serde(flatten)]
    pub refusal: Refusal,
}

/// A tag that selection left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Excluded {
    /// The image at the source.
    pub source: SourceImage,
    /// Why.
    pub reason: NotSelected,
}

/// One tag at one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagReport {
    /// The image at the source.
    pub source: String,
    /// The name of the destination in the mirror.
    pub destination: String,
    /// The image at the destination.
    pub target: String,
    /// The digest at the source.
    pub source_digest: Digest,
    /// What the tag named at the destination before it was written over, where that was something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
    /// The policies that select it, and `select` where the entry itself does; none where its `tags` suffice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selected_by: Vec<Selector>,
    /// What was done, or would be.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What was done about a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// The destination had it.
    Unchanged,
    /// It would be copied: nothing was written.
    Planned {
        /// Whether a tag that names something else would move.
        moves: bool,
        /// Whether the image is there, and only what has come to refer to it since is missing.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        completes: bool,
        /// What the tag names at the destination, where that is not what it should.
        #[serde(skip_serializing_if = "Option::is_none")]
        destination_digest: Option<Digest>,
        /// Which side moved since the tag was written; None where that is not on record.
        #[serde(skip_serializing_if = "Option::is_none")]
        moved: Option<Moved>,
    },
    /// It was copied.
    Copied {
        /// The digest at the destination.
        digest: Digest,
        /// Bytes of blobs that were sent.
        bytes: u64,
    },
    /// The tag was written; its content was there.
    Retagged {
        /// The digest at the destination.
        digest: Digest,
    },
    /// The destination had it; what has come to refer to it since was copied.
    Completed {
        /// The digest at the destination.
        digest: Digest,
        /// Bytes of blobs that were sent.
        bytes: u64,
    },
    /// The source tag moved and the mirror freezes tags.
    Frozen,
    /// A policy does not admit the image.
    Refused(Refusal),
    /// A policy admits the image later.
    Quarantined(Quarantine),
    /// It failed.
    Failed(Failure),
}

/// Which side of a copy names something else than it did when the copy was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Moved {
    /// The tag at the source.
    Source,
    /// The tag at the destination: somebody else wrote it.
    Destination,
}

/// How many tags came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Tags at destinations that were copied.
    pub copied: usize,
    /// Tags that were written without a copy.
    pub retagged: usize,
    /// Tags that were right and whose image was given what had come to refer to it.
    pub completed: usize,
    /// Tags that would be copied.
    pub planned: usize,
    /// Tags that were right.
    pub unchanged: usize,
    /// Tags that stay although the source moved.
    pub frozen: usize,
    /// Tags that a policy does not admit.
    pub refused: usize,
    /// Tags that a policy admits later.
    pub quarantined: usize,
    /// Tags that were deleted, since they are no longer wanted.
    pub pruned: usize,
    /// Tags, repositories and mirrors that failed.
    pub failed: usize,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
}

// === impl Totals ===

impl Totals {
    /// Tags at destinations that are wanted there, whatever became of them.
    pub fn tags(&self) -> usize {
        let Self {
            copied,
            retagged,
            completed,
            planned,
            unchanged,
            frozen,
            refused,
            quarantined,
            pruned: _,
            failed,
            bytes: _,
        } = self;
        let done = copied + retagged + completed + planned;
        done + unchanged + frozen + refused + quarantined + failed
    }
}

// === impl Report ===

impl Report {
    /// The sums over all mirrors.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for mirror in &self.mirrors {
            totals.add(mirror);
        }
        totals
    }
}

// === impl MirrorReport ===

impl MirrorReport {
    /// A report with nothing in it yet.
    pub fn new(mirror: &str) -> Self {
        Self {
            mirror: mirror.to_owned(),
            failures: Vec::new(),
            excluded: Vec::new(),
            tags: Vec::new(),
            audited: Vec::new(),
            policies: BTreeMap::new(),
            notes: Vec::new(),
            prune: None,
        }
    }

    /// Takes note of what was selected among the tags of a repository.
    pub fn select(
        &mut self,
        registry: &Registry,
        repository: &Repository,
        selected: Selected,
    ) -> Vec<Wanted> {
        let Selected {
            tags,
            excluded,
            taken,
            excludes: _,
        } = selected;
        for (selector, count) in taken {
            if let Selector::Policy(policy) = selector {
                self.policies.entry(policy).or_default().selected += count;
            }
        }
        for (tag, reason) in excluded {
            if let NotSelected::Policies(exclusions) = &reason {
                for (selector, exclusion) in exclusions {
                    if let Selector::Policy(policy) = selector {
                        let tally = self.policies.entry(policy.clone()).or_default();
                        tally.exclude(exclusion);
                    }
                }
            }
            let source = SourceImage {
                registry: registry.clone(),
                repository: repository.clone(),
                tag,
            };
            self.excluded.push(Excluded { source, reason });
        }
        tags
    }

    /// Takes note of what a person may want to know, as far as there is room.
    pub fn note(&mut self, note: String) {
        if self.notes.len() < NOTES {
            self.notes.push(note);
        }
    }

    /// Takes note of what the policies made of an image, and says what becomes of it and who vouches for it.
    pub fn judge(&mut self, source: &str, conclusion: Conclusion) -> (Verdict, Option<Voucher>) {
        let Conclusion {
            verdict,
            audited,
            broken,
            voucher,
        } = conclusion;
        for (policy, gate) in broken {
            self.policies.entry(policy).or_default().keep_out(gate);
        }
        self.audited
            .extend(audited.into_iter().map(|refusal| Audited {
                source: source.to_owned(),
                refusal,
            }));
        (verdict, voucher)
    }

    /// When the first image is let through that waits for its time.
    pub fn next_admission(&self) -> Option<Timestamp> {
        let times = self.tags.iter().filter_map(|tag| match &tag.outcome {
            Outcome::Quarantined(quarantine) => Some(quarantine.until),
            Outcome::Unchanged
            | Outcome::Planned { .. }
            | Outcome::Copied { .. }
            | Outcome::Retagged { .. }
            | Outcome::Completed { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Failed(_) => None,
        });
        times.min()
    }

    /// When the first tag may be pruned that waits for its time.
    pub fn next_prune(&self, now: Timestamp) -> Option<Timestamp> {
        let prune = self.prune.as_ref().filter(|prune| prune.stop.is_none())?;
        prune.next_due().filter(|due| *due > now)
    }

    /// The tags by destination repository: what a person reads first.
    pub fn by_repository(&self) -> BTreeMap<(&str, &str), Totals> {
        let mut rows: BTreeMap<(&str, &str), Totals> = BTreeMap::new();
        for tag in &self.tags {
            let key = (repository_of(&tag.source), repository_of(&tag.target));
            rows.entry(key).or_default().count(&tag.outcome);
        }
        rows
    }
}

/// Everything before the tag.
fn repository_of(image: &str) -> &str {
    image
        .rsplit_once(':')
        .map_or(image, |(repository, _)| repository)
}

// === impl Tally ===

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self {
            selected,
            include,
            exclude,
            semver,
            newest,
            min_age,
            verify,
            require,
        } = other;
        self.selected += selected;
        self.include += include;
        self.exclude += exclude;
        self.semver += semver;
        self.newest += newest;
        self.min_age += min_age;
        self.verify += verify;
        self.require += require;
    }
}

impl Tally {
    fn exclude(&mut self, exclusion: &Exclusion) {
        let count = match exclusion.rule() {
            Rule::Include | Rule::Extract => &mut self.include,
            Rule::Exclude => &mut self.exclude,
            Rule::Semver => &mut self.semver,
            Rule::Newest => &mut self.newest,
        };
        *count += 1;
    }

    fn keep_out(&mut self, gate: Gate) {
        let count = match gate {
            Gate::MinAge => &mut self.min_age,
            Gate::Verify => &mut self.verify,
            Gate::User
            | Gate::MaxSize
            | Gate::MaxAge
            | Gate::Platforms
            | Gate::Labels
            | Gate::DenyTags
            | Gate::Vulnerabilities => &mut self.require,
        };
        *count += 1;
    }
}

// === impl Outcome ===

impl Outcome {
    /// The bytes are counted elsewhere.
    pub fn forget_bytes(&mut self) {
        if let Self::Copied { bytes, .. } | Self::Completed { bytes, .. } = self {
            *bytes = 0;
        }
    }
}

// === impl Totals ===

impl Totals {
    /// The sums of one mirror.
    pub fn of(mirror: &MirrorReport) -> Self {
        let mut totals = Self::default();
        totals.add(mirror);
        totals
    }

    fn add(&mut self, mirror: &MirrorReport) {
        self.failed += mirror.failures.len();
        self.pruned += mirror.prune.as_ref().map_or(0, PruneReport::deleted);
        for tag in &mirror.tags {
            self.count(&tag.outcome);
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Planned { .. } => self.planned += 1,
            Outcome::Copied { bytes, .. } => {
                self.copied += 1;
                self.bytes = self.bytes.saturating_add(*bytes);
            }
            Outcome::Retagged { .. } => self.retagged += 1,
            Outcome::Completed { bytes, .. } => {
                self.completed += 1;
                self.bytes = self.bytes.saturating_add(*bytes);
            }
            Outcome::Frozen => self.frozen += 1,
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Quarantined(_) => self.quarantined += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
    }
}
