// SPDX-License-Identifier: Apache-2.0

//! image-syncer of Alibaba (<https://github.com/AliyunContainerService/image-syncer>).

use super::common::{NEEDS_TO, checked, image, one_tag, rule, rule_to};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::form::Surroundings;
use crate::convert::patterns;
use crate::convert::rule::{Draft, Rule, Selection, Tags};
use crate::oci::{Reference, Registry};

pub(super) fn read(
    document: &Item<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    let logins = fields.fields("auth")?;
    let images = fields.fields("images")?;
    let has_parts = logins.is_some() || images.is_some();
    if let Some(logins) = logins {
        read_logins(logins, draft)?;
    }
    match images {
        Some(images) => read_images(images, surroundings, draft)?,
        None if has_parts => {}
        // A file of its own, as for --images.
        None => return read_images(fields, surroundings, draft),
    }
    fields.finish(&mut draft.gaps);
    Ok(())
}

/// Each key is a registry, or a registry and a namespace.
fn read_logins(logins: Fields<'_>, draft: &mut Draft) -> Result<(), Fault> {
    for (name, item) in logins.into_pairs() {
        let mut fields = item.fields()?;
        let has_login = fields
            .text("username")?
            .or(fields.text("password")?)
            .is_some();
        let is_insecure = fields.flag("insecure")? == Some(true);
        fields.finish(&mut draft.gaps);
        let host = name.split('/').next().unwrap_or(name);
        let Ok(registry) = host.parse::<Registry>() else {
            draft
                .gaps
                .push(item.place().gap(format!("{name:?} is no registry")));
            continue;
        };
        if is_insecure {
            draft.insecure.insert(registry.clone());
        }
        if has_login {
            draft.logins.insert(registry);
        }
    }
    Ok(())
}

fn read_images(
    images: Fields<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    for (source, item) in images.into_pairs() {
        let place = item.place();
        let targets = item.texts()?;
        if targets.iter().all(String::is_empty) {
            draft.add(to_the_usual(source, surroundings, &place));
        }
        for target in targets.iter().filter(|target| !target.is_empty()) {
            draft.add(to_one(source, target, &place));
        }
    }
    Ok(())
}

fn to_the_usual(source: &str, surroundings: &Surroundings, place: &Place) -> Result<Rule, Gap> {
    let to = surroundings
        .to
        .as_ref()
        .ok_or_else(|| place.gap(NEEDS_TO))?;
    let (source, tags) = split(source, None, place)?;
    let repository = source.repository.as_str().to_owned();
    Ok(rule_to(source.registry, repository, to, "{name}", tags))
}

fn to_one(source: &str, target: &str, place: &Place) -> Result<Rule, Gap> {
    let target = image(target, place)?;
    let (source, tags) = split(source, Some(&target), place)?;
    Ok(rule(source, target, tags))
}

/// The repository, and which tags of it: none means all, `/…/` is an expression, a comma divides tags.
fn split(text: &str, target: Option<&Reference>, place: &Place) -> Result<(Reference, Tags), Gap> {
    let from = text.find('/').unwrap_or(0);
    let colon = text
        .get(from..)
        .and_then(|rest| rest.find(':'))
        .map(|at| from + at);
    let name = text.split('@').next().unwrap_or(text);
    let Some((name, tags)) = colon
        .filter(|colon| *colon < name.len())
        .and_then(|colon| Some((text.get(..colon)?, text.get(colon + 1..)?)))
    else {
        let source = image(text, place)?;
        let tags = match source.digest {
            Some(_) => one_tag(&source, target.unwrap_or(&source)),
            None => Tags::all(),
        };
        return Ok((source, tags));
    };
    if let Some(expression) = tags
        .strip_prefix('/')
        .and_then(|tags| tags.strip_suffix('/'))
    {
        let include = patterns::anywhere(expression);
        let selection = checked(
            Selection {
                include,
                ..Selection::default()
            },
            place,
        )?;
        return Ok((image(name, place)?, Tags::selected(selection)));
    }
    if tags.contains(',') {
        let tags = tags.split(',').map(|tag| tag.trim().to_owned());
        return Ok((image(name, place)?, Tags::literal(tags)));
    }
    let source = image(text, place)?;
    let tags = one_tag(&source, target.unwrap_or(&source));
    Ok((source, tags))
}
