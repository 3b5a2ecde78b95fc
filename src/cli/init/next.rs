// SPDX-License-Identifier: Apache-2.0

//! What came of it, and the commands to try then.

use std::collections::BTreeSet;

use super::sheet::{AUTHORITY, FirstMirror};
use super::speech::Speech;
use crate::api::ObjectName;
use crate::cli::args::{InitArgs, UnwantedTags};
use crate::cli::units;
use crate::oci::Tag;
use crate::plan::Mirror;
use crate::plan::select::Times;

/// Longest command beside which others have their words in one column.
const SHORT: usize = 60;

/// A command, and what it does.
type Step = (String, &'static str);

/// For people.
pub(super) fn steps(
    args: &InitArgs,
    first: &FirstMirror,
    mirror: &Mirror,
    tags: Option<&[Tag]>,
) -> String {
    let file = args.file.display();
    let selected = tags.map_or_else(String::new, |tags| selected(first, mirror, tags));
    let steps = match &first.secret {
        None => here(args, first),
        Some(secret) => in_cluster(args, first, secret),
    };
    // One that is long does not push away what is said of the others.
    let short = steps.iter().map(|(command, _)| command.len());
    let width = short.filter(|length| *length <= SHORT).max();
    let width = width.unwrap_or_default();
    let lines = steps
        .iter()
        .map(|(command, what)| format!("  {command:width$}   # {what}\n"));
    format!(
        "wrote {file}{selected}\n\nNext:\n{}",
        lines.collect::<String>()
    )
}

/// How many of the tags that are there are selected.
fn selected(first: &FirstMirror, mirror: &Mirror, tags: &[Tag]) -> String {
    let entries = mirror.images.iter();
    let wanted = entries.flat_map(|entry| {
        let selected = entry.select(tags, &BTreeSet::new(), &Times::default());
        selected.unwrap_or_default().tags
    });
    let wanted = wanted.filter(|wanted| tags.contains(&wanted.tag)).count();
    let count = units::count(tags.len(), "tag", "tags");
    format!(": it selects {wanted} of the {count} of {}", first.from)
}

/// The commands of a machine that is logged in.
fn here(args: &InitArgs, first: &FirstMirror) -> Vec<Step> {
    let file = args.file.display();
    let is_private = first.speaks(Speech::PrivateAuthority);
    let trust = is_private.then(|| format!(" --ca-file {}", authority(args)));
    let trust = trust.unwrap_or_default();
    // Only what a run remembers of earlier ones is deleted.
    let state = match first.unwanted {
        UnwantedTags::Keep => String::new(),
        UnwantedTags::Plan | UnwantedTags::Delete => format!(" --state {}.state", first.name),
    };
    vec![
        (
            format!("transship plan -f {file}{state}{trust}"),
            "what would be copied, and why",
        ),
        (format!("transship sync -f {file}{state}{trust}"), "copy it"),
        (
            format!("{} apply -f {file}", kubectl(args)),
            "or let the controller of a cluster keep it so",
        ),
    ]
}

/// Those of a cluster.
fn in_cluster(args: &InitArgs, first: &FirstMirror, secret: &ObjectName) -> Vec<Step> {
    let kubectl = kubectl(args);
    let (file, registry, name) = (args.file.display(), &first.to.registry, &first.name);
    let push = (
        format!(
            "{kubectl} create secret docker-registry {secret} --docker-server={registry} --docker-username=… --docker-password=…"
        ),
        "unless it is there",
    );
    let trust = first.speaks(Speech::PrivateAuthority).then(|| {
        let file = authority(args);
        (
            format!("{kubectl} create secret generic {AUTHORITY} --from-file=ca.crt={file}"),
            "whom to trust for it",
        )
    });
    let open = first.speaks(Speech::PlainHttp).then(|| {
        let hosts = first.registries_in(Speech::PlainHttp).join(",");
        (
            format!(
                "helm upgrade transship … --reuse-values --set 'boundaries.insecureHosts={{{hosts}}}'"
            ),
            "plain HTTP is spoken to hosts that the operator names",
        )
    });
    let steps = [
        (
            format!("{kubectl} apply -f {file}"),
            "the controller reads Secrets where the namespace opted in: docs/installation.md#secrets",
        ),
        (
            format!("{kubectl} transship status {name}"),
            "how it is, and what to do",
        ),
    ];
    [push]
        .into_iter()
        .chain(trust)
        .chain(open)
        .chain(steps)
        .collect()
}

/// The file of authorities: that of this run, or one that a person still has to get.
fn authority(args: &InitArgs) -> String {
    let file = args.registry.ca_file.as_ref();
    file.map_or_else(|| "ca.crt".to_owned(), |file| file.display().to_string())
}

fn kubectl(args: &InitArgs) -> String {
    let namespace = args.namespace.as_ref();
    namespace.map_or_else(|| "kubectl".to_owned(), |name| format!("kubectl -n {name}"))
}
