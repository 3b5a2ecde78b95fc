// SPDX-License-Identifier: Apache-2.0

//! Tells on the resource how far a round is while it copies.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::context::Context;
use crate::api::ImageMirror;
use crate::plan::report::{MirrorReport, Outcome, TagReport};
use crate::sync;

/// Shortest time between two writes of the status while a round runs.
pub(super) const WRITE_INTERVAL: Duration = Duration::from_secs(10);

/// What a round has come to so far.
pub(super) struct Progress(Mutex<State>);

struct State {
    report: MirrorReport,
    /// Places in the report by source and target.
    places: HashMap<(String, String), usize>,
    /// Whether there is something to copy at all.
    is_copying: bool,
}

// === impl Progress ===

impl Progress {
    /// A round of a mirror that begins.
    pub(super) fn new(mirror: &str) -> Self {
        Self(Mutex::new(State {
            report: MirrorReport::new(mirror),
            places: HashMap::new(),
            is_copying: false,
        }))
    }

    /// Writes how far the round is, now and then, for as long as it is polled.
    pub(super) async fn tell(&self, object: &ImageMirror, context: &Context) -> Infallible {
        loop {
            tokio::time::sleep(WRITE_INTERVAL).await;
            let Some(report) = self.report() else {
                continue;
            };
            if let Err(error) = context.advance(object, &report).await {
                tracing::warn!(%error, "the progress was not written");
            }
        }
    }

    /// The report so far, where there is something to copy.
    fn report(&self) -> Option<MirrorReport> {
        let state = self.lock();
        state.is_copying.then(|| state.report.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl sync::Observer for Progress {
    fn planned(&self, tags: Vec<TagReport>) {
        let mut state = self.lock();
        state.is_copying = tags
            .iter()
            .any(|tag| matches!(tag.outcome, Outcome::Planned { .. }));
        if state.is_copying {
            state.places = tags.iter().map(key).zip(0..).collect();
            state.report.tags = tags;
        }
    }

    fn finished(&self, _: &str, tag: &TagReport) {
        let mut state = self.lock();
        let place = state.places.get(&key(tag)).copied();
        if let Some(known) = place.and_then(|place| state.report.tags.get_mut(place)) {
            *known = tag.clone();
        }
    }
}

fn key(tag: &TagReport) -> (String, String) {
    (tag.source.clone(), tag.target.clone())
}
