// SPDX-License-Identifier: Apache-2.0

//! Tools whose files list images: skopeo, image-syncer, oc-mirror. Images by digest have no tag to compare.

use super::filter::Test;
use super::filter::{Narrow, Take, expression, tests};
use super::ranges::{Library, Ranges};
use super::reading::Reading;
use crate::convert::fields::{Fault, Fields, Item};
use crate::oci::Reference;

/// `images`, `images-by-tag-regex` and `images-by-semver` below registries.
pub(super) fn skopeo(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    for (registry, item) in document.fields()?.into_pairs() {
        let mut fields = item.fields()?;
        let mut pairs = |name| -> Result<Vec<(String, Item<'_>)>, Fault> {
            let pairs = fields.fields(name)?.map(Fields::into_pairs);
            let named = pairs.unwrap_or_default().into_iter();
            Ok(named
                .map(|(name, item)| (format!("{registry}/{name}"), item))
                .collect())
        };
        for (image, tags) in pairs("images")? {
            let listed = tags.texts()?;
            let take = if listed.is_empty() {
                Take::one(Narrow::default())
            } else {
                Take::tags(listed)
            };
            reading.add(&image, &tags.place(), Ok(take));
        }
        for (image, found) in pairs("images-by-tag-regex")? {
            let place = found.place();
            let test = expression(&found.text()?.unwrap_or_default(), &place);
            let take = test.map(|test| {
                Take::one(Narrow {
                    allow: vec![Test::Expression(test)],
                    ..Narrow::default()
                })
            });
            reading.add(&image, &place, take);
        }
        for (image, found) in pairs("images-by-semver")? {
            let place = found.place();
            let ranges = found.texts()?.join(" || ");
            let take = Ranges::parse(&ranges, Library::Masterminds, &place).map(|ranges| {
                Take::one(Narrow {
                    ranges: Some(ranges),
                    ..Narrow::default()
                })
            });
            reading.add(&image, &place, take);
        }
    }
    Ok(())
}

/// `name`, `name:tag,tag` and `name:/expression/` as keys.
pub(super) fn image_syncer(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    let logins = fields.take("auth");
    let pairs = match fields.fields("images")? {
        Some(images) => images.into_pairs(),
        None if logins.is_some() => Vec::new(),
        None => fields.into_pairs(),
    };
    for (text, item) in pairs {
        let place = item.place();
        let from = text
            .rfind('/')
            .filter(|_| !text.ends_with('/'))
            .unwrap_or(0);
        let from = text.find(":/").unwrap_or(from);
        let colon = text.get(from..).and_then(|rest| rest.find(':'));
        let (name, tags) = match colon.map(|colon| text.split_at(from + colon)) {
            _ if text.contains('@') => continue,
            Some((name, tags)) => (name, tags.get(1..).unwrap_or_default()),
            None => {
                reading.add(text, &place, Ok(Take::one(Narrow::default())));
                continue;
            }
        };
        let inside = tags
            .strip_prefix('/')
            .and_then(|tags| tags.strip_suffix('/'));
        let take = match inside {
            Some(inside) => tests(&[inside.to_owned()], &place).map(|allow| {
                Take::one(Narrow {
                    allow,
                    ..Narrow::default()
                })
            }),
            None => Ok(Take::tags(tags.split(',').map(|tag| tag.trim().to_owned()))),
        };
        reading.add(name, &place, take);
    }
    Ok(())
}

/// `additionalImages` without `blockedImages`.
pub(super) fn oc_mirror(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let Some(mut mirror) = document.fields()?.fields("mirror")? else {
        return Ok(());
    };
    let mut names = |field| -> Result<Vec<(String, Item<'_>)>, Fault> {
        let items = mirror.items(field).into_iter();
        let named = items.map(|item| Ok((item.fields()?.required("name")?, item)));
        named.collect()
    };
    let blocked = names("blockedImages")?;
    for (name, item) in names("additionalImages")? {
        if name.contains('@') || blocked.iter().any(|(blocked, _)| *blocked == name) {
            continue;
        }
        let tag = name.parse().ok().and_then(|image: Reference| image.tag);
        let tag = tag.map_or_else(|| "latest".to_owned(), |tag| tag.to_string());
        reading.add(&name, &item.place(), Ok(Take::tags([tag])));
    }
    Ok(())
}
