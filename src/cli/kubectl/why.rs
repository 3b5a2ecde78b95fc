// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship why`: whether an image is mirrored, and why not.

use jiff::Timestamp;

use super::cluster::Cluster;
use super::fields::{field, fields};
use crate::cli::args::{ClusterArgs, WhyArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::look::Look;
use crate::cli::output::{Document, Output};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::why::{ImageAnswer, MirrorAnswer};
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
    let listed = cluster.list_all(output).await?;
    let unreadable = listed
        .unreadable
        .iter()
        .map(|unreadable| &unreadable.mirror);
    let answer = ImageAnswer::of(&args.image, &listed.known()).beside_unreadable(unreadable);
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
    let remarks = answer.remarks().into_iter();
    let mut remarks: String = remarks
        .map(|told| field(told.label, &told.text, look))
        .collect();
    if let Some((what, next)) = answer.silence() {
        let Searched { words, is_all } = place;
        let elsewhere = if *is_all {
            ""
        } else {
            ", or look at other namespaces with -A"
        };
        let lines = [
            ("because", format!("no mirror {words} {what}")),
            ("do", format!("{next}{elsewhere}")),
        ];
        remarks.push_str(&fields(lines, look));
    }
    let answers = answer.answers.iter();
    let answers = answers.map(|answer| tell(answer, now, look));
    let told = [remarks].into_iter().chain(answers);
    let told = told.filter(|part| !part.is_empty());
    format!(
        "{}\n\n{}",
        answer.heading(),
        told.collect::<Vec<_>>().join("\n")
    )
}

fn tell(answer: &MirrorAnswer, now: Timestamp, look: Look) -> String {
    let told = answer.told(&MirrorHome::Cluster, now).into_iter();
    let told: String = told
        .map(|told| field(told.label, &told.text, look))
        .collect();
    format!("{}\n{told}", answer.title())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::kubectl::cluster::place;
    use crate::plan::fixtures::{mirror, now, policy, record};
    use crate::plan::why::KnownObjects;

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
            &KnownObjects::of(
                &[mirror("base", &spec, &status)],
                &[stable],
                &[record(
                    "base",
                    "registry.example.com/mirror/library/nginx",
                    &tags,
                )],
            ),
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
    fn whoever_looked_everywhere_is_not_sent_there() {
        let asked = "quay.io/other/app:1".parse().unwrap();
        let answer = ImageAnswer::of(&asked, &KnownObjects::default());
        for (is_all, expected) in [(false, true), (true, false)] {
            let told = render(&answer, &here(is_all), now(), Look::default());
            assert_eq!(told.contains("-A"), expected, "{told}");
        }
    }
}
