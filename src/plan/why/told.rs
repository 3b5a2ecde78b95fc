// SPDX-License-Identifier: Apache-2.0

//! An answer in words, for whoever shows it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::answer::{ImageAnswer, MirrorAnswer, Whereabouts};
use crate::api::time::since;
use crate::plan::mirror_home::{MirrorHome, MirrorStep};
use crate::plan::named_mirror::NamedMirror;

/// Most mirrors that are named which are not understood.
const UNREADABLE: usize = 5;

/// A part of what a mirror says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is about.
    pub label: &'static str,
    /// What is said, which may come from a registry or a person.
    pub text: String,
}

// === impl ImageAnswer ===

impl ImageAnswer {
    /// Whether the image is mirrored; where the image of another registry is, which one.
    pub fn heading(&self) -> String {
        let Self {
            image,
            typed: _,
            mirrored,
            elsewhere,
            candidates,
            more_candidates: _,
            unseen,
            answers,
        } = self;
        if !candidates.is_empty() {
            return format!("{image} may be several images");
        }
        let is_unseen = !unseen.is_empty()
            || answers
                .iter()
                .any(|answer| matches!(answer.whereabouts, Whereabouts::KnownElsewhere { .. }));
        let word = match (mirrored, answers.iter().any(MirrorAnswer::is_mirrored)) {
            (true, _) => "is mirrored",
            (false, true) => "is mirrored in part",
            (false, false) if is_unseen => {
                return format!("{image} is not mirrored as far as is known here");
            }
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

    /// What is to be known of the answer as a whole: what was taken for what was typed, or what may be meant, and what
    /// it does not go by.
    pub fn remarks(&self) -> Vec<Told> {
        let taken = self.typed.as_ref().map(|typed| Told {
            label: "taken",
            text: format!("{typed} for the only image that fits: {}", self.image),
        });
        let candidates = self.candidates.iter().map(|image| Told {
            label: "perhaps",
            text: image.clone(),
        });
        let more = (self.more_candidates > 0).then(|| Told {
            label: "perhaps",
            text: format!(
                "one of {} more: write more of the name",
                self.more_candidates
            ),
        });
        // Where it is found nobody misses what else there is.
        let unseen = self.unseen.iter().filter(|_| !self.mirrored);
        let unseen = unseen.map(|unseen| Told {
            label: "unseen",
            text: unseen.clone(),
        });
        let told = taken.into_iter().chain(candidates).chain(more);
        told.chain(unseen).collect()
    }

    /// Why no mirror says anything, and what to do; nothing where one does, or where several images may be meant.
    pub fn silence(&self) -> Option<(&'static str, &'static str)> {
        let is_silent = self.answers.is_empty() && self.candidates.is_empty();
        is_silent.then(|| {
            if self.image.starts_with("sha256:") || self.image.contains("@sha256:") {
                (
                    "has a tag on record with this digest",
                    "write the name of the image with its tag",
                )
            } else {
                (
                    "has this repository in its images",
                    "add it to the images of a mirror",
                )
            }
        })
    }

    /// The same where these mirrors are not understood, so that they may have it.
    #[must_use]
    pub fn beside_unreadable<'m>(mut self, mirrors: impl Iterator<Item = &'m NamedMirror>) -> Self {
        let mut names = mirrors.map(ToString::to_string);
        let first: Vec<String> = names.by_ref().take(UNREADABLE).collect();
        if !first.is_empty() {
            let more = match names.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.unseen.push(format!(
                "this version of transship does not understand mirror {}{more}, which may have it",
                first.join(", ")
            ));
        }
        self
    }
}

// === impl MirrorAnswer ===

impl MirrorAnswer {
    /// Which mirror says it, and of which destination.
    pub fn title(&self) -> String {
        let (mirror, destination) = (&self.mirror, self.destination.as_ref());
        destination.map_or_else(
            || mirror.clone(),
            |destination| format!("{mirror}, destination {destination}"),
        )
    }

    /// What it says, part by part, and what to do at the end. Nothing is told empty.
    pub fn told(&self, home: &MirrorHome, now: Timestamp) -> Vec<Told> {
        let source = self.source.clone().map(|source| ("source", source));
        let next = self.next_step(home, now);
        let next = next.map(|next| ("do", next));
        let whereabouts = self.whereabouts.told(now);
        let former = self.former.clone().map(|former| ("note", former));
        let parts = source.into_iter().chain(whereabouts);
        let parts = parts.chain(former).chain(next);
        parts
            .filter(|(_, text)| !text.is_empty())
            .map(|(label, text)| Told { label, text })
            .collect()
    }

    /// What to do, where the message does not say it.
    fn next_step(&self, home: &MirrorHome, now: Timestamp) -> Option<String> {
        let (namespace, name) = self.mirror.split_once('/')?;
        let mirror = NamedMirror::new(namespace, name);
        let how_to = |step| Some(home.how_to(step, &mirror));
        match &self.whereabouts {
            Whereabouts::Mirrored { .. }
            | Whereabouts::Quarantined { .. }
            | Whereabouts::KnownElsewhere { .. }
            | Whereabouts::Refused { .. } => None,
            Whereabouts::Unusable { reason, .. } | Whereabouts::Failed { reason, .. } => {
                Some(home.mend(&mirror, reason, self.suspended))
            }
            Whereabouts::OtherImage { .. } => {
                Some("use the digest above, or a tag that does not move".to_owned())
            }
            Whereabouts::Copying { .. } if self.suspended => how_to(MirrorStep::Resume),
            Whereabouts::Copying { .. } => how_to(MirrorStep::ReadLog),
            Whereabouts::Pruned {
                restorable_until: Some(until),
                ..
            } if *until > now => how_to(MirrorStep::Restore),
            Whereabouts::Pruned { .. } => Some(format!(
                "its time to be restored is over: select it again, where the source has it: {}",
                home.edit(&mirror)
            )),
            Whereabouts::NotSelected { policies, .. } => {
                let policies = policies
                    .iter()
                    .map(|policy| format!(", or {}", home.edit_policy(namespace, policy)));
                Some(home.edit(&mirror) + &policies.collect::<String>())
            }
            Whereabouts::Awaited { .. } if !self.suspended => how_to(MirrorStep::Sync),
            Whereabouts::Suspended | Whereabouts::Awaited { .. } => how_to(MirrorStep::Resume),
        }
    }
}

// === impl Whereabouts ===

impl Whereabouts {
    fn told(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let because = |text: String| vec![("because", text)];
        let at = |time: &Timestamp| format!("{time:.0}");
        match self {
            Self::Mirrored {
                target,
                digest,
                since: copied,
                verified_by,
                notes,
            } => {
                let is = [
                    ("mirrored as", target.clone()),
                    ("digest", digest.to_string()),
                    (
                        "since",
                        copied.map_or_else(String::new, |time| since(time, now)),
                    ),
                    ("verified by", verified_by.clone().unwrap_or_default()),
                ];
                let notes = notes.iter().map(|note| ("note", note.clone()));
                is.into_iter().chain(notes).collect()
            }
            Self::OtherImage { target, digest } => {
                because(format!("{target} names another image: {digest}"))
            }
            Self::Copying { target } => because(format!(
                "its copy to {target} has begun, and its end was not seen yet"
            )),
            Self::Quarantined { until, message } => {
                let mut told = because(format!("quarantined: {message}"));
                told.extend(until.iter().map(|until| ("until", at(until))));
                told
            }
            Self::Refused {
                policy,
                gate,
                reason,
                message,
            } => because(format!("{reason} by policy {policy}, {gate}: {message}")),
            Self::Failed {
                reason,
                message,
                next_attempt_time,
            } => failed(reason, message, *next_attempt_time, now),
            Self::Pruned {
                target,
                deleted_at,
                restorable_until,
            } => pruned(target, *deleted_at, *restorable_until, now),
            Self::NotSelected { message, .. } => because(format!("not selected: {message}")),
            Self::Awaited { message } | Self::KnownElsewhere { message } => {
                because(message.clone())
            }
            Self::Suspended => {
                because("it is selected, and the mirror is suspended: no round runs".to_owned())
            }
            Self::Unusable { reason, message } => {
                because(format!("the mirror cannot run: {reason}: {message}"))
            }
        }
    }
}

fn failed(
    reason: &str,
    message: &str,
    next_attempt: Option<Timestamp>,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let because = format!("{reason}: {message}");
    // What fails as before is not written again: later attempts stand nowhere.
    let next = next_attempt.filter(|next| *next > now);
    let next = next.map(|next| ("next attempt", format!("{next:.0}")));
    [("because", because)].into_iter().chain(next).collect()
}

fn pruned(
    target: &str,
    deleted_at: Timestamp,
    restorable_until: Option<Timestamp>,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let because = format!("{target} was pruned: {}", since(deleted_at, now));
    let until = restorable_until.filter(|until| *until > now);
    let until = until.map(|until| ("restorable", format!("until {until:.0}")));
    [("because", because)].into_iter().chain(until).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::oci::Digest;
    use crate::plan::fixtures::now;

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
            ..ImageAnswer::unknown("docker.io/team/db:1".to_owned())
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
            assert_eq!(answer(elsewhere, whereabouts).heading(), expected);
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
        let failed = |reason: Reason| Whereabouts::Failed {
            reason: reason.to_string(),
            message: "so it is".to_owned(),
            next_attempt_time: None,
        };
        let pruned = |until: &str| Whereabouts::Pruned {
            target: "registry.example.com/app:1".to_owned(),
            deleted_at: "2026-11-20T00:00:00Z".parse().unwrap(),
            restorable_until: Some(until.parse().unwrap()),
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
                pruned("2026-11-30T13:00:00Z"),
                "kubectl transship -n shop restore base",
            ),
            (
                false,
                pruned("2026-11-30T12:00:00Z"),
                "its time to be restored is over: select it again, where the source has it: kubectl -n shop edit imir/base",
            ),
            (
                false,
                failed(Reason::Unreachable),
                "kubectl transship -n shop sync base, once that is mended",
            ),
            (
                true,
                failed(Reason::Unreachable),
                "kubectl transship -n shop resume base, once that is mended",
            ),
            (
                false,
                failed(Reason::NotFound),
                "push what is missing to the source, or take it out: kubectl -n shop edit imir/base",
            ),
            (
                false,
                failed(Reason::DestinationConflict),
                "kubectl -n shop edit imir/base",
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
            let answer = MirrorAnswer {
                mirror: "shop/base".to_owned(),
                destination: None,
                source: None,
                suspended,
                former: None,
                whereabouts,
            };
            let next = answer.next_step(&MirrorHome::Cluster, now());
            assert_eq!(next.as_deref(), Some(expected));
        }
    }
}
