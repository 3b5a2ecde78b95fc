// SPDX-License-Identifier: Apache-2.0

//! ocync (<https://github.com/clowdhaus/ocync>).

use std::collections::BTreeMap;

use super::common::{self, checked, registry};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::patterns;
use crate::convert::rule::{
    Draft, Newest, Options, Order, Referrers, Rule, Selection, Semver, Tags,
};
use crate::oci::Registry;

/// What ocync leaves out unless `include` names it.
const MARKERS: &str = "(?i).*-(rc|alpha|beta|pre|snapshot|nightly).*";

/// What mappings take over where they do not say otherwise.
#[derive(Clone, Debug, Default)]
struct Defaults {
    source: Option<String>,
    targets: Vec<String>,
    tags: Tags,
    options: Options,
}

/// What the names in the file stand for.
#[derive(Debug, Default)]
struct Names {
    registries: BTreeMap<String, Registry>,
    groups: BTreeMap<String, Vec<String>>,
}

pub(super) fn read(document: &Item<'_>, draft: &mut Draft) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    fields.pass_over(&["global"]);
    let mut names = Names::default();
    if let Some(registries) = fields.fields("registries")? {
        for (name, item) in registries.into_pairs() {
            if let Some(registry) = read_registry(item.fields()?, draft)? {
                names.registries.insert(name.to_owned(), registry);
            }
        }
    }
    if let Some(groups) = fields.fields("target_groups")? {
        for (name, item) in groups.into_pairs() {
            names.groups.insert(name.to_owned(), item.texts()?);
        }
    }
    let nothing = Defaults {
        tags: all(),
        ..Defaults::default()
    };
    let defaults = match fields.fields("defaults")? {
        Some(defaults) => read_defaults(defaults, &nothing, &mut draft.gaps)?,
        None => nothing,
    };
    for mapping in fields.items("mappings") {
        read_mapping(mapping.fields()?, &defaults, &names, draft)?;
    }
    fields.finish(&mut draft.gaps);
    Ok(())
}

fn read_registry(mut fields: Fields<'_>, draft: &mut Draft) -> Result<Option<Registry>, Fault> {
    let place = fields.place_of("url");
    let url = with_defaults(&fields.required("url")?);
    let has_login = fields
        .take("credentials")
        .or(fields.take("token"))
        .is_some();
    fields.pass_over(&[
        "auth_type",
        "max_concurrent",
        "head_first",
        "credentials",
        "token",
    ]);
    let found = registry(&url, &place, draft);
    fields.finish(&mut draft.gaps);
    match found {
        Ok(registry) => {
            if has_login {
                draft.logins.insert(registry.clone());
            }
            Ok(Some(registry))
        }
        Err(gap) => {
            draft.gaps.push(gap);
            Ok(None)
        }
    }
}

/// `${NAME:-default}` as its default: what is not set at a reader's place is not known.
fn with_defaults(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, variable)) = rest.split_once("${") {
        let Some((inside, behind)) = variable.split_once('}') else {
            break;
        };
        out.push_str(before);
        if let Some((_, default)) = inside.split_once(":-") {
            out.push_str(default);
        } else {
            out.push_str("${");
            out.push_str(inside);
            out.push('}');
        }
        rest = behind;
    }
    out + rest
}

/// The fields that stand in `defaults` and in a mapping.
fn read_common(
    fields: &mut Fields<'_>,
    earlier: &Defaults,
    gaps: &mut Vec<Gap>,
) -> Result<Defaults, Fault> {
    let mut found = earlier.clone();
    found.source = fields.text("source")?.or(found.source);
    let targets = fields.texts("targets")?;
    if !targets.is_empty() {
        found.targets = targets;
    }
    if let Some(tags) = fields.fields("tags")? {
        found.tags = read_tags(tags, gaps)?;
    }
    let platforms = fields.texts("platforms")?;
    if !platforms.is_empty() {
        found.options.platforms = platforms;
    }
    if let Some(mut artifacts) = fields.fields("artifacts")? {
        let is_enabled = artifacts.flag("enabled")? != Some(false);
        let types = artifacts.texts("include")?;
        if artifacts.flag("require_artifacts")? == Some(true) {
            let place = artifacts.place_of("require_artifacts");
            gaps.push(place.gap("an ImagePolicy with verify demands a signature"));
        }
        artifacts.finish(gaps);
        found.options.referrers = match (is_enabled, types.is_empty()) {
            (false, _) => Referrers::None,
            (true, true) => Referrers::All,
            (true, false) => Referrers::Types(types),
        };
    }
    Ok(found)
}

fn read_defaults(
    mut fields: Fields<'_>,
    earlier: &Defaults,
    gaps: &mut Vec<Gap>,
) -> Result<Defaults, Fault> {
    let found = read_common(&mut fields, earlier, gaps)?;
    fields.finish(gaps);
    Ok(found)
}

fn read_mapping(
    mut fields: Fields<'_>,
    defaults: &Defaults,
    names: &Names,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let place = fields.place().clone();
    let from = fields.required("from")?;
    let to = fields.text("to")?.unwrap_or_else(|| from.clone());
    let mut gaps = Vec::new();
    let found = read_common(&mut fields, defaults, &mut gaps)?;
    fields.finish(&mut gaps);
    let rules = rules(&from, &to, &found, names, &place);
    match rules {
        Ok(mut rules) => {
            if let Some(first) = rules.first_mut() {
                first.gaps = gaps;
            }
            draft.rules.extend(rules);
        }
        Err(gap) => draft.gaps.push(gap),
    }
    Ok(())
}

fn rules(
    from: &str,
    to: &str,
    found: &Defaults,
    names: &Names,
    place: &Place,
) -> Result<Vec<Rule>, Gap> {
    let registry = |name: &str| {
        let known = names.registries.get(name).cloned();
        known.ok_or_else(|| place.gap(format!("there is no registry {name:?}")))
    };
    let source = found
        .source
        .as_deref()
        .ok_or_else(|| place.gap("no source is named"))?;
    let source = registry(source)?;
    let targets = found
        .targets
        .iter()
        .flat_map(|target| match names.groups.get(target) {
            Some(group) => group.clone(),
            None => vec![target.clone()],
        });
    let mut tags = found.tags.clone();
    for selection in &mut tags.selections {
        *selection = checked(std::mem::take(selection), place)?;
    }
    let from = common::image(&format!("{source}/{from}"), place)?;
    targets
        .map(|target| {
            let target = registry(&target)?;
            let to = common::image(&format!("{target}/{to}"), place)?;
            let mut rule = common::rule(from.clone(), to, tags.clone());
            rule.options = found.options.clone();
            Ok(rule)
        })
        .collect()
}

/// Every tag that has no marker of a prerelease.
fn all() -> Tags {
    Tags::selected(Selection {
        exclude: vec![MARKERS.to_owned()],
        ..Selection::default()
    })
}

/// Globs and a range narrow, `exclude` and the usual markers leave out, `latest` counts; `include` comes in any case.
fn read_tags(mut fields: Fields<'_>, gaps: &mut Vec<Gap>) -> Result<Tags, Fault> {
    let globs = |texts: Vec<String>| -> Vec<String> {
        texts.iter().map(|text| patterns::glob(text)).collect()
    };
    let listed = globs(fields.texts("glob")?);
    let always = globs(fields.texts("include")?);
    let exclude = globs(fields.texts("exclude")?);
    let range = fields.text("semver")?;
    let prereleases = fields.text("semver_prerelease")?;
    let order = fields.text("sort")?;
    let count = fields.number("latest")?;
    fields.pass_over(&["immutable_tags"]);
    if fields.take("min_tags").is_some() {
        let place = fields.place_of("min_tags");
        gaps.push(
            place.gap(
                "has no counterpart: a repository of which nothing is taken fails in any case",
            ),
        );
    }
    fields.finish(gaps);
    let takes_markers = prereleases.as_deref() == Some("include");
    let mut left_out = exclude.clone();
    if !takes_markers {
        left_out.push(MARKERS.to_owned());
    }
    let is_any = |pattern: &String| pattern == ".*";
    let mut tags = Tags::selected(Selection {
        include: if listed.iter().any(is_any) {
            Vec::new()
        } else {
            listed
        },
        exclude: left_out,
        semver: range.map(|range| Semver {
            range,
            prereleases: true,
        }),
        newest: count.map(|count| Newest {
            count,
            by: if order.as_deref() == Some("alpha") {
                Order::Name
            } else {
                Order::Version
            },
        }),
        ..Selection::default()
    });
    if !always.is_empty() {
        tags.selections.push(Selection {
            include: always,
            exclude,
            ..Selection::default()
        });
    }
    Ok(tags)
}
