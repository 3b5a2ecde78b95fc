// SPDX-License-Identifier: Apache-2.0

//! What this process knows of mirrors besides what the API server has.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

use super::span::{Span, earlier};
use crate::api::ImageMirror;
use crate::api::image_mirror::ImageMirrorStatus;
use crate::plan::attempts::{Attempts, Outlook};
use crate::plan::status::Tries;
use crate::policy::Schedule;

/// What is known of all mirrors, by `namespace/name`.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<String, Known>>);

/// What is known of a mirror. What is seldom there is on the heap: there are thousands of these.
#[derive(Debug, Default)]
struct Known {
    /// Of another object with the same name nothing is known.
    uid: Option<String>,
    attempts: Attempts,
    /// How often was tried what fails.
    tries: Tries,
    next: Option<Timestamp>,
    has_pending: bool,
    /// What was written and has not come back in a watch yet.
    written: Option<Box<Written>>,
    /// What came of a round and could not be written.
    untold: Option<Box<ImageMirrorStatus>>,
}

#[derive(Debug)]
struct Written {
    resource_version: Option<String>,
    status: ImageMirrorStatus,
}

/// What a decision needs to know.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// The status as it was last written, here or by an earlier process.
    pub(super) status: ImageMirrorStatus,
    /// How often this process tried what fails.
    pub(super) tries: Tries,
    /// When this process means to run the next round.
    pub(super) next: Option<Timestamp>,
    /// Whether an earlier process left pushes whose end nobody saw.
    pub(super) has_pending: bool,
    /// What came of the last round, where it could not be written.
    pub(super) untold: Option<ImageMirrorStatus>,
}

// === impl Memory ===

impl Memory {
    /// What is known of a mirror.
    pub(super) fn read(&self, mirror: &ImageMirror) -> Remembered {
        let mut memory = self.lock();
        let known = known(&mut memory, mirror);
        if known
            .written
            .as_ref()
            .is_some_and(|written| has_seen(mirror, written))
        {
            known.written = None;
        }
        let written = known.written.as_ref().map(|written| &written.status);
        Remembered {
            status: written
                .or(mirror.status.as_ref())
                .cloned()
                .unwrap_or_default(),
            tries: known.tries.clone(),
            next: known.next,
            has_pending: known.has_pending,
            untold: known.untold.as_deref().cloned(),
        }
    }

    /// Takes note of a status that was written.
    pub(super) fn write(&self, mirror: &ImageMirror, status: ImageMirrorStatus) {
        let mut memory = self.lock();
        let known = known(&mut memory, mirror);
        known.untold = None;
        known.written = Some(Box::new(Written {
            resource_version: mirror.resource_version(),
            status,
        }));
    }

    /// Takes note of how often was tried what fails.
    pub(super) fn count(&self, mirror: &ImageMirror, tries: Tries) {
        let mut memory = self.lock();
        known(&mut memory, mirror).tries = tries;
    }

    /// Takes note of what came of a round and could not be written.
    pub(super) fn owe(&self, mirror: &ImageMirror, status: ImageMirrorStatus) {
        let mut memory = self.lock();
        known(&mut memory, mirror).untold = Some(Box::new(status));
    }

    /// Takes note of a round that ended, and says when the next one begins.
    pub(super) fn record(
        &self,
        mirror: &ImageMirror,
        schedule: &Schedule,
        span: Span,
        outlook: Outlook,
    ) -> Option<Timestamp> {
        let Span { began, ended } = span;
        let mut memory = self.lock();
        let known = known(&mut memory, mirror);
        known.attempts.record(began, outlook);
        known.has_pending = false;
        let jitter = fastrand::f64().mul_add(2.0, -1.0);
        known.next = known.attempts.next(schedule, ended, jitter);
        known.next
    }

    /// Takes note of when the first round of this process begins. A time that is only read off the status
    /// of an earlier one moves on by itself, and would never come.
    pub(super) fn resume(&self, mirror: &ImageMirror, next: Timestamp) {
        let mut memory = self.lock();
        known(&mut memory, mirror).next.get_or_insert(next);
    }

    /// Lets the next round of a mirror begin then at the latest; says when it begins.
    pub(super) fn hasten(
        &self,
        mirror: &ImageMirror,
        latest: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let mut memory = self.lock();
        let known = known(&mut memory, mirror);
        known.next = earlier(known.next, latest);
        known.next
    }

    /// Makes a mirror's next round due now.
    pub(super) fn hurry(&self, mirror: &ImageMirror) {
        let mut memory = self.lock();
        known(&mut memory, mirror).next = Some(Timestamp::UNIX_EPOCH);
    }

    /// Takes note that an earlier process left pushes whose end nobody saw.
    pub(super) fn mark_pending(&self, mirror: &str, uid: Option<String>) {
        let mut memory = self.lock();
        let known = memory.entry(mirror.to_owned()).or_default();
        if known.uid != uid {
            *known = Known {
                uid,
                ..Known::default()
            };
        }
        known.has_pending = true;
    }

    /// Forgets a mirror that is no more.
    pub(super) fn forget(&self, mirror: &str) {
        self.lock().remove(mirror);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known<'a>(memory: &'a mut HashMap<String, Known>, mirror: &ImageMirror) -> &'a mut Known {
    let name = name_of(mirror);
    let known = memory.entry(name).or_default();
    if known.uid != mirror.uid() {
        *known = Known {
            uid: mirror.uid(),
            ..Known::default()
        };
    }
    known
}

/// `namespace/name`
pub(super) fn name_of(mirror: &ImageMirror) -> String {
    format!(
        "{}/{}",
        mirror.namespace().unwrap_or_default(),
        mirror.name_any()
    )
}

/// Whether the object, as a watch delivered it, is at least as new as what was written. Versions are
/// numbers that grow; where they are not, the watch is believed.
fn has_seen(mirror: &ImageMirror, written: &Written) -> bool {
    let number = |version: Option<&str>| version.and_then(|text| text.parse::<u128>().ok());
    let seen = number(mirror.metadata.resource_version.as_deref());
    let own = number(written.resource_version.as_deref());
    match (seen, own) {
        (Some(seen), Some(own)) => seen >= own,
        (None, _) | (_, None) => true,
    }
}
