// SPDX-License-Identifier: Apache-2.0

//! Tools whose rules may be about many repositories: dregsy, ocync, zot, Harbor.

use std::collections::BTreeMap;

use super::filter::{Names, Narrow, Order, Take, Test, expression, glob, tests};
use super::ranges::{Library, Ranges};
use super::{Fault, Item, Reading};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fields, Place};
use crate::convert::form::Surroundings;

/// Any character of a tag.
const TAG: &str = ".";
/// Any character of a component of a name.
const COMPONENT: &str = "[^/]";

// === dregsy ===

pub(super) fn dregsy(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    for task in document.fields()?.items("tasks") {
        let mut task = task.fields()?;
        let Some(mut source) = task.fields("source")? else {
            continue;
        };
        let registry = source.required("registry")?;
        for mapping in task.items("mappings") {
            let mut mapping = mapping.fields()?;
            let place = mapping.place().clone();
            let from = mapping.required("from")?;
            let take = dregsy_tags(&mapping.texts("tags")?, &place);
            match from.strip_prefix("regex:") {
                None => {
                    let image = format!("{registry}/{}", from.trim_start_matches('/'));
                    reading.add(&image, &place, take);
                }
                Some(text) => {
                    let names = expression(text.trim(), &place).map(|one| Names {
                        allow: vec![one],
                        ..Names::default()
                    });
                    reading.add_named(&registry, names, &place, take);
                }
            }
        }
    }
    Ok(())
}

fn dregsy_tags(texts: &[String], place: &Place) -> Result<Take, Gap> {
    let mut take = Take::default();
    let mut last = None;
    for text in texts {
        let mut narrow = Narrow::default();
        if let Some(range) = text.strip_prefix("semver:") {
            narrow.ranges = Some(Ranges::parse(range, Library::Blang, place)?);
        } else if let Some(text) = text.strip_prefix("regex:") {
            match text.trim().strip_prefix('!') {
                Some(text) => narrow.deny = tests(&[text.trim().to_owned()], place)?,
                None => narrow.allow = tests(&[text.trim().to_owned()], place)?,
            }
        } else if let Some(kept) = text.strip_prefix("keep:") {
            let count = kept.trim().strip_prefix("latest").map(str::trim);
            let count = count.and_then(|count| count.parse().ok());
            last = Some(count.ok_or_else(|| place.gap("keep cannot be tried"))?);
            continue;
        } else {
            narrow.allow = vec![Test::Tag(text.clone())];
        }
        take.0.push(narrow);
    }
    if take.0.is_empty() {
        take.0.push(Narrow::default());
    }
    if let (Some(count), [only]) = (last, take.0.as_mut_slice()) {
        only.last = Some((count, Order::Version));
    }
    Ok(take)
}

// === ocync ===

pub(super) fn ocync(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    let mut urls: BTreeMap<String, String> = BTreeMap::new();
    if let Some(registries) = fields.fields("registries")? {
        for (name, item) in registries.into_pairs() {
            urls.insert(name.to_owned(), item.fields()?.required("url")?);
        }
    }
    let (mut source, mut tags) = (None, None);
    if let Some(mut defaults) = fields.fields("defaults")? {
        (source, tags) = (defaults.text("source")?, defaults.take("tags"));
    }
    for mapping in fields.items("mappings") {
        let mut mapping = mapping.fields()?;
        let place = mapping.place().clone();
        let from = mapping.required("from")?;
        let source = mapping.text("source")?.or_else(|| source.clone());
        let tags = mapping.take("tags").or_else(|| tags.clone());
        let take = match tags {
            Some(tags) => ocync_tags(tags.fields()?, &place)?,
            None => Ok(Take::one(without_markers(Narrow::default()))),
        };
        let url = source.as_ref().and_then(|source| urls.get(source));
        match url.filter(|url| !url.contains("${")) {
            Some(url) => reading.add(&format!("{url}/{from}"), &place, take),
            None => reading.gaps.push(place.gap("its registry is not known")),
        }
    }
    Ok(())
}

/// Prereleases are left out by their words.
fn without_markers(mut narrow: Narrow) -> Narrow {
    let markers = regex::Regex::new("(?i)-(rc|alpha|beta|pre|snapshot|nightly)");
    narrow.deny.extend(markers.ok().map(Test::Expression));
    narrow
}

fn ocync_tags(mut fields: Fields<'_>, place: &Place) -> Result<Result<Take, Gap>, Fault> {
    let (listed, always) = (fields.texts("glob")?, fields.texts("include")?);
    let exclude = fields.texts("exclude")?;
    let range = fields.text("semver")?;
    let takes_markers = fields.text("semver_prerelease")?.as_deref() == Some("include");
    let order = match fields.text("sort")?.as_deref() {
        Some("alpha") => Order::Name,
        _ => Order::Version,
    };
    let count = fields.number("latest")?;
    let globs = |texts: &[String]| -> Result<Vec<Test>, Gap> {
        let test = |text: &String| glob(text, TAG, place).map(Test::Expression);
        texts.iter().map(test).collect()
    };
    Ok((|| {
        let ranges = range.map(|range| Ranges::parse(&range, Library::All, place));
        let count = count.and_then(|count| usize::try_from(count).ok());
        let narrow = Narrow {
            allow: globs(&listed)?,
            deny: globs(&exclude)?,
            ranges: ranges.transpose()?,
            last: count.map(|count| (count, order)),
            ..Narrow::default()
        };
        let mut take = Take::one(if takes_markers {
            narrow
        } else {
            without_markers(narrow)
        });
        if !always.is_empty() {
            take.0.push(Narrow {
                allow: globs(&always)?,
                deny: globs(&exclude)?,
                ..Narrow::default()
            });
        }
        Ok(take)
    })())
}

// === zot ===

pub(super) fn zot(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    let sync = match fields.fields("extensions")? {
        Some(mut extensions) => extensions.fields("sync")?,
        None => fields.fields("sync")?,
    };
    let Some(mut sync) = sync else {
        return Ok(());
    };
    for registry in sync.items("registries") {
        let mut registry = registry.fields()?;
        let urls = registry.texts("urls")?;
        for content in registry.items("content") {
            let mut content = content.fields()?;
            let place = content.place().clone();
            let prefix = content.required("prefix")?;
            let take = match content.fields("tags")? {
                Some(tags) => zot_tags(tags, &place)?,
                None => Ok(Take::one(Narrow::default())),
            };
            let names = named(&[prefix.trim_start_matches('/').to_owned()], &place);
            let url = urls.first().map(String::as_str).unwrap_or_default();
            add_names(
                reading,
                url,
                prefix.trim_start_matches('/'),
                names,
                &place,
                take,
            );
        }
    }
    Ok(())
}

fn zot_tags(mut fields: Fields<'_>, place: &Place) -> Result<Result<Take, Gap>, Fault> {
    let (allow, deny) = (fields.texts("regex")?, fields.texts("excludeRegex")?);
    let is_semver = fields.flag("semver")? == Some(true);
    Ok((|| {
        let ranges = is_semver.then(|| Ranges::parse("*", Library::All, place));
        Ok(Take::one(Narrow {
            allow: tests(&allow, place)?,
            deny: tests(&deny, place)?,
            ranges: ranges.transpose()?,
            ..Narrow::default()
        }))
    })())
}

// === Harbor ===

pub(super) fn harbor(
    document: &Item<'_>,
    surroundings: &Surroundings,
    reading: &mut Reading,
) -> Result<(), Fault> {
    for policy in document.items() {
        let mut policy = policy.fields()?;
        let place = policy.place().clone();
        let url = harbor_source(policy.fields("src_registry")?, surroundings)?;
        let mut repositories = vec!["**".to_owned()];
        let mut narrow = Ok(Narrow::default());
        for filter in policy.items("filters") {
            let mut filter = filter.fields()?;
            let (kind, values) = (filter.required("type")?, filter.texts("value")?);
            let excludes = filter.text("decoration")?.as_deref() == Some("excludes");
            match kind.as_str() {
                "name" => repositories = values,
                "tag" => {
                    let test = |text: &String| glob(text, TAG, &place).map(Test::Expression);
                    let found: Result<Vec<Test>, Gap> = values.iter().map(test).collect();
                    narrow = narrow.and_then(|mut narrow: Narrow| {
                        let list = if excludes {
                            &mut narrow.deny
                        } else {
                            &mut narrow.allow
                        };
                        list.extend(found?);
                        Ok(narrow)
                    });
                }
                _ => {}
            }
        }
        let take = narrow.map(Take::one);
        let names = named(&repositories, &place);
        match url {
            Some(url) => {
                let only = match repositories.as_slice() {
                    [only] => only.as_str(),
                    _ => "*",
                };
                add_names(reading, &url, only, names, &place, take);
            }
            None => reading.gaps.push(place.gap("its registry is not known")),
        }
    }
    Ok(())
}

fn harbor_source(
    fields: Option<Fields<'_>>,
    surroundings: &Surroundings,
) -> Result<Option<String>, Fault> {
    if let Some(mut fields) = fields
        && fields.number("id")? != Some(0)
        && let Some(url) = fields.text("url")?
    {
        let is_hub = url.trim_end_matches('/') == "https://hub.docker.com";
        return Ok(Some(if is_hub { "docker.io".to_owned() } else { url }));
    }
    let from = surroundings.from.as_ref();
    Ok(from.map(|from| from.registry.to_string()))
}

/// Globs of names of repositories.
fn named(globs: &[String], place: &Place) -> Result<Names, Gap> {
    let allow: Result<Vec<regex::Regex>, Gap> = globs
        .iter()
        .map(|text| glob(text, COMPONENT, place))
        .collect();
    Ok(Names {
        allow: allow?,
        ..Names::default()
    })
}

/// One repository where the glob is none, which needs no list of all.
fn add_names(
    reading: &mut Reading,
    url: &str,
    only: &str,
    names: Result<Names, Gap>,
    place: &Place,
    take: Result<Take, Gap>,
) {
    if only.contains(['*', '?', '{', '[']) {
        reading.add_named(url, names, place, take);
        return;
    }
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let image = format!("{}/{only}", host.trim_end_matches('/'));
    reading.add(&image, place, take);
}
