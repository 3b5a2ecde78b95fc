// SPDX-License-Identifier: Apache-2.0

//! Whether destinations still have all that immutable tags lead to: what is taken from the records is looked at now and
//! then. What somebody deleted or broke is copied again.

use futures::{StreamExt, stream};
use jiff::Timestamp;

use crate::copy::{Engine, Error, Origin};
use crate::plan::decide::Decision;
use crate::plan::integrity::LastCheck;
use crate::plan::report::{Failure, Outcome};
use crate::policy::Duration;
use crate::runtime::clock;
use crate::sync::item::{Item, Step, Wholeness};
use crate::sync::mirror_round::MirrorRound;

/// Images that are looked at together. What a registry bears is decided by its own limits.
const CHECKS: usize = 16;

// === the step ===

/// Looks at all that those immutable tags lead to for which it is time, where the tags themselves are right.
pub(in crate::sync) async fn check_integrity(engine: &Engine, round: &mut MirrorRound) {
    let now = clock::now();
    let mirror = round.mirror.clone();
    let due = round.items.iter_mut().filter(|item| {
        let tag = &item.sighting.image.source.tag;
        mirror.immutable.cover(tag) && item.is_due(mirror.immutable.verify_interval, now)
    });
    let checks = due.map(|item| async move {
        let found = item.is_whole(engine).await;
        item.take_check(found, now);
    });
    let checks: Vec<_> = checks.collect();
    stream::iter(checks)
        .buffer_unordered(CHECKS)
        .collect::<()>()
        .await;
}

// === impl Item ===

impl Item {
    /// What came of it: a registry may believe that it has what it lost, and confirm what it does not store.
    pub(in crate::sync) async fn look_after(&self, engine: &Engine, outcome: Outcome) -> Outcome {
        let is_pushed = matches!(outcome, Outcome::Copied { .. } | Outcome::Retagged { .. });
        if self.wholeness != Wholeness::Damaged || !is_pushed {
            return outcome;
        }
        let claim = self.sighting.claim.to_string();
        match self.is_whole(engine).await {
            Ok(true) => outcome,
            Ok(false) => Outcome::Failed(Failure::unmended(&claim)),
            Err(error) => Outcome::Failed(Failure::copying(&claim, &error)),
        }
    }

    /// Whether the tag was found right, and what it leads to was not looked at for so long.
    fn is_due(&self, interval: Duration, now: Timestamp) -> bool {
        let Self { sighting, step, .. } = self;
        let is_there = matches!(step, Step::Decided(Decision::Unchanged));
        let last = sighting.recorded.as_ref().map(|record| LastCheck {
            image: &sighting.image.digest,
            at: record.seen_whole_at(),
        });
        is_there && last.is_none_or(|last| last.is_over(interval, now))
    }

    async fn is_whole(&self, engine: &Engine) -> Result<bool, Error> {
        let sighting = &self.sighting;
        let there = Origin {
            endpoint: sighting.endpoint.clone(),
            repository: sighting.claim.repository.clone(),
        };
        let platforms = &sighting.image.shape.platforms;
        engine.is_whole(&there, &sighting.expected, platforms).await
    }

    fn take_check(&mut self, found: Result<bool, Error>, now: Timestamp) {
        let claim = self.sighting.claim.to_string();
        match found {
            Ok(true) => self.wholeness = Wholeness::Whole(now),
            Ok(false) => {
                tracing::warn!(
                    tag = claim,
                    "something that the tag leads to is gone: it is copied again"
                );
                // A tag over something incomplete is none.
                self.sighting.current = None;
                self.wholeness = Wholeness::Damaged;
                self.step = Step::Decided(Decision::Copy);
            }
            Err(error) => self.step = Step::Unseen(Failure::copying(&claim, &error)),
        }
    }
}
