// SPDX-License-Identifier: Apache-2.0

//! dregsy and ocync: mappings from one name to another, with rules for tags.

use std::collections::BTreeMap;

use super::filter::{Names, Narrow, Order, TAG, Take, Test, expression, glob, tests};
use super::ranges::{Library, Ranges};
use super::reading::Reading;
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};

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
