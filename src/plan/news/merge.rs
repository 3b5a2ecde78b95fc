// SPDX-License-Identifier: Apache-2.0

//! Several news of one mirror in one message: what is told at most once a minute stays small and true.

use super::News;
use crate::api::NewsKind;
use crate::api::image_mirror::{FAILURES, RECENT, REFUSALS};

/// Puts what came later behind what waits. There is one of each kind at the most.
pub fn merge(waiting: &mut Vec<News>, later: Vec<News>) {
    for news in later {
        // A mirror that failed again has not recovered.
        if news.kind() == NewsKind::Failed {
            waiting.retain(|known| known.kind() != NewsKind::Recovered);
        }
        let place = waiting.iter().position(|known| known.kind() == news.kind());
        let news = match place {
            Some(place) => join(waiting.remove(place), news),
            None => news,
        };
        waiting.push(news);
    }
}

/// Two news of one kind as one: lists together, as long as those of a status, and what else is said is that of the later.
fn join(earlier: News, later: News) -> News {
    match (earlier, later) {
        (
            News::New { count, images },
            News::New {
                count: more,
                images: newer,
            },
        ) => News::New {
            count: count.saturating_add(more),
            images: chain(newer, images, RECENT),
        },
        (
            News::Moved { count, images },
            News::Moved {
                count: more,
                images: newer,
            },
        ) => News::Moved {
            count: count.saturating_add(more),
            images: chain(newer, images, RECENT),
        },
        (News::Refused(known), News::Refused(more)) => News::Refused(chain(more, known, REFUSALS)),
        (
            News::Failed {
                failures: known, ..
            },
            News::Failed {
                reason,
                message,
                failures,
            },
        ) => News::Failed {
            reason,
            message,
            failures: chain(failures, known, FAILURES),
        },
        (_, later) => later,
    }
}

fn chain<T: PartialEq>(mut first: Vec<T>, rest: Vec<T>, most: usize) -> Vec<T> {
    for item in rest {
        if first.len() < most && !first.contains(&item) {
            first.push(item);
        }
    }
    first
}
