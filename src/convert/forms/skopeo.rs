// SPDX-License-Identifier: Apache-2.0

//! `skopeo sync --src yaml` (skopeo-sync(1)).

use super::common::{self, NEEDS_TO, checked, masterminds, registry, rule_to};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::form::{Prefix, Surroundings};
use crate::convert::patterns;
use crate::convert::rule::{Draft, Rule, Selection, Tags};
use crate::oci::Registry;

pub(super) fn read(
    document: &Item<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let fields = document.fields()?;
    let Some(to) = &surroundings.to else {
        return Err(fields.place().fault(NEEDS_TO));
    };
    // Not scoped, only the last component is kept.
    let template = if surroundings.scoped {
        "{registry}/{repository}"
    } else {
        "{name}"
    };
    for (name, item) in fields.into_pairs() {
        match registry(name, &item.place(), draft) {
            Ok(source) => read_registry(&source, item.fields()?, to, template, draft)?,
            Err(gap) => draft.gaps.push(gap),
        }
    }
    Ok(())
}

fn read_registry(
    source: &Registry,
    mut fields: Fields<'_>,
    to: &Prefix,
    template: &str,
    draft: &mut Draft,
) -> Result<(), Fault> {
    if fields.take("credentials").is_some() {
        draft.logins.insert(source.clone());
    }
    let verifies = fields.place_of("tls-verify");
    if fields.flag("tls-verify")? == Some(false) {
        common::unverified(source, &verifies, draft);
    }
    if let Some(images) = fields.fields("images")? {
        for (repository, tags) in images.into_pairs() {
            let place = tags.place();
            let found = tags.texts()?;
            let tags = if found.is_empty() {
                Tags::all()
            } else {
                listed(found)
            };
            draft.add(one(source, repository, to, template, tags, &place));
        }
    }
    if let Some(images) = fields.fields("images-by-tag-regex")? {
        for (repository, expression) in images.into_pairs() {
            let place = expression.place();
            let include = patterns::anywhere(&expression.text()?.unwrap_or_default());
            let selection = Selection {
                include,
                ..Selection::default()
            };
            let tags = checked(selection, &place).map(Tags::selected);
            draft.add(tags.and_then(|tags| one(source, repository, to, template, tags, &place)));
        }
    }
    if let Some(images) = fields.fields("images-by-semver")? {
        for (repository, range) in images.into_pairs() {
            let place = range.place();
            let selection = masterminds(&range.texts()?.join(" || "));
            let tags = checked(selection, &place).map(Tags::selected);
            draft.add(tags.and_then(|tags| one(source, repository, to, template, tags, &place)));
        }
    }
    fields.finish(&mut draft.gaps);
    Ok(())
}

/// The tags and digests of a list.
fn listed(tags: Vec<String>) -> Tags {
    let (digests, tags) = tags.into_iter().partition(|tag| tag.contains(':'));
    Tags {
        digests,
        ..Tags::literal(tags)
    }
}

fn one(
    source: &Registry,
    repository: &str,
    to: &Prefix,
    template: &str,
    tags: Tags,
    place: &Place,
) -> Result<Rule, Gap> {
    let name = format!("{source}/{repository}");
    let found = common::image(&name, place)?;
    let repository = found.repository.as_str().to_owned();
    Ok(rule_to(found.registry, repository, to, template, tags))
}
