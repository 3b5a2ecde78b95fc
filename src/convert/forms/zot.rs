// SPDX-License-Identifier: Apache-2.0

//! The `sync` extension of zot (<https://zotregistry.dev>).

use super::common::{self, NEEDS_TO, checked, registry, rule_to};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item};
use crate::convert::form::{Prefix, Surroundings};
use crate::convert::patterns;
use crate::convert::rule::{Draft, Options, Selection, Semver, Tags, Times};
use crate::oci::Registry;

/// What says how zot goes about it, and not what it copies.
const PACE: [&str; 8] = [
    "maxRetries",
    "retryDelay",
    "onlySigned",
    "preserveDigest",
    "responseHeaderTimeout",
    "syncTimeout",
    "syncLegacyCosignTags",
    "credentialHelper",
];

pub(super) fn read(
    document: &Item<'_>,
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    let Some(to) = &surroundings.to else {
        return Err(fields.place().fault(NEEDS_TO));
    };
    // Everything else is about the registry, and not about what it copies.
    let sync = match fields.fields("extensions")? {
        Some(mut extensions) => extensions.fields("sync")?,
        None => fields.fields("sync")?,
    };
    let Some(mut sync) = sync else {
        return Err(fields.place().fault("there is no extensions.sync"));
    };
    sync.pass_over(&["enable", "downloadDir"]);
    let has_logins = sync.take("credentialsFile").is_some();
    for item in sync.items("registries") {
        read_registry(item.fields()?, to, has_logins, draft)?;
    }
    sync.finish(&mut draft.gaps);
    Ok(())
}

fn read_registry(
    mut fields: Fields<'_>,
    to: &Prefix,
    has_logins: bool,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let place = fields.place().clone();
    let urls = fields.texts("urls")?;
    let times = match fields.text("pollInterval")? {
        Some(interval) => common::every(&interval),
        None => Times::Unsaid,
    };
    let verifies = fields.place_of("tlsVerify");
    let is_unverified = fields.flag("tlsVerify")? == Some(false);
    if fields.flag("onDemand")? == Some(true) {
        let message = "nothing is copied when it is asked for: images are copied before";
        draft.gaps.push(fields.place_of("onDemand").gap(message));
    }
    if urls.len() > 1 {
        let message = "only the first URL is taken";
        draft.gaps.push(fields.place_of("urls").gap(message));
    }
    if fields.flag("onlySigned")? == Some(true) {
        let message = "an ImagePolicy with verify demands signatures, and says of whom";
        draft.gaps.push(fields.place_of("onlySigned").gap(message));
    }
    let content = fields.items("content");
    fields.pass_over(&PACE);
    let url = urls.first().map(String::as_str).unwrap_or_default();
    let source = registry(url, &fields.place_of("urls"), draft);
    fields.finish(&mut draft.gaps);
    let source = match source {
        Ok(source) => source,
        Err(gap) => {
            draft.gaps.push(gap);
            return Ok(());
        }
    };
    if has_logins {
        draft.logins.insert(source.clone());
    }
    if is_unverified && !draft.insecure.contains(&source) {
        common::unverified(&source, &verifies, draft);
    }
    if content.is_empty() {
        draft.gaps.push(place.gap("no content says what to copy"));
    }
    for item in content {
        read_content(item.fields()?, &source, to, &times, draft)?;
    }
    Ok(())
}

fn read_content(
    mut fields: Fields<'_>,
    source: &Registry,
    to: &Prefix,
    times: &Times,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let place = fields.place().clone();
    let prefix = fields.required("prefix")?;
    let destination = fields.text("destination")?;
    let strips = fields.flag("stripPrefix")? == Some(true);
    let mut gaps = Vec::new();
    let selection = match fields.fields("tags")? {
        Some(tags) => read_tags(tags, &mut gaps)?,
        None => Selection::default(),
    };
    fields.finish(&mut gaps);
    let rule = (|| {
        let selection = checked(selection, &place)?;
        let prefix = prefix.trim_start_matches('/');
        let template = template(prefix, destination.as_deref(), strips)
            .ok_or_else(|| place.gap("stripPrefix of this prefix has no counterpart"))?;
        let mut rule = rule_to(
            source.clone(),
            prefix.to_owned(),
            to,
            &template,
            Tags::selected(selection),
        );
        rule.gaps = gaps;
        rule.options = Options {
            times: times.clone(),
            ..Options::default()
        };
        Ok::<_, Gap>(rule)
    })();
    draft.add(rule);
    Ok(())
}

fn read_tags(mut fields: Fields<'_>, gaps: &mut Vec<Gap>) -> Result<Selection, Fault> {
    let regex = fields.text("regex")?;
    let exclude = fields.text("excludeRegex")?;
    let is_semver = fields.flag("semver")? == Some(true);
    fields.finish(gaps);
    let all = |expression: Option<String>| {
        expression.map_or(Vec::new(), |expression| patterns::anywhere(&expression))
    };
    Ok(Selection {
        include: all(regex),
        exclude: all(exclude),
        semver: is_semver.then(|| Semver {
            range: "*".to_owned(),
            prereleases: true,
        }),
        ..Selection::default()
    })
}

/// `destination` stands in front; with `stripPrefix` what is left is what the wildcard stands for.
fn template(prefix: &str, destination: Option<&str>, strips: bool) -> Option<String> {
    let name = match (strips, prefix.split_once('*')) {
        (false, _) | (true, Some(("", _))) => "{repository}",
        (true, Some((before, "*" | ""))) if before.ends_with('/') => {
            // Of `a/*` one component is left.
            let is_deep = prefix.contains("**");
            if is_deep {
                return None;
            }
            "{name}"
        }
        (true, Some(_)) => return None,
        (true, None) => "{name}",
    };
    let destination = destination.unwrap_or_default().trim_matches('/');
    Some(match destination {
        "" => name.to_owned(),
        destination => format!("{destination}/{name}"),
    })
}
