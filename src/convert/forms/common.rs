// SPDX-License-Identifier: Apache-2.0

//! What the forms have in common.

use crate::convert::conversion::Gap;
use crate::convert::fields::Place;
use crate::convert::form::Prefix;
use crate::convert::rule::{Draft, Extract, Naming, Options, Rule, Selection, Semver, Tags, Times};
use crate::oci::{Reference, Registry};
use crate::policy::Duration;
use crate::policy::pattern::Pattern;
use crate::policy::range::Range;

/// Tags that Masterminds' library reads as versions without a prerelease.
const RELEASES: &str = r"v?\d+(\.\d+){0,2}";
/// Those with one, too: of what tags are made of, only `_` is no part of one.
const VERSIONS: &str = r"v?\d+(\.\d+){0,2}(-[^_]+)?";
/// What a person does where the file does not say where to.
pub(super) const NEEDS_TO: &str =
    "where to copy to is not written here: convert with --to REGISTRY[/PREFIX]";

/// An image as people write it, in a rule at this place.
pub(in crate::convert) fn image(text: &str, place: &Place) -> Result<Reference, Gap> {
    if text.contains("{{") || text.contains("${") {
        return Err(place.gap(format!("{text:?} is made of variables: write their values")));
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(place.gap(format!("{scheme}:// is no registry")));
    }
    text.parse().map_err(|error| place.gap(format!("{error}")))
}

/// A registry as people write it, also as a URL.
pub(super) fn registry(text: &str, place: &Place, draft: &mut Draft) -> Result<Registry, Gap> {
    if text.contains("{{") || text.contains("${") {
        return Err(place.gap(format!("{text:?} is made of variables: write their values")));
    }
    let (is_insecure, host) = match text.split_once("://") {
        Some(("http", host)) => (true, host),
        Some((_, host)) => (false, host),
        None => (false, text),
    };
    let registry: Registry = host
        .trim_end_matches('/')
        .parse()
        .map_err(|error| place.gap(format!("{error}")))?;
    if is_insecure {
        draft.insecure.insert(registry.clone());
    }
    Ok(registry)
}

/// From one image to another.
pub(super) fn rule(source: Reference, destination: Reference, tags: Tags) -> Rule {
    Rule {
        group: None,
        source: source.registry,
        repository: source.repository.as_str().to_owned(),
        destination: destination.registry,
        naming: Naming::Repository(destination.repository),
        tags,
        options: Options::default(),
        gaps: Vec::new(),
    }
}

/// From a repository, or a glob of some, to what a template says below a prefix.
pub(in crate::convert) fn rule_to(
    source: Registry,
    repository: String,
    to: &Prefix,
    template: &str,
    tags: Tags,
) -> Rule {
    Rule {
        group: None,
        source,
        repository,
        destination: to.registry.clone(),
        naming: Naming::Template(to.below(template)),
        tags,
        options: Options::default(),
        gaps: Vec::new(),
    }
}

/// The one image of a reference: a tag under its name at the destination, pinned where the reference has a digest, or the digest.
pub(super) fn one_tag(source: &Reference, destination: &Reference) -> Tags {
    let renamed = destination.tag.as_ref();
    let tag = match (&source.tag, &source.digest) {
        // A pinned tag is no tag of the source in any case: it has the name that it has at the destination.
        (tag, Some(digest)) => {
            return match renamed.or(tag.as_ref()) {
                Some(tag) => Tags::literal([format!("{tag}@{digest}")]),
                None => Tags {
                    digests: vec![digest.to_string()],
                    ..Tags::default()
                },
            };
        }
        (Some(tag), None) => tag.to_string(),
        (None, None) => "latest".to_owned(),
    };
    let renamed = renamed.map(ToString::to_string);
    let renamed = renamed.filter(|renamed| *renamed != tag);
    Tags {
        retag: renamed
            .map(|renamed| (tag.clone(), renamed))
            .into_iter()
            .collect(),
        ..Tags::literal([tag])
    }
}

/// A selection that can be used as it stands, or why not.
pub(super) fn checked(selection: Selection, place: &Place) -> Result<Selection, Gap> {
    let gap = |error: String| place.gap(error);
    if let Some(semver) = &selection.semver {
        Range::parse(&semver.range).map_err(|error| gap(error.to_string()))?;
    }
    let extract = selection.extract.as_ref().map(|extract| &extract.pattern);
    let patterns = selection.include.iter().chain(&selection.exclude);
    for pattern in patterns.chain(extract) {
        Pattern::parse(pattern).map_err(|error| gap(error.to_string()))?;
    }
    Ok(selection)
}

/// A range as Masterminds' library understands it: what ours calls a variant is a prerelease there, and out unless a
/// comparator names one. A number alone is a version.
pub(super) fn masterminds(range: &str) -> Selection {
    let names_prerelease = range
        .split([' ', ',', '|'])
        .any(|word| word.len() > 1 && word.contains('-'));
    let pattern = if names_prerelease { VERSIONS } else { RELEASES };
    Selection {
        extract: Some(Extract::whole(pattern)),
        semver: Some(Semver {
            range: range.trim().to_owned(),
            prereleases: false,
        }),
        ..Selection::default()
    }
}

/// An interval as ours are written: other tools know days, and bare seconds. At least half a minute, as ours are.
pub(super) fn every(text: &str) -> Times {
    let hours = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok());
    let text = match hours {
        Some(days) => format!("{}h", u64::from(days) * 24),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("{text}s"),
        None => text.to_owned(),
    };
    match text.parse::<Duration>() {
        Ok(interval) => Times::Every(interval.max(Duration::from_secs(30)).to_string()),
        Err(_) => Times::Unsaid,
    }
}

/// That certificates are not looked at: usual where there are none, and else nothing that ours does.
pub(super) fn unverified(registry: &Registry, place: &Place, draft: &mut Draft) {
    let host = registry.host();
    let is_near = host == "localhost" || host.starts_with("127.") || !host.contains('.');
    if is_near || matches!(registry.port(), Some(80 | 5000)) {
        draft.insecure.insert(registry.clone());
        return;
    }
    draft.gaps.push(place.gap(
        "certificates are always verified: name the authority with certSecretRef, or write insecure: true for plain HTTP",
    ));
}
