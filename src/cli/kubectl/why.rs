// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship why`: whether an image is mirrored, and why not.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::cluster::Cluster;
use super::fields::{field, fields, since};
use super::named::NamedMirror;
use crate::api::Reason;
use crate::cli::args::{ClusterArgs, WhyArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::look::Look;
use crate::cli::output::{Document, Output};
use crate::plan::why::{ImageAnswer, KnownObjects, MirrorAnswer, Whereabouts};
use crate::runtime::clock;

/// The kind of what machines read.
pub(super) const KIND: &str = "ImageAnswer";

impl Document for ImageAnswer {
    const KIND: &'static str = KIND;
}

/// Runs `kubectl transship why`.
pub(super) async fn run(
    args: &WhyArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let cluster = Cluster::connect(place, args.all_namespaces).await?;
    let (mirrors, policies, records) = tokio::try_join!(
        cluster.list(output),
        cluster.list(output),
        cluster.records(output)
    )?;
    let known = KnownObjects {
        mirrors: &mirrors,
        policies: &policies,
        records: &records,
    };
    let answer = ImageAnswer::of(&args.image, known);
    let now = clock::now();
    let place = Searched {
        words: cluster.place(),
        is_all: args.all_namespaces,
    };
    output.print_value(args.output.output, &answer, |answer, look| {
        render(answer, &place, now, look)
    })?;
    Ok(if answer.mirrored {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// Where was looked.
struct Searched {
    words: String,
    is_all: bool,
}

/// One line that answers, and what each mirror says.
fn render(answer: &ImageAnswer, place: &Searched, now: Timestamp, look: Look) -> String {
    let heading = heading(answer);
    if answer.answers.is_empty() {
        let Searched { words, is_all } = place;
        let message = format!("no mirror {words} has this repository in its images");
        let mut next = "add it to the images of a mirror".to_owned();
        if !is_all {
            next.push_str(", or look at other namespaces with -A");
        }
        let lines = [("because", message), ("do", next)];
        return format!("{heading}\n\n{}", fields(lines, look));
    }
    let answers = answer.answers.iter();
    let answers = answers.map(|answer| tell(answer, now, look));
    format!("{heading}\n\n{}", answers.collect::<Vec<_>>().join("\n"))
}

/// Whether the image is mirrored; where the image of another registry is, which one.
fn heading(answer: &ImageAnswer) -> String {
    let ImageAnswer {
        image,
        mirrored,
        elsewhere,
        answers,
    } = answer;
    let word = match (mirrored, answers.iter().any(MirrorAnswer::is_mirrored)) {
        (true, _) => "is mirrored",
        (false, true) => "is mirrored in part",
        (false, false) => return format!("{image} is not mirrored"),
    };
    if !elsewhere {
        return format!("{image} {word}");
    }
    let mirrored = answers.iter().filter(|answer| answer.is_mirrored());
    let sources: BTreeSet<&str> = mirrored
        .filter_map(|answer| answer.source.as_deref())
        .collect();
    let sources = Vec::from_iter(sources).join(", ");
    let sources = if sources.is_empty() {
        "that of another registry"
    } else {
        &sources
    };
    format!("{sources} {word}, {image} is not")
}

fn tell(answer: &MirrorAnswer, now: Timestamp, look: Look) -> String {
    let MirrorAnswer {
        mirror,
        destination,
        source,
        suspended,
        former,
        whereabouts,
    } = answer;
    let at = destination.as_ref();
    let at = at.map_or_else(String::new, |name| format!(", destination {name}"));
    let source = field_or_none("source", source.as_deref(), look);
    let told = describe(whereabouts, now, look);
    let former = field_or_none("note", former.as_deref(), look);
    let next = field_or_none(
        "do",
        next_step(mirror, *suspended, whereabouts).as_deref(),
        look,
    );
    format!("{mirror}{at}\n{source}{told}{former}{next}")
}

fn field_or_none(label: &str, text: Option<&str>, look: Look) -> String {
    text.map_or_else(String::new, |text| field(label, text, look))
}

fn describe(whereabouts: &Whereabouts, now: Timestamp, look: Look) -> String {
    let because = |text: String| field("because", &text, look);
    let ago = |time| since(time, now);
    match whereabouts {
        Whereabouts::Mirrored {
            target,
            digest,
            since: copied,
            verified_by,
            notes,
        } => {
            let head = fields(
                [
                    ("mirrored as", target.clone()),
                    ("digest", digest.to_string()),
                    ("since", copied.map_or_else(String::new, ago)),
                    ("verified by", verified_by.clone().unwrap_or_default()),
                ],
                look,
            );
            let notes = notes.iter().map(|note| field("note", note, look));
            head + &notes.collect::<String>()
        }
        Whereabouts::OtherImage { target, digest } => {
            because(format!("{target} names another image: {digest}"))
        }
        Whereabouts::Copying { target } => because(format!(
            "its copy to {target} has begun, and its end was not seen yet"
        )),
        Whereabouts::Quarantined { until, message } => {
            let until = until.map(at);
            because(format!("quarantined: {message}"))
                + &field_or_none("until", until.as_deref(), look)
        }
        Whereabouts::Refused {
            policy,
            gate,
            reason,
            message,
        } => because(format!("{reason} by policy {policy}, {gate}: {message}")),
        Whereabouts::Failed {
            reason,
            message,
            next_attempt_time,
        } => {
            let next = next_attempt_time.map(at);
            because(format!("{reason}: {message}"))
                + &field_or_none("next attempt", next.as_deref(), look)
        }
        Whereabouts::Pruned { target, deleted_at } => {
            because(format!("{target} was pruned: {}", ago(*deleted_at)))
        }
        Whereabouts::NotSelected { message, .. } => because(format!("not selected: {message}")),
        Whereabouts::Awaited { message } => because(message.clone()),
        Whereabouts::Suspended => {
            because("it is selected, and the mirror is suspended: no round runs".to_owned())
        }
        Whereabouts::Unusable { reason, message } => {
            because(format!("the mirror cannot run: {reason}: {message}"))
        }
    }
}

fn at(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// What to do, where the message does not say it.
fn next_step(mirror: &str, suspended: bool, whereabouts: &Whereabouts) -> Option<String> {
    let (namespace, name) = mirror.split_once('/')?;
    let mirror = NamedMirror::new(namespace, name);
    let round = if suspended { "resume" } else { "sync" };
    match whereabouts {
        Whereabouts::Mirrored { .. }
        | Whereabouts::Quarantined { .. }
        | Whereabouts::Refused { .. } => None,
        Whereabouts::Unusable { reason, .. } => {
            let edit = mirror.edit();
            Some(if *reason == Reason::DependencyNotReady.as_str() {
                format!("make what is missing, or take it out: {edit}")
            } else if *reason == Reason::InvalidSpec.as_str() {
                edit
            } else {
                format!("{}, once that is mended", mirror.command(round))
            })
        }
        Whereabouts::OtherImage { .. } => {
            Some("use the digest above, or a tag that does not move".to_owned())
        }
        Whereabouts::Copying { .. } if suspended => Some(mirror.command("resume")),
        Whereabouts::Copying { .. } => Some(mirror.command("logs")),
        Whereabouts::Failed { .. } => {
            Some(format!("{}, once that is mended", mirror.command(round)))
        }
        Whereabouts::Pruned { .. } => Some(mirror.command("restore")),
        Whereabouts::NotSelected { policies, .. } => {
            let policies = policies
                .iter()
                .map(|policy| format!(", or kubectl -n {namespace} edit impol/{policy}"));
            Some(mirror.edit() + &policies.collect::<String>())
        }
        Whereabouts::Suspended => Some(mirror.command("resume")),
        Whereabouts::Awaited { .. } => Some(mirror.command(round)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::kubectl::cluster::place;
    use crate::cli::kubectl::fixtures::{mirror, now, policy, record};
    use crate::oci::Digest;

    fn here(is_all: bool) -> Searched {
        Searched {
            words: place(Some("platform").filter(|_| !is_all)),
            is_all,
        }
    }

    fn told(image: &str) -> String {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let spec = json!({
            "images": [{"repository": "library/nginx", "policyRefs": [{"name": "stable"}]}],
        });
        let status = json!({
            "tags": {"selected": 3, "synced": 1, "failed": 1, "quarantined": 1},
            "failures": [{
                "image": "registry.example.com/mirror/library/nginx:1.27.4", "destination": "eu", "reason": "Unreachable",
                "message": "it does not answer within 10 s: look whether it runs, and whether this cluster may reach it",
                "attempts": 2, "nextAttemptTime": "2026-11-30T13:00:00Z",
            }],
            "refusals": [{
                "image": "docker.io/library/nginx:1.27.5", "policy": "stable", "gate": "require.user", "reason": "PolicyViolation",
                "message": "runs as root: build it with a user", "mode": "Enforce",
            }],
        });
        let tags = json!({
            "tags": [{
                "tag": "1.27.3", "source": "docker.io/library/nginx:1.27.3", "sourceDigest": digest("1"),
                "digest": digest("1"), "shape": "all", "firstSeen": "2026-11-20T00:00:00Z", "copiedAt": "2026-11-27T12:00:00Z",
                "verifiedBy": {"policy": "stable", "authority": "vendor", "evidence": digest("2")},
                "verifiedAt": "2026-11-27T12:00:00Z",
            }],
            "candidates": [{
                "tag": "1.27.3", "digest": digest("1"), "reason": "NotSelected", "since": "2026-11-29T00:00:00Z",
                "protectedBy": "Deployment shop/web",
            }],
        });
        let stable = policy(
            "stable",
            &json!({"select": {"semver": {"range": ">=1.0", "prereleases": "Exclude"}}}),
        );
        let answer = ImageAnswer::of(
            &image.parse().unwrap(),
            KnownObjects {
                mirrors: &[mirror("base", &spec, &status)],
                policies: &[stable],
                records: &[record(
                    "base",
                    "registry.example.com/mirror/library/nginx",
                    &tags,
                )],
            },
        );
        let look = Look {
            is_wide: false,
            width: Some(100),
        };
        render(&answer, &here(false), now(), look)
    }

    #[test]
    fn what_is_said_of_an_image() {
        let images = [
            "nginx:1.27.3",
            "registry.example.com/mirror/library/nginx:1.27.4",
            "nginx:1.27.5",
            "nginx:1.28.0-rc1",
            "nginx:1.27.9",
            "quay.io/other/app:1",
        ];
        insta::assert_snapshot!(images.map(told).join("\n---\n"));
    }
    #[test]
    fn the_heading_names_what_is_mirrored() {
        let there = Whereabouts::Mirrored {
            target: "registry.example.com/team/db:1".to_owned(),
            digest: Digest::sha256(b"db"),
            since: None,
            verified_by: None,
            notes: Vec::new(),
        };
        let answer = |elsewhere: bool, whereabouts: &Whereabouts| ImageAnswer {
            image: "docker.io/team/db:1".to_owned(),
            mirrored: *whereabouts == there,
            elsewhere,
            answers: vec![MirrorAnswer {
                mirror: "platform/base".to_owned(),
                destination: None,
                source: Some("quay.io/team/db:1".to_owned()),
                suspended: false,
                former: None,
                whereabouts: whereabouts.clone(),
            }],
        };
        for (elsewhere, whereabouts, expected) in [
            (false, &there, "docker.io/team/db:1 is mirrored"),
            (
                true,
                &there,
                "quay.io/team/db:1 is mirrored, docker.io/team/db:1 is not",
            ),
            (
                true,
                &Whereabouts::Suspended,
                "docker.io/team/db:1 is not mirrored",
            ),
        ] {
            assert_eq!(heading(&answer(elsewhere, whereabouts)), expected);
        }
    }

    #[test]
    fn what_to_do_fits_what_is() {
        let not_selected = |policies: &[&str]| Whereabouts::NotSelected {
            message: "left out".to_owned(),
            policies: policies.iter().map(ToString::to_string).collect(),
        };
        let unusable = |reason: Reason| Whereabouts::Unusable {
            reason: reason.to_string(),
            message: "it is so".to_owned(),
        };
        let failed = Whereabouts::Failed {
            reason: "NotFound".to_owned(),
            message: "gone".to_owned(),
            next_attempt_time: None,
        };
        for (suspended, whereabouts, expected) in [
            (false, not_selected(&[]), "kubectl -n shop edit imir/base"),
            (
                false,
                not_selected(&["stable"]),
                "kubectl -n shop edit imir/base, or kubectl -n shop edit impol/stable",
            ),
            (
                false,
                failed.clone(),
                "kubectl transship -n shop sync base, once that is mended",
            ),
            (
                true,
                failed,
                "kubectl transship -n shop resume base, once that is mended",
            ),
            (
                false,
                unusable(Reason::DependencyNotReady),
                "make what is missing, or take it out: kubectl -n shop edit imir/base",
            ),
            (
                false,
                unusable(Reason::InvalidSpec),
                "kubectl -n shop edit imir/base",
            ),
        ] {
            let next = next_step("shop/base", suspended, &whereabouts);
            assert_eq!(next.as_deref(), Some(expected));
        }
    }

    #[test]
    fn whoever_looked_everywhere_is_not_sent_there() {
        let answer = ImageAnswer {
            image: "quay.io/other/app:1".to_owned(),
            mirrored: false,
            elsewhere: false,
            answers: Vec::new(),
        };
        for (is_all, expected) in [(false, true), (true, false)] {
            let told = render(&answer, &here(is_all), now(), Look::default());
            assert_eq!(told.contains("-A"), expected, "{told}");
        }
    }
}
