// SPDX-License-Identifier: Apache-2.0

//! `ImageRepository` and `ImagePolicy` of Flux (<https://fluxcd.io/flux/components/image/>): a repository, and which tag
//! of it is the one to run.

use std::collections::BTreeMap;

use super::common::{self, NEEDS_TO, checked, image, masterminds, rule_to};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::form::{Prefix, Surroundings};
use crate::convert::patterns;
use crate::convert::rule::{Draft, Extract, Newest, Options, Order, Rule, Selection, Tags, Times};
use crate::oci::Reference;

/// What stands around the objects and says nothing of images.
const AROUND: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

#[derive(Debug)]
struct Repository {
    place: Place,
    image: Result<Reference, Gap>,
    exclude: Vec<String>,
    options: Options,
    gaps: Vec<Gap>,
    is_used: bool,
}

#[derive(Debug)]
struct Policy {
    place: Place,
    repository: (String, String),
    selection: Result<Selection, Gap>,
    gaps: Vec<Gap>,
}

pub(super) fn read(
    documents: &[Item<'_>],
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let mut repositories = BTreeMap::new();
    let mut policies = Vec::new();
    for document in documents {
        let mut fields = document.fields()?;
        let kind = fields.text("kind")?.unwrap_or_default();
        let (namespace, name) = name(&mut fields)?;
        // Other objects stand beside these in the same repository.
        match kind.as_str() {
            "ImageRepository" => {
                let repository = read_repository(fields, draft)?;
                repositories.insert((namespace, name), repository);
            }
            "ImagePolicy" => policies.push(read_policy(fields, &namespace)?),
            _ => {}
        }
    }
    let Some(to) = &surroundings.to else {
        let place = documents.first().map(Item::place);
        return place.map_or(Ok(()), |place| Err(place.fault(NEEDS_TO)));
    };
    for policy in policies {
        let place = policy.place.clone();
        let Some(repository) = repositories.get_mut(&policy.repository) else {
            let (namespace, name) = &policy.repository;
            let missing =
                format!("there is no ImageRepository {namespace}/{name} among the documents");
            draft.gaps.push(place.gap(missing));
            continue;
        };
        repository.is_used = true;
        draft.add(join(repository, policy, to));
    }
    let unused = repositories
        .values()
        .filter(|repository| !repository.is_used);
    draft.gaps.extend(unused.map(|repository| {
        let Repository { place, .. } = repository;
        place.gap("no ImagePolicy says which tags of it are wanted")
    }));
    Ok(())
}

fn name(fields: &mut Fields<'_>) -> Result<(String, String), Fault> {
    let Some(mut metadata) = fields.fields("metadata")? else {
        return Ok((String::new(), String::new()));
    };
    let namespace = metadata.text("namespace")?.unwrap_or_default();
    Ok((namespace, metadata.text("name")?.unwrap_or_default()))
}

fn read_repository(mut fields: Fields<'_>, draft: &mut Draft) -> Result<Repository, Fault> {
    fields.pass_over(&AROUND);
    let place = fields.place().clone();
    let mut gaps = Vec::new();
    let Some(mut spec) = fields.fields("spec")? else {
        return Err(place.fault("an ImageRepository needs a spec"));
    };
    let found = image(&spec.required("image")?, &spec.place_of("image"));
    let times = match spec.text("interval")? {
        Some(interval) => common::every(&interval),
        None => Times::Unsaid,
    };
    let exclude = spec.texts("exclusionList")?;
    if let Ok(found) = &found {
        if spec.take("secretRef").is_some() {
            draft.logins.insert(found.registry.clone());
        }
        if spec.flag("insecure")? == Some(true) {
            draft.insecure.insert(found.registry.clone());
        }
    }
    let suspended = spec.flag("suspend")? == Some(true);
    spec.pass_over(&["accessFrom", "timeout", "provider"]);
    spec.finish(&mut gaps);
    Ok(Repository {
        place,
        image: found,
        exclude: exclude
            .iter()
            .filter(|expression| *expression != r"^.*\.sig$")
            .flat_map(|expression| patterns::anywhere(expression))
            .collect(),
        options: Options {
            times,
            suspended,
            ..Options::default()
        },
        gaps,
        is_used: false,
    })
}

fn read_policy(mut fields: Fields<'_>, namespace: &str) -> Result<Policy, Fault> {
    fields.pass_over(&AROUND);
    let place = fields.place().clone();
    let mut gaps = Vec::new();
    let Some(mut spec) = fields.fields("spec")? else {
        return Err(place.fault("an ImagePolicy needs a spec"));
    };
    let Some(mut reference) = spec.fields("imageRepositoryRef")? else {
        return Err(place.fault("an ImagePolicy needs imageRepositoryRef"));
    };
    let name = reference.required("name")?;
    let namespace = reference
        .text("namespace")?
        .unwrap_or_else(|| namespace.to_owned());
    let extract = match spec.fields("filterTags")? {
        Some(mut filter) => {
            let pattern = filter.text("pattern")?.unwrap_or_default();
            let value = filter.text("extract")?;
            filter.finish(&mut gaps);
            Some((pattern, value))
        }
        None => None,
    };
    let policy = spec.fields("policy")?;
    let selection = match policy {
        Some(policy) => read_rule(policy, extract)?,
        None => Err(place.gap("says no policy")),
    };
    spec.pass_over(&["digestReflectionPolicy", "interval", "suspend"]);
    spec.finish(&mut gaps);
    let selection = selection.and_then(|selection| checked(selection, &place));
    Ok(Policy {
        place,
        repository: (namespace, name),
        selection,
        gaps,
    })
}

fn read_rule(
    mut policy: Fields<'_>,
    filter: Option<(String, Option<String>)>,
) -> Result<Result<Selection, Gap>, Fault> {
    let place = policy.place().clone();
    let semver = policy.fields("semver")?;
    let by_name = policy.fields("alphabetical")?;
    let by_number = policy.fields("numerical")?;
    let mut selection = Selection::default();
    let mut is_ascending = true;
    let order = if let Some(mut semver) = semver {
        selection = masterminds(&semver.required("range")?);
        Order::Version
    } else if let Some((mut fields, order)) = by_name
        .map(|fields| (fields, Order::Name))
        .or(by_number.map(|fields| (fields, Order::Number)))
    {
        is_ascending = fields.text("order")?.as_deref() != Some("desc");
        order
    } else {
        return Ok(Err(place.gap("says no policy")));
    };
    if !is_ascending {
        return Ok(Err(
            place.gap("order desc takes the oldest tag, which has no counterpart")
        ));
    }
    filtered(&mut selection, filter);
    selection.newest = Some(Newest {
        count: 1,
        by: order,
    });
    Ok(Ok(selection))
}

/// Only tags that match, of which a part may be read in place of the whole.
fn filtered(selection: &mut Selection, filter: Option<(String, Option<String>)>) {
    match filter {
        Some((pattern, Some(value))) => {
            selection.extract = Some(Extract {
                pattern: patterns::extracting(&pattern),
                value,
            });
        }
        Some((pattern, None)) => selection.include = patterns::anywhere(&pattern),
        None => {}
    }
}

fn join(repository: &Repository, policy: Policy, to: &Prefix) -> Result<Rule, Gap> {
    let source = repository.image.clone()?;
    let mut selection = policy.selection?;
    selection.exclude.extend(repository.exclude.clone());
    let name = source.repository.as_str().to_owned();
    let tags = Tags::selected(selection);
    let mut rule = rule_to(source.registry, name, to, "{repository}", tags);
    rule.options = repository.options.clone();
    rule.gaps = [repository.gaps.clone(), policy.gaps].concat();
    Ok(rule)
}
