// SPDX-License-Identifier: Apache-2.0

//! dregsy (<https://github.com/xelalexv/dregsy>).

use super::common::{self, checked, registry};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::ordered::{Ordered, ordered};
use crate::convert::patterns;
use crate::convert::rule::{Draft, Naming, Newest, Options, Order, Rule, Selection, Tags, Times};
use crate::oci::{Reference, Registry};

/// Versions as blang's library reads them: all three numbers, prereleases count. Of what tags are made of, only `_` is
/// no part of a prerelease.
const VERSIONS: &str = r"v?\d+\.\d+\.\d+(-[^_]+)?";

pub(super) fn read(document: &Item<'_>, draft: &mut Draft) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    fields.pass_over(&["relay", "skopeo", "docker", "lister", "watch"]);
    for task in fields.items("tasks") {
        read_task(task.fields()?, draft)?;
    }
    fields.finish(&mut draft.gaps);
    Ok(())
}

fn read_task(mut fields: Fields<'_>, draft: &mut Draft) -> Result<(), Fault> {
    let place = fields.place().clone();
    let name = fields.text("name")?;
    let times = match fields.text("interval")? {
        Some(seconds) => common::every(&seconds),
        None => Times::Unsaid,
    };
    let (source, target) = (fields.fields("source")?, fields.fields("target")?);
    let (Some(source), Some(target)) = (source, target) else {
        return Err(place.fault("a task needs source and target"));
    };
    fields.pass_over(&["verbose"]);
    let ends = (read_end(source, draft)?, read_end(target, draft)?);
    let mappings = fields.items("mappings");
    fields.finish(&mut draft.gaps);
    let (source, target) = match ends {
        (Ok(source), Ok(target)) => (source, target),
        (Err(gap), _) | (_, Err(gap)) => {
            draft.gaps.push(gap);
            return Ok(());
        }
    };
    for mapping in mappings {
        let rule = read_mapping(mapping.fields()?, &source, &target)?;
        draft.add(rule.map(|rule| Rule {
            group: name.clone(),
            options: Options {
                times: times.clone(),
                ..rule.options
            },
            ..rule
        }));
    }
    Ok(())
}

fn read_end(mut fields: Fields<'_>, draft: &mut Draft) -> Result<Result<Registry, Gap>, Fault> {
    let place = fields.place().clone();
    let name = fields.required("registry")?;
    let login = fields.text("auth")?;
    let verifies = fields.place_of("skip-tls-verify");
    let is_unverified = fields.flag("skip-tls-verify")? == Some(true);
    fields.pass_over(&["lister", "auth-refresh"]);
    let found = registry(&name, &place, draft);
    if let Ok(registry) = &found {
        if login.is_some_and(|login| login != "none") {
            draft.logins.insert(registry.clone());
        }
        if is_unverified {
            common::unverified(registry, &verifies, draft);
        }
    }
    fields.finish(&mut draft.gaps);
    Ok(found)
}

fn read_mapping(
    mut fields: Fields<'_>,
    source: &Registry,
    target: &Registry,
) -> Result<Result<Rule, Gap>, Fault> {
    let place = fields.place().clone();
    let from = fields.required("from")?;
    let to = fields.text("to")?.unwrap_or_else(|| from.clone());
    let tags = read_tags(&fields.texts("tags")?, &fields.place_of("tags"));
    let platform = fields
        .text("platform")?
        .filter(|platform| platform != "all");
    let mut gaps = Vec::new();
    fields.finish(&mut gaps);
    Ok(tags.and_then(|tags| {
        let (repository, naming) = names(&from, &to, source, target, &place)?;
        Ok(Rule {
            group: None,
            source: source.clone(),
            repository,
            destination: target.clone(),
            naming,
            tags,
            options: Options {
                // Both relays copy one platform without its index.
                unwraps: platform.is_some(),
                platforms: platform.into_iter().collect(),
                ..Options::default()
            },
            gaps,
        })
    }))
}

/// The repository, or a glob, and its name at the destination.
fn names(
    from: &str,
    to: &str,
    source: &Registry,
    target: &Registry,
    place: &Place,
) -> Result<(String, Naming), Gap> {
    let Some(expression) = from.strip_prefix("regex:") else {
        let at = |registry: &Registry, path: &str| -> Result<Reference, Gap> {
            common::image(
                &format!("{registry}/{}", path.trim_start_matches('/')),
                place,
            )
        };
        let (from, to) = (at(source, from)?, at(target, to)?);
        let naming = Naming::Repository(to.repository);
        return Ok((from.repository.as_str().to_owned(), naming));
    };
    let globs = patterns::repository_globs(expression.trim()).unwrap_or_default();
    match (globs.as_slice(), to == from) {
        ([glob], true) => Ok((glob.clone(), Naming::Template("{repository}".to_owned()))),
        _ => Err(place.gap("expressions of repositories have no counterpart: name the repositories, or write a glob")),
    }
}

/// Tags by name, `semver:`, `regex:`: any of them counts; then `keep:` of what they take.
fn read_tags(texts: &[String], place: &Place) -> Result<Tags, Gap> {
    let mut tags = Tags::default();
    let mut newest = None;
    let mut suffixed = Vec::new();
    for text in texts {
        if let Some(range) = text.strip_prefix("semver:") {
            let ranges: Vec<&str> = range.split("||").collect();
            let Some(Ordered { selection, besides }) = ordered(&ranges, VERSIONS, true) else {
                return Err(place.gap(format!("range {range:?} is not understood")));
            };
            tags.selections.push(selection);
            suffixed.extend(besides);
        } else if let Some(expression) = text.strip_prefix("regex:") {
            tags.selections.push(expression_of(expression.trim()));
        } else if let Some(kept) = text.strip_prefix("keep:") {
            let count = kept
                .trim()
                .strip_prefix("latest")
                .and_then(|count| count.trim().parse().ok());
            let Some(count) = count else {
                return Err(place.gap(
                    "keep with an expression has no counterpart: write one regex that says both",
                ));
            };
            newest = Some(Newest {
                count,
                by: Order::Version,
            });
        } else {
            tags.literals.push(text.clone());
        }
    }
    if tags.literals.is_empty() && tags.selections.is_empty() {
        tags = Tags::all();
    }
    if newest.is_some() {
        // What has a suffix and the numbers of an upper bound is not counted with the others.
        suffixed.clear();
        match tags.selections.as_mut_slice() {
            [only] if tags.literals.is_empty() => only.newest = newest,
            _ => {
                return Err(
                    place.gap("keep: latest counts over several filters here: write one of them")
                );
            }
        }
    }
    tags.selections.extend(suffixed);
    for selection in &mut tags.selections {
        *selection = checked(std::mem::take(selection), place)?;
    }
    Ok(tags)
}

fn expression_of(expression: &str) -> Selection {
    match expression.strip_prefix('!') {
        Some(expression) => Selection {
            exclude: patterns::anywhere(expression.trim()),
            ..Selection::default()
        },
        None => Selection {
            include: patterns::anywhere(expression),
            ..Selection::default()
        },
    }
}
