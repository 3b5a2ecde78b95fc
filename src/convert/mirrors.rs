// SPDX-License-Identifier: Apache-2.0

//! Rules as mirrors: what has source, destinations and options in common is one mirror, as far as it can be.

use std::collections::BTreeMap;

use super::conversion::Gap;
use super::rule::{Naming, Options, Rule, Tags};
use super::templates::{name_within, templates};
use crate::oci::Registry;

/// Most entries of a mirror.
const IMAGES: usize = 256;
/// Most destinations of a mirror.
const DESTINATIONS: usize = 8;
/// So many names of entries cost as much as a mirror of their own does.
const WORTH: usize = 24;

/// Entries with the same source, destinations and options.
#[derive(Debug)]
pub(super) struct Mirror {
    /// The name of the group of rules, where the file has one.
    pub(super) group: Option<String>,
    pub(super) source: Registry,
    pub(super) options: Options,
    pub(super) entries: Vec<Entry>,
    /// Registries and templates of repositories.
    pub(super) destinations: Vec<(Registry, String)>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) repository: String,
    /// The name that takes its place, where the templates do not give the right one.
    pub(super) r#as: Option<String>,
    pub(super) tags: Tags,
    pub(super) gaps: Vec<Gap>,
}

/// What is copied of one repository, and everywhere where it goes.
#[derive(Debug)]
struct Item {
    group: Option<String>,
    source: Registry,
    options: Options,
    repository: String,
    tags: Tags,
    gaps: Vec<Gap>,
    targets: Vec<(Registry, Naming)>,
}

/// The mirrors that do what the rules say, in their order.
pub(super) fn mirrors(rules: Vec<Rule>) -> Vec<Mirror> {
    let items = join_targets(join_tags(rules));
    let mut mirrors = Vec::new();
    for bucket in buckets(items) {
        let mut rest = bucket;
        while !rest.is_empty() {
            let (mirror, left) = gather(rest);
            mirrors.extend(mirror);
            rest = left;
        }
    }
    mirrors
}

// === steps ===

/// Several rules about one repository and one destination are one, where that takes the same.
fn join_tags(rules: Vec<Rule>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for rule in rules {
        let Rule {
            group,
            source,
            repository,
            destination,
            naming,
            tags,
            options,
            gaps,
        } = rule;
        let target = (destination, naming);
        for tags in tags.split() {
            let same = items.iter_mut().find(|known| {
                known.source == source
                    && known.repository == repository
                    && known.options == options
                    && known.targets == [target.clone()]
                    && known.tags.fits(&tags)
            });
            match same {
                Some(known) => {
                    known.tags.or(tags);
                    known.gaps.extend(gaps.iter().cloned());
                }
                None => items.push(Item {
                    group: group.clone(),
                    source: source.clone(),
                    options: options.clone(),
                    repository: repository.clone(),
                    tags,
                    gaps: gaps.clone(),
                    targets: vec![target.clone()],
                }),
            }
        }
    }
    items
}

/// One item with several destinations in place of several items of the same images.
fn join_targets(items: Vec<Item>) -> Vec<Item> {
    let mut joined: Vec<Item> = Vec::new();
    for item in items {
        let same = joined.iter_mut().find(|known| {
            known.source == item.source
                && known.repository == item.repository
                && known.options == item.options
                && known.tags == item.tags
                && known.targets.len() < DESTINATIONS
        });
        match same {
            Some(known) => {
                known.targets.extend(item.targets);
                known.gaps.extend(item.gaps);
            }
            None => joined.push(item),
        }
    }
    joined
}

/// Items that may be in one mirror.
fn buckets(items: Vec<Item>) -> Vec<Vec<Item>> {
    let mut buckets: Vec<Vec<Item>> = Vec::new();
    for mut item in items {
        item.targets.sort_by(|(one, _), (other, _)| one.cmp(other));
        let same = buckets.iter_mut().find(|bucket| {
            bucket.first().is_some_and(|first| {
                first.source == item.source
                    && first.options == item.options
                    && first.registries().eq(item.registries())
            })
        });
        match same {
            Some(bucket) => bucket.push(item),
            None => buckets.push(vec![item]),
        }
    }
    buckets
}

/// One mirror of as many items as can be, and the others.
fn gather(items: Vec<Item>) -> (Option<Mirror>, Vec<Item>) {
    let Some(first) = items.first() else {
        return (None, Vec::new());
    };
    let chosen = choose(&items);
    let mut mirror = Mirror {
        group: first.group.clone(),
        source: first.source.clone(),
        options: first.options.clone(),
        entries: Vec::new(),
        destinations: first.registries().cloned().zip(chosen.clone()).collect(),
    };
    let mut left = Vec::new();
    for item in items {
        let is_known = mirror
            .entries
            .iter()
            .any(|entry| entry.repository == item.repository);
        let fit = item.fit(&chosen);
        let r#as = match fit.filter(|_| !is_known && mirror.entries.len() < IMAGES) {
            Some(Fit::Templates) => None,
            Some(Fit::Name(name)) => Some(name),
            None => {
                left.push(item);
                continue;
            }
        };
        if mirror.group != item.group {
            mirror.group = None;
        }
        mirror.entries.push(Entry {
            repository: item.repository,
            r#as,
            tags: item.tags,
            gaps: item.gaps,
        });
    }
    (Some(mirror), left)
}

/// The templates, one for each destination, with which the fewest items need a mirror of their own, and then the
/// fewest a name. The first item can always have them.
fn choose(items: &[Item]) -> Vec<String> {
    let Some(first) = items.first() else {
        return Vec::new();
    };
    let mut candidates: Vec<Vec<String>> = first.templates();
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for all in items.iter().map(Item::templates) {
        for one in all {
            *counts.entry(one).or_default() += 1;
        }
    }
    candidates.extend(first.below());
    // What others share may hold the first one, too.
    let shared = counts.iter().filter(|(_, count)| **count > 1);
    candidates.extend(shared.map(|(one, _)| one.clone()));
    candidates.push(vec!["{repository}".to_owned(); first.targets.len()]);
    let cost = |candidate: &Vec<String>| -> usize {
        let costs = items.iter().map(|item| match item.fit(candidate) {
            None => WORTH,
            Some(Fit::Templates) => 0,
            Some(Fit::Name(_)) => 1,
        });
        costs.sum()
    };
    candidates.retain(|candidate| first.fit(candidate).is_some());
    let best = candidates.into_iter().min_by_key(cost);
    best.unwrap_or_else(|| first.templates().into_iter().next().unwrap_or_default())
}

/// How the templates of a mirror name an image.
enum Fit {
    /// By its own name.
    Templates,
    /// By another name, which its entry gives it.
    Name(String),
}

// === impl Item ===

impl Item {
    fn registries(&self) -> impl Iterator<Item = &Registry> {
        self.targets.iter().map(|(registry, _)| registry)
    }

    /// Templates that give its destinations their names, the most general ones first.
    fn templates(&self) -> Vec<Vec<String>> {
        let all: Vec<Vec<String>> = self
            .targets
            .iter()
            .map(|(_, naming)| templates(&self.source, &self.repository, naming))
            .collect();
        let most = all.iter().map(Vec::len).max().unwrap_or_default();
        let row = |index: usize| {
            let one = |templates: &Vec<String>| {
                let last = templates.len().saturating_sub(1);
                templates.get(index.min(last)).cloned()
            };
            all.iter().map(one).collect::<Option<Vec<String>>>()
        };
        (0..most).filter_map(row).collect()
    }

    /// Templates of what stands below the first components of its destinations: names within them are short.
    fn below(&self) -> Option<Vec<String>> {
        let below = |(_, naming): &(Registry, Naming)| {
            let text = match naming {
                Naming::Template(template) => template.as_str(),
                Naming::Repository(repository) => repository.as_str(),
            };
            let (first, _) = text.split_once('/')?;
            (!first.contains('{')).then(|| format!("{first}/{{repository}}"))
        };
        self.targets.iter().map(below).collect()
    }

    /// How templates give its destinations their names, if they do.
    fn fit(&self, chosen: &[String]) -> Option<Fit> {
        let mut targets = self.targets.iter().zip(chosen);
        let gives = |((_, naming), template): (&(Registry, Naming), &String)| {
            templates(&self.source, &self.repository, naming).contains(template)
        };
        if targets.clone().all(gives) {
            return Some(Fit::Templates);
        }
        let ((_, naming), template) = targets.next()?;
        let name = name_within(template, &self.source, naming)?;
        let is_same = |((_, naming), template): (&(Registry, Naming), &String)| {
            name_within(template, &self.source, naming).as_ref() == Some(&name)
        };
        targets.all(is_same).then_some(Fit::Name(name))
    }
}
