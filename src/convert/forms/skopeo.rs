//! `skopeo sync --src yaml` (skopeo-sync(1)).

use super::{NEEDS_TO, checked, masterminds, registry, rule_to};
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::rule::{Draft, Rule, Selection, Tags};
use crate::convert::{Gap, Prefix, Surroundings, patterns};
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
    if fields.flag("tls-verify")? == Some(false) {
        draft.insecure.insert(source.clone());
    }
    if let Some(images) = fields.fields("images")? {
        for (repository, tags) in images.into_pairs() {
            let place = tags.place();
            let found = tags.texts()?;
            let tags = if found.is_empty() {
                Ok(Tags::all())
            } else {
                listed(found, &place)
            };
            draft.add(tags.and_then(|tags| one(source, repository, to, template, tags, &place)));
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
            let selection = masterminds(&range.text()?.unwrap_or_default());
            let tags = checked(selection, &place).map(Tags::selected);
            draft.add(tags.and_then(|tags| one(source, repository, to, template, tags, &place)));
        }
    }
    fields.finish(&mut draft.gaps);
    Ok(())
}

fn listed(tags: Vec<String>, place: &Place) -> Result<Tags, Gap> {
    match tags.iter().find(|tag| tag.starts_with("sha256:")) {
        Some(digest) => Err(place.gap(format!(
            "{digest} has no tag, and so no name at the destination: write tags, or TAG@{digest}"
        ))),
        None => Ok(Tags::literal(tags)),
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
    let found = super::image(&name, place)?;
    let repository = found.repository.as_str().to_owned();
    Ok(rule_to(
        place,
        found.registry,
        repository,
        to,
        template,
        tags,
    ))
}
