// SPDX-License-Identifier: Apache-2.0

//! `ImageSetConfiguration` of oc-mirror: its `additionalImages`.

use super::common::{NEEDS_TO, image, one_tag, rule_to};
use crate::convert::fields::{Fault, Item};
use crate::convert::form::Surroundings;
use crate::convert::rule::Draft;

pub(super) fn read(
    document: &Item<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    let Some(to) = &surroundings.to else {
        return Err(fields.place().fault(NEEDS_TO));
    };
    fields.pass_over(&[
        "apiVersion",
        "kind",
        "metadata",
        "storageConfig",
        "archiveSize",
    ]);
    let Some(mut mirror) = fields.fields("mirror")? else {
        fields.finish(&mut draft.gaps);
        return Ok(());
    };
    let blocked: Vec<String> = names(&mirror.items("blockedImages"))?;
    for item in mirror.items("additionalImages") {
        let mut entry = item.fields()?;
        let place = entry.place().clone();
        let name = entry.required("name")?;
        let (repository, tag) = (entry.text("targetRepo")?, entry.text("targetTag")?);
        entry.finish(&mut draft.gaps);
        if blocked.contains(&name) {
            continue;
        }
        draft.add(image(&name, &place).and_then(|source| {
            let mut target = source.clone();
            if let Some(tag) = tag {
                let tag = tag.parse().map_err(|error| place.gap(format!("{error}")))?;
                target.tag = Some(tag);
            }
            let tags = one_tag(&source, &target);
            let template = repository.unwrap_or_else(|| "{repository}".to_owned());
            let name = source.repository.as_str().to_owned();
            Ok(rule_to(source.registry, name, to, &template, tags))
        }));
    }
    mirror.finish(&mut draft.gaps);
    fields.finish(&mut draft.gaps);
    Ok(())
}

fn names(items: &[Item<'_>]) -> Result<Vec<String>, Fault> {
    items
        .iter()
        .map(|item| item.fields()?.required("name"))
        .collect()
}
