// SPDX-License-Identifier: Apache-2.0

//! regsync of regclient (<https://regclient.org/usage/regsync/>).

use super::common::{checked, every, image, one_tag, registry, rule};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::ordered::{Ordered, ordered};
use crate::convert::patterns;
use crate::convert::rule::{
    Draft, Extract, Naming, Options, Referrers, Rule, Selection, Tags, Times,
};

/// Versions as regclient reads them: any number of numbers, and whatever stands behind a dash.
const VERSIONS: &str = r"v?\d+(\.\d+)*(-.*)?";
/// What says how the tool goes about it, and not what it copies.
const PACE: [&str; 12] = [
    "parallel",
    "ratelimit",
    "mediaTypes",
    "fastCopy",
    "forceRecursive",
    "includeExternal",
    "blobLimit",
    "cacheCount",
    "cacheTime",
    "userAgent",
    "skipDockerConfig",
    "digestTags",
];

pub(super) fn read(document: &Item<'_>, draft: &mut Draft) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    fields.pass_over(&["version"]);
    for login in fields.items("creds") {
        read_login(login.fields()?, draft)?;
    }
    let defaults = match fields.fields("defaults")? {
        Some(defaults) => read_options(defaults, &Options::default(), draft)?,
        None => Options::default(),
    };
    for step in fields.items("sync") {
        let read = read_step(step.fields()?, &defaults, draft)?;
        match read {
            Ok(rules) => draft.rules.extend(rules),
            Err(gap) => draft.gaps.push(gap),
        }
    }
    let anchors = |gap: &Gap| !gap.path.starts_with("x-");
    let mut gaps = Vec::new();
    fields.finish(&mut gaps);
    draft.gaps.extend(gaps.into_iter().filter(anchors));
    Ok(())
}

fn read_login(mut fields: Fields<'_>, draft: &mut Draft) -> Result<(), Fault> {
    let place = fields.place_of("registry");
    let name = fields.required("registry")?;
    let (user, password) = (fields.text("user")?, fields.text("pass")?);
    let token = fields.text("token")?;
    let tls = fields.text("tls")?;
    fields.pass_over(&[
        "blobChunk",
        "blobMax",
        "reqPerSec",
        "reqConcurrent",
        "repoAuth",
        "priority",
        "api",
        "scheme",
        "apiOpts",
    ]);
    match registry(&name, &place, draft) {
        Ok(registry) => {
            if user.or(password).or(token).is_some() {
                draft.logins.insert(registry.clone());
            }
            if tls.as_deref() == Some("disabled") {
                draft.insecure.insert(registry);
            }
        }
        Err(gap) => draft.gaps.push(gap),
    }
    fields.finish(&mut draft.gaps);
    Ok(())
}

/// The fields that stand in `defaults` and in a step.
fn take_options(
    fields: &mut Fields<'_>,
    defaults: &Options,
    gaps: &mut Vec<Gap>,
) -> Result<Options, Fault> {
    let mut options = defaults.clone();
    fields.pass_over(&PACE);
    let (interval, cron) = (fields.text("interval")?, fields.text("schedule")?);
    if let Some(interval) = interval {
        options.times = every(&interval);
    }
    if let Some(cron) = cron {
        options.times = Times::Cron(cron);
    }
    let place = fields.place_of("backup");
    if let Some(backup) = fields.text("backup")? {
        let tag = backup
            .replace("{{.Ref.Tag}}", "{tag}")
            .replace("{{ .Ref.Tag }}", "{tag}");
        if tag.contains("{{") || tag.contains(['/', ':']) {
            gaps.push(
                place.gap("only {{.Ref.Tag}} and a text around it has a counterpart: previousTag"),
            );
        } else {
            options.previous_tag = Some(tag);
        }
    }
    if fields.flag("referrers")? == Some(false) {
        options.referrers = Referrers::None;
    }
    let filters = fields.items("referrerFilters");
    let mut types = Vec::new();
    for filter in filters {
        let mut filter = filter.fields()?;
        types.extend(filter.text("artifactType")?);
        filter.finish(gaps);
    }
    if !types.is_empty() {
        options.referrers = Referrers::Types(types);
    }
    Ok(options)
}

fn read_options(
    mut fields: Fields<'_>,
    defaults: &Options,
    draft: &mut Draft,
) -> Result<Options, Fault> {
    let options = take_options(&mut fields, defaults, &mut draft.gaps)?;
    fields.finish(&mut draft.gaps);
    Ok(options)
}

fn read_step(
    mut fields: Fields<'_>,
    defaults: &Options,
    draft: &mut Draft,
) -> Result<Result<Vec<Rule>, Gap>, Fault> {
    let place = fields.place().clone();
    let (source, target) = (fields.required("source")?, fields.required("target")?);
    let kind = fields.text("type")?.unwrap_or_else(|| "image".to_owned());
    let mut gaps = Vec::new();
    let mut options = take_options(&mut fields, defaults, &mut gaps)?;
    options.platforms = fields.texts("platforms")?;
    // One of them is copied without its index.
    if let Some(platform) = fields.text("platform")? {
        options.platforms = vec![platform];
        options.unwraps = true;
    }
    let repositories = fields.fields("repos")?;
    let mut tags = Tags::default();
    let mut unread = None;
    let sets = fields
        .items("tagSets")
        .into_iter()
        .chain(fields.take("tags"));
    for set in sets {
        match read_tags(set.fields()?, &mut gaps)? {
            Some(selections) => tags.selections.extend(selections),
            None => unread = Some(set.place().gap("semverRange is not understood")),
        }
    }
    if let Some(gap) = unread {
        return Ok(Err(gap));
    }
    if tags.selections.is_empty() {
        tags = Tags::all();
    }
    let rules = match kind.as_str() {
        "image" => step_of_image(&source, &target, &place).map(|rule| vec![rule]),
        "repository" => step_of_repository(&source, &target, tags, &place).map(|rule| vec![rule]),
        "registry" => step_of_registry(&source, &target, repositories, &tags, &place, draft)?,
        other => Err(place.gap(format!("type {other:?} has no counterpart"))),
    };
    fields.finish(&mut gaps);
    Ok(rules.map(|mut rules| {
        for rule in &mut rules {
            rule.options.clone_from(&options);
        }
        if let Some(first) = rules.first_mut() {
            first.gaps = gaps;
        }
        rules
    }))
}

/// `allow`, `deny` and `semverRange`: all of them must hold. Nothing where a range is not understood.
fn read_tags(mut fields: Fields<'_>, gaps: &mut Vec<Gap>) -> Result<Option<Vec<Selection>>, Fault> {
    let all = |texts: Vec<String>| -> Vec<String> {
        let patterns = texts
            .iter()
            .flat_map(|text| patterns::between_anchors(text));
        patterns.collect()
    };
    let (allow, deny) = (fields.texts("allow")?, fields.texts("deny")?);
    let ranges = fields.texts("semverRange")?;
    fields.finish(gaps);
    let (include, exclude) = (all(allow), all(deny));
    if ranges.is_empty() {
        return Ok(Some(vec![Selection {
            include,
            exclude,
            ..Selection::default()
        }]));
    }
    let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
    let Some(Ordered { selection, besides }) = ordered(&ranges, VERSIONS, false) else {
        return Ok(None);
    };
    let narrowed = |mut selection: Selection| {
        // Patterns of a selection are alternatives: those of a bound stand where all must match.
        if let suffixes @ [_, ..] = selection.include.as_slice() {
            selection.extract = Some(Extract::whole(&suffixes.join("|")));
        }
        selection.include.clone_from(&include);
        selection.exclude.extend(exclude.clone());
        selection
    };
    let all = [Some(selection), besides].into_iter().flatten();
    Ok(Some(all.map(narrowed).collect()))
}

fn step_of_image(source: &str, target: &str, place: &Place) -> Result<Rule, Gap> {
    let (source, target) = (image(source, place)?, image(target, place)?);
    let tags = one_tag(&source, &target);
    Ok(rule(source, target, tags))
}

fn step_of_repository(
    source: &str,
    target: &str,
    mut tags: Tags,
    place: &Place,
) -> Result<Rule, Gap> {
    let (source, target) = (image(source, place)?, image(target, place)?);
    for selection in &mut tags.selections {
        *selection = checked(std::mem::take(selection), place)?;
    }
    Ok(rule(source, target, tags))
}

/// All repositories of a registry, or those whose names match.
fn step_of_registry(
    source: &str,
    target: &str,
    repositories: Option<Fields<'_>>,
    tags: &Tags,
    place: &Place,
    draft: &mut Draft,
) -> Result<Result<Vec<Rule>, Gap>, Fault> {
    let mut allow = Vec::new();
    let mut deny = Vec::new();
    let mut gaps = Vec::new();
    if let Some(mut fields) = repositories {
        (allow, deny) = (fields.texts("allow")?, fields.texts("deny")?);
        fields.finish(&mut gaps);
    }
    if allow.is_empty() {
        allow.push(".*".to_owned());
    }
    let ends = (|| {
        let source = registry(source, place, draft)?;
        let (host, path) = target.split_once('/').unwrap_or((target, ""));
        Ok((
            source,
            registry(host, place, draft)?,
            path.trim_matches('/').to_owned(),
        ))
    })();
    let (source, destination, path) = match ends {
        Ok(ends) => ends,
        Err(gap) => return Ok(Err(gap)),
    };
    if !deny.is_empty() {
        let message = "repositories cannot be left out by a pattern: they are copied, too";
        gaps.push(place.gap(message));
    }
    let template = match path.as_str() {
        "" => "{repository}".to_owned(),
        path => format!("{path}/{{repository}}"),
    };
    let globs: Option<Vec<Vec<String>>> = allow
        .iter()
        .map(|pattern| patterns::repository_globs(pattern))
        .collect();
    let Some(globs) = globs else {
        let message = "this pattern of repositories is no glob: name the repositories";
        return Ok(Err(place.gap(message)));
    };
    let rule = |repository: String| Rule {
        group: None,
        source: source.clone(),
        repository,
        destination: destination.clone(),
        naming: Naming::Template(template.clone()),
        tags: tags.clone(),
        options: Options::default(),
        gaps: Vec::new(),
    };
    draft.gaps.extend(gaps);
    Ok(Ok(globs.concat().into_iter().map(rule).collect()))
}
