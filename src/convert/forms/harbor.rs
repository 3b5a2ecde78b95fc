// SPDX-License-Identifier: Apache-2.0

//! Replication policies of Harbor, as `/api/v2.0/replication/policies` writes them.

use super::common::{checked, registry};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::form::{Prefix, Surroundings};
use crate::convert::patterns;
use crate::convert::rule::{Draft, Naming, Options, Rule, Selection, Tags, Times};
use crate::oci::Registry;

/// What says how Harbor goes about it, and not what it copies.
const PACE: [&str; 9] = [
    "id",
    "description",
    "creator",
    "creation_time",
    "update_time",
    "speed",
    "copy_by_chunk",
    "single_active_replication",
    "dest_namespace_replace_count",
];

pub(super) fn read(
    document: &Item<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    for policy in document.items() {
        read_policy(policy.fields()?, surroundings, draft)?;
    }
    Ok(())
}

fn read_policy(
    mut fields: Fields<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let place = fields.place().clone();
    let name = fields.text("name")?;
    let ends = (
        fields.fields("src_registry")?,
        fields.fields("dest_registry")?,
    );
    let namespace = fields.text("dest_namespace")?;
    let replaced = fields.number("dest_namespace_replace_count")?.unwrap_or(-1);
    let options = Options {
        frozen: fields.flag("override")? == Some(false),
        suspended: fields.flag("enabled")? == Some(false),
        times: read_trigger(fields.fields("trigger")?, &mut draft.gaps)?,
        ..Options::default()
    };
    for deletion in ["replicate_deletion", "deletion"] {
        let place = fields.place_of(deletion);
        if fields.flag(deletion)? == Some(true) {
            let gap = place.gap("add spec.prune after you have read docs/pruning.md");
            draft.gaps.push(gap);
        }
    }
    let filters = read_filters(fields.items("filters"), &mut draft.gaps)?;
    fields.pass_over(&PACE);
    fields.finish(&mut draft.gaps);
    let source = end(ends.0, surroundings.from.as_ref(), "--from", &place, draft)?;
    let destination = end(ends.1, surroundings.to.as_ref(), "--to", &place, draft)?;
    let (source, destination) = match (source, destination) {
        (Ok(source), Ok(destination)) => (source, destination),
        (Err(gap), _) | (_, Err(gap)) => {
            draft.gaps.push(gap);
            return Ok(());
        }
    };
    let selection = match checked(filters.selection, &place) {
        Ok(selection) => selection,
        Err(gap) => {
            draft.gaps.push(gap);
            return Ok(());
        }
    };
    for repository in filters.repositories {
        let template = template(&repository, namespace.as_deref(), replaced, &place);
        draft.add(template.map(|template| Rule {
            group: name.clone(),
            source: source.registry.clone(),
            repository,
            destination: destination.registry.clone(),
            naming: Naming::Template(destination.below(&template)),
            tags: Tags::selected(selection.clone()),
            options: options.clone(),
            gaps: Vec::new(),
        }));
    }
    Ok(())
}

/// A registry that the policy names; where it names none, Harbor itself is meant.
fn end(
    fields: Option<Fields<'_>>,
    itself: Option<&Prefix>,
    flag: &str,
    place: &Place,
    draft: &mut Draft,
) -> Result<Result<Prefix, Gap>, Fault> {
    let mut url = None;
    if let Some(mut fields) = fields {
        let is_local = fields.number("id")? == Some(0);
        url = fields.text("url")?.filter(|_| !is_local);
        if let Some(url) = &url
            && let Ok(registry) = host(url, place, draft)
        {
            if fields.take("credential").is_some() {
                draft.logins.insert(registry.clone());
            }
            if fields.flag("insecure")? == Some(true) {
                draft.insecure.insert(registry);
            }
        }
    }
    Ok(match (url, itself) {
        (Some(url), _) => host(&url, place, draft).map(|registry| Prefix {
            registry,
            path: None,
        }),
        (None, Some(itself)) => Ok(itself.clone()),
        (None, None) => Err(place.gap(format!(
            "this end is Harbor itself: convert with {flag} and its address"
        ))),
    })
}

fn host(url: &str, place: &Place, draft: &mut Draft) -> Result<Registry, Gap> {
    match url.trim_end_matches('/') {
        "https://hub.docker.com" => Ok(Registry::docker_hub()),
        url => registry(url, place, draft),
    }
}

fn read_trigger(trigger: Option<Fields<'_>>, gaps: &mut Vec<Gap>) -> Result<Times, Fault> {
    let Some(mut trigger) = trigger else {
        return Ok(Times::Unsaid);
    };
    trigger.pass_over(&["type"]);
    let cron = match trigger.fields("trigger_settings")? {
        Some(mut settings) => settings.text("cron")?,
        None => None,
    };
    let place = trigger.place().clone();
    trigger.finish(gaps);
    let Some(cron) = cron else {
        return Ok(Times::Unsaid);
    };
    // Six fields, the first one for seconds.
    let fields: Vec<&str> = cron.split_whitespace().collect();
    match fields.as_slice() {
        [seconds, rest @ ..] if rest.len() == 5 => {
            if *seconds != "0" {
                gaps.push(place.gap("a schedule has no seconds"));
            }
            Ok(Times::Cron(rest.join(" ")))
        }
        _ => Ok(Times::Cron(cron)),
    }
}

#[derive(Debug)]
struct Filters {
    repositories: Vec<String>,
    selection: Selection,
}

fn read_filters(items: Vec<Item<'_>>, gaps: &mut Vec<Gap>) -> Result<Filters, Fault> {
    let mut filters = Filters {
        repositories: vec!["**".to_owned()],
        selection: Selection::default(),
    };
    for item in items {
        let mut fields = item.fields()?;
        let place = fields.place().clone();
        let kind = fields.required("type")?;
        let values = fields.texts("value")?;
        let excludes = fields.text("decoration")?.as_deref() == Some("excludes");
        match (kind.as_str(), excludes) {
            ("name", false) => {
                let names = values.iter().flat_map(|value| patterns::braces(value));
                filters.repositories = names.collect();
            }
            ("tag", _) => {
                let found = values
                    .iter()
                    .filter(|value| *value != "**")
                    .map(|value| patterns::glob(value));
                if excludes {
                    filters.selection.exclude.extend(found);
                } else {
                    filters.selection.include.extend(found);
                }
            }
            ("resource", false) => {}
            _ => gaps.push(place.gap("has no counterpart: what it leaves out is copied, too")),
        }
        fields.finish(gaps);
    }
    Ok(filters)
}

/// The namespace in place of so many first components; of all but the last one where the count is negative.
fn template(
    repository: &str,
    namespace: Option<&str>,
    replaced: i64,
    place: &Place,
) -> Result<String, Gap> {
    let Some(namespace) = namespace else {
        return Ok("{repository}".to_owned());
    };
    let components = i64::try_from(repository.split('/').count()).unwrap_or(i64::MAX);
    let is_deep = repository.contains("**");
    match replaced {
        0 => Ok(format!("{namespace}/{{repository}}")),
        count if count < 0 || !is_deep && count == components - 1 => Ok(format!("{namespace}/{{name}}")),
        count if !repository.contains('*') => {
            let kept: Vec<&str> = repository
                .split('/')
                .skip(usize::try_from(count).unwrap_or(usize::MAX))
                .collect();
            if kept.is_empty() { Err(place.gap("nothing is left of the repository's name")) } else { Ok(format!("{namespace}/{}", kept.join("/"))) }
        }
        _ => Err(place.gap(format!(
            "replacing {replaced} components of every name that {repository} stands for has no counterpart: name the repositories"
        ))),
    }
}
