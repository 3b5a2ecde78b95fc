// SPDX-License-Identifier: Apache-2.0

//! What mirrors do not want any more and is still there, and why: the end of a report.

use crate::api::image_mirror::PruneMode;
use crate::plan::mirror_home::{MirrorHome, MirrorStep};
use crate::plan::named_mirror::NamedMirror;
use crate::plan::prune::{Fate, Stop};
use crate::plan::report::MirrorReport;
use crate::sync::Report;

/// Why nothing is deleted: one line for each cause, however many mirrors it is of.
pub(super) fn stops(report: &Report) -> String {
    let mut causes: Vec<(&Stop, Vec<&str>)> = Vec::new();
    for mirror in &report.mirrors {
        let Some(stop) = mirror.prune.as_ref().and_then(|prune| prune.stop.as_ref()) else {
            continue;
        };
        match causes.iter_mut().find(|(known, _)| *known == stop) {
            Some((_, mirrors)) => mirrors.push(&mirror.mirror),
            None => causes.push((stop, vec![&mirror.mirror])),
        }
    }
    let lines = causes
        .into_iter()
        .map(|(Stop { reason, message }, mirrors)| {
            let who = match &mirrors[..] {
                [only] => (*only).to_owned(),
                [first, others @ ..] => format!("{first} and {} more", others.len()),
                [] => String::new(),
            };
            format!("not pruned: {who}: {reason}: {message}\n")
        });
    lines.collect()
}

/// How many tags of each mirror are due, or will be, and how a person looks at them and lets them go.
pub(super) fn due(report: &Report, home: &MirrorHome) -> String {
    let mirrors = report.mirrors.iter();
    mirrors.filter_map(|mirror| due_of(mirror, home)).collect()
}

fn due_of(mirror: &MirrorReport, home: &MirrorHome) -> Option<String> {
    let prune = mirror.prune.as_ref()?;
    let due = prune.count(|fate| *fate == Fate::Due);
    let later = prune.count(|fate| *fate == Fate::Waiting);
    if due + later == 0 {
        return None;
    }
    let tags = |count: usize| match count {
        1 => "1 tag".to_owned(),
        count => format!("{count} tags"),
    };
    let count = match (due, later) {
        (0, later) => format!("{} later", tags(later)),
        (due, 0) => tags(due),
        (due, later) => format!("{}, {later} more later", tags(due)),
    };
    let then = match prune.mode {
        PruneMode::Delete => "with --delete",
        PruneMode::Plan | PruneMode::Retain => "once spec.prune.mode is Delete",
    };
    let name = &mirror.mirror;
    let (namespace, short) = name.split_once('/')?;
    let command = home.how_to(MirrorStep::Approve, &NamedMirror::new(namespace, short));
    Some(format!(
        "to prune: {name}: {count}: {command} shows them and what they take, and deletes them {then}\n"
    ))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::oci::Digest;
    use crate::plan::mirror_home::MirrorFiles;
    use crate::plan::prune::{Cause, PruneReport, PrunedTag, Target};

    /// A mirror with so many tags that are due, and that will be.
    fn pruned(name: &str, mode: PruneMode, due: usize, later: usize) -> MirrorReport {
        let fates = std::iter::repeat_n(Fate::Due, due);
        let fates = fates.chain(std::iter::repeat_n(Fate::Waiting, later));
        let tags = fates.map(|fate| PrunedTag {
            target: Target {
                destination: "eu".to_owned(),
                registry: "eu.example.com".parse().unwrap(),
                repository: "app".parse().unwrap(),
                tag: "1".parse().unwrap(),
            },
            source: "docker.io/library/app:1".to_owned(),
            digest: Digest::sha256(b"1"),
            reason: Cause::NotSelected,
            since: Timestamp::UNIX_EPOCH,
            due: Timestamp::UNIX_EPOCH,
            shared_with: Vec::new(),
            fate,
        });
        let prune = PruneReport {
            mode,
            tags: tags.collect(),
            ..PruneReport::default()
        };
        MirrorReport {
            prune: Some(prune),
            ..MirrorReport::new(name)
        }
    }

    #[test]
    fn a_line_for_each_mirror_of_what_would_go_and_one_for_each_cause_why_nothing_does() {
        let stopped = |name: &str, stop: Stop| {
            let mut mirror = pruned(name, PruneMode::Delete, 0, 0);
            mirror.prune.as_mut().unwrap().stop = Some(stop);
            mirror
        };
        let report = Report {
            mirrors: vec![
                pruned("shop/base", PruneMode::Plan, 3, 0),
                pruned("shop/web", PruneMode::Plan, 1, 2),
                pruned("shop/tools", PruneMode::Delete, 0, 1),
                pruned("shop/still", PruneMode::Plan, 0, 0),
                stopped("shop/a", Stop::unremembered()),
                stopped("shop/b", Stop::by_clock()),
                stopped("shop/c", Stop::unremembered()),
                stopped("shop/d", Stop::unremembered()),
                MirrorReport::new("shop/keeps"),
            ],
        };
        let home = MirrorHome::Files(MirrorFiles {
            flags: "-f mirrors --state state.json".to_owned(),
            is_watched: false,
        });
        insta::assert_snapshot!(stops(&report) + &due(&report, &home), @r"
        not pruned: shop/a and 2 more: PrunePaused: nothing can be deleted, because nothing is remembered of what earlier runs wrote: pass --state FILE to each run
        not pruned: shop/b: PrunePaused: the clock jumped: the time since the last round does not count, and this one deletes nothing
        to prune: shop/base: 3 tags: transship prune -f mirrors --state state.json --mirror shop/base shows them and what they take, and deletes them once spec.prune.mode is Delete
        to prune: shop/web: 1 tag, 2 more later: transship prune -f mirrors --state state.json --mirror shop/web shows them and what they take, and deletes them once spec.prune.mode is Delete
        to prune: shop/tools: 1 tag later: transship prune -f mirrors --state state.json --mirror shop/tools shows them and what they take, and deletes them with --delete
        ");
    }
}
