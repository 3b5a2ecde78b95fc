// SPDX-License-Identifier: Apache-2.0

//! What policies keep although it is not wanted any more.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::recorded::Recorded;
use super::retention::Retention;
use super::unwanted::BY_POLICY;
use crate::oci::Tag;
use crate::plan::mirror::{Mirror, RepositorySelector};
use crate::plan::policy::Policy;
use crate::policy::Version;

/// The rules for one source repository, and the newest tags that they keep.
pub(super) struct Keeper<'a> {
    rules: Vec<(&'a Policy, &'a Retention)>,
    newest: HashMap<Tag, String>,
}

impl<'a> Keeper<'a> {
    /// The rules for the tags of one repository at a destination: those of the entries that name its
    /// source, or of all entries where none does any more. `recorded` are all of its tags on record.
    pub(super) fn new(mirror: &'a Mirror, recorded: &[&Recorded<'_>]) -> Self {
        let mut keeper = Self {
            rules: rules_for(mirror, recorded),
            newest: HashMap::new(),
        };
        keeper.count_newest(recorded);
        keeper
    }

    /// What keeps a tag, if anything does.
    pub(super) fn reason_to_keep(&self, recorded: &Recorded<'_>, now: Timestamp) -> Option<String> {
        self.by_name(recorded)
            .or_else(|| self.newest.get(recorded.target.tag).cloned())
            .or_else(|| self.by_age(recorded, now))
    }

    fn by_name(&self, recorded: &Recorded<'_>) -> Option<String> {
        let source = recorded.source.as_ref().map(|source| &source.tag);
        let names: Vec<&Tag> = source
            .into_iter()
            .chain(std::iter::once(recorded.target.tag))
            .collect();
        self.rules.iter().find_map(|(policy, retention)| {
            let mut globs = retention.tags.iter();
            let glob = globs.find(|glob| names.iter().any(|name| glob.matches(name)))?;
            Some(format!(
                "{BY_POLICY}{}: keepTags {}",
                policy.name.as_str(),
                glob.as_str()
            ))
        })
    }

    /// A clock that went back must not make a tag old.
    fn by_age(&self, recorded: &Recorded<'_>, now: Timestamp) -> Option<String> {
        let age = now.duration_since(recorded.first_seen);
        self.rules.iter().find_map(|(policy, retention)| {
            let limit = retention.younger_than?;
            let length = SignedDuration::try_from(limit.as_std()).unwrap_or(SignedDuration::MAX);
            (age < length).then(|| {
                format!(
                    "{BY_POLICY}{}: keepYoungerThan {limit}",
                    policy.name.as_str()
                )
            })
        })
    }

    /// The newest by version, then by when they were first seen, within each variant; tags that are no
    /// versions are counted together.
    fn count_newest(&mut self, recorded: &[&Recorded<'_>]) {
        let most = self
            .rules
            .iter()
            .filter_map(|(policy, retention)| Some((retention.newest?, *policy)))
            .max_by_key(|(count, _)| *count);
        let Some((count, policy)) = most.filter(|(count, _)| *count > 0) else {
            return;
        };
        let mut groups: HashMap<Group, Vec<(Option<Version>, &Recorded<'_>)>> = HashMap::new();
        for tag in recorded {
            let name = tag
                .source
                .as_ref()
                .map_or(tag.target.tag, |source| &source.tag);
            let version = Version::parse(name);
            let group = Group {
                is_version: version.is_some(),
                variant: version
                    .as_ref()
                    .and_then(Version::variant)
                    .map(str::to_owned),
            };
            groups.entry(group).or_default().push((version, tag));
        }
        let reason = format!("{BY_POLICY}{}: keepNewest {count}", policy.name.as_str());
        for mut tags in groups.into_values() {
            tags.sort_by_cached_key(|(version, tag)| {
                Reverse((version.clone(), tag.first_seen, tag.target.tag))
            });
            let kept = tags.into_iter().take(count);
            self.newest
                .extend(kept.map(|(_, tag)| (tag.target.tag.clone(), reason.clone())));
        }
    }
}

/// The tags that are counted together.
#[derive(PartialEq, Eq, Hash)]
struct Group {
    is_version: bool,
    variant: Option<String>,
}

fn rules_for<'a>(
    mirror: &'a Mirror,
    recorded: &[&Recorded<'_>],
) -> Vec<(&'a Policy, &'a Retention)> {
    let sources: HashSet<_> = recorded
        .iter()
        .filter_map(|recorded| Some(&recorded.source.as_ref()?.repository))
        .collect();
    let names_one =
        |selector: &RepositorySelector| sources.iter().any(|source| selector.covers(source));
    let is_named = sources.iter().all(|source| mirror.names(source));
    let entries = mirror
        .images
        .iter()
        .filter(|entry| !is_named || names_one(&entry.repository));
    let mut seen = HashSet::new();
    let policies = entries
        .flat_map(|entry| &entry.policies)
        .filter(|policy| seen.insert(&policy.name));
    policies
        .filter_map(|policy| Some((policy.as_ref(), policy.retain.as_ref()?)))
        .collect()
}

/// The policy of a mirror that keeps tags of this name, whatever they name: also those of signatures.
pub fn policy_that_keeps<'a>(mirror: &'a Mirror, tag: &Tag) -> Option<&'a str> {
    let policies = mirror.images.iter().flat_map(|entry| &entry.policies);
    policies
        .filter(|policy| {
            let mut globs = policy.retain.iter().flat_map(|retention| &retention.tags);
            globs.any(|glob| glob.matches(tag))
        })
        .map(|policy| policy.name.as_str())
        .next()
}
