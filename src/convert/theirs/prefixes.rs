// SPDX-License-Identifier: Apache-2.0

//! zot and Harbor: globs of names of repositories, with rules for tags.

use super::filter::{COMPONENT, Names, Narrow, TAG, Take, Test, glob, tests};
use super::ranges::{Library, Ranges};
use super::reading::Reading;
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::form::Surroundings;

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
