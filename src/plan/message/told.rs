// SPDX-License-Identifier: Apache-2.0

//! What there is to say of the news of a mirror: the fields that templates name.

use jiff::Timestamp;
use serde::Serialize;

use crate::api::NewsKind;
use crate::api::image_mirror::{FailureStatus, RecentCopy, RefusalStatus};
use crate::api::text::{one_line, shorten};
use crate::oci::Digest;
use crate::plan::news::News;
use crate::plan::outbox::Bulletin;

/// Longest summary, in characters.
const SUMMARY_LENGTH: usize = 500;

/// The news of a mirror. What there is no news of is null, so that a template may name it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told<'a> {
    pub(super) namespace: &'a str,
    pub(super) mirror: &'a str,
    /// When the first of it happened.
    pub(super) time: Timestamp,
    pub(super) events: Vec<NewsKind>,
    /// All of it on one line.
    pub(super) summary: String,
    pub(super) new: Option<Images<'a>>,
    pub(super) moved: Option<Images<'a>>,
    pub(super) refused: Option<Vec<Refused<'a>>>,
    pub(super) prune_waits: Option<PruneWaits<'a>>,
    pub(super) failed: Option<Failed<'a>>,
    pub(super) recovered: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Images<'a> {
    pub(super) count: i64,
    pub(super) images: Vec<Copied<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Copied<'a> {
    pub(super) image: &'a str,
    pub(super) destination: &'a str,
    pub(super) digest: &'a Digest,
    pub(super) previous_digest: Option<&'a Digest>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refused<'a> {
    pub(super) image: &'a str,
    pub(super) policy: &'a str,
    pub(super) gate: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PruneWaits<'a> {
    pub(super) plan: &'a Digest,
    pub(super) candidates: i32,
    pub(super) message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failed<'a> {
    pub(super) reason: &'a str,
    pub(super) message: String,
    pub(super) failures: Vec<Failure<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failure<'a> {
    pub(super) image: &'a str,
    pub(super) destination: Option<&'a str>,
    pub(super) reason: &'a str,
    pub(super) message: String,
}

// === impl Told ===

impl<'a> Told<'a> {
    pub(super) fn of(namespace: &'a str, bulletin: &'a Bulletin) -> Self {
        let Bulletin {
            mirror,
            since,
            news,
        } = bulletin;
        let mut told = Self {
            namespace,
            mirror,
            time: *since,
            ..Self::default()
        };
        for news in news {
            told.add(news);
        }
        let words: Vec<String> = news.iter().map(words).collect();
        let summary = format!("{namespace}/{mirror}: {}", words.join("; "));
        told.summary = shorten(&summary, SUMMARY_LENGTH);
        told
    }

    fn add(&mut self, news: &'a News) {
        self.events.push(news.kind());
        match news {
            News::New { count, images } => self.new = Some(Images::of(*count, images)),
            News::Moved { count, images } => self.moved = Some(Images::of(*count, images)),
            News::Refused(refusals) => {
                self.refused = Some(refusals.iter().map(Refused::of).collect());
            }
            News::PruneWaits {
                plan,
                candidates,
                message,
            } => {
                self.prune_waits = Some(PruneWaits {
                    plan,
                    candidates: *candidates,
                    message: one_line(message),
                });
            }
            News::Failed {
                reason,
                message,
                failures,
            } => {
                self.failed = Some(Failed {
                    reason,
                    message: one_line(message),
                    failures: failures.iter().map(Failure::of).collect(),
                });
            }
            News::Recovered => self.recovered = true,
        }
    }
}

/// News in a few words.
fn words(news: &News) -> String {
    match news {
        News::New { count: 1, images } => format!("1 new image{}", first(images)),
        News::New { count, .. } => format!("{count} new images"),
        News::Moved { count: 1, images } => format!("1 tag moved{}", first(images)),
        News::Moved { count, .. } => format!("{count} tags moved"),
        News::Refused(refusals) => match refusals.as_slice() {
            [one] => format!("{} is refused: {}", one.image, one_line(&one.message)),
            more => format!("{} images are refused", more.len()),
        },
        News::PruneWaits { candidates, .. } => {
            format!("a plan to delete tags waits for approval, of {candidates} candidates")
        }
        News::Failed {
            reason, message, ..
        } => format!("not ready: {reason}: {}", one_line(message)),
        News::Recovered => "ready again".to_owned(),
    }
}

fn first(images: &[RecentCopy]) -> String {
    images
        .first()
        .map_or_else(String::new, |copy| format!(": {}", copy.image))
}

impl<'a> Images<'a> {
    fn of(count: i64, images: &'a [RecentCopy]) -> Self {
        let images = images
            .iter()
            .map(|copy| Copied {
                image: &copy.image,
                destination: &copy.destination,
                digest: &copy.digest,
                previous_digest: copy.previous_digest.as_ref(),
            })
            .collect();
        Self { count, images }
    }
}

impl<'a> Refused<'a> {
    fn of(refusal: &'a RefusalStatus) -> Self {
        let RefusalStatus {
            image,
            policy,
            gate,
            reason,
            message,
            mode: _,
        } = refusal;
        Self {
            image,
            policy: policy.as_str(),
            gate,
            reason,
            message: one_line(message),
        }
    }
}

impl<'a> Failure<'a> {
    fn of(failure: &'a FailureStatus) -> Self {
        let FailureStatus {
            image,
            destination,
            reason,
            message,
            attempts: _,
            next_attempt_time: _,
        } = failure;
        Self {
            image,
            destination: destination.as_deref(),
            reason,
            message: one_line(message),
        }
    }
}
