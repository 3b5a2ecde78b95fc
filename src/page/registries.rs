// SPDX-License-Identifier: Apache-2.0

//! The registries that mirrors name: whether they answer, how long they are left alone, and what failed there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bounded::Bounded;
use super::text::Text;
use crate::api::ImageMirror;
use crate::api::image_mirror::{DestinationStatus, FailureStatus, Reachable};
use crate::oci::Registry;

/// How a registry behaved since the process began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryTraffic {
    /// The registry.
    pub registry: Registry,
    /// Until when it is left alone, because it asked for that or does not answer.
    pub paused_until: Option<Timestamp>,
    /// Whether it answered the last request.
    pub is_answering: bool,
    /// Requests that it got.
    pub requests: u64,
    /// Of these, those that it refused since they were too many.
    pub refused: u64,
    /// Of these, those that it did not answer.
    pub unanswered: u64,
}

/// A registry in the table.
#[derive(Debug)]
pub(super) struct RegistryLine {
    pub(super) name: Text,
    pub(super) mirrors: Text,
    pub(super) class: &'static str,
    pub(super) state: Text,
    pub(super) requests: Text,
    pub(super) failures: Text,
}

/// What mirrors know of a registry.
#[derive(Default)]
struct Known<'a> {
    sources: usize,
    destinations: usize,
    /// Whether it answered the last round that asked it, as far as any did.
    reached: Option<bool>,
    failed: i64,
    example: Option<&'a FailureStatus>,
}

/// The registries that the mirrors name, those in trouble first.
pub(super) fn registry_lines<'a>(
    mirrors: impl Iterator<Item = &'a ImageMirror>,
    traffic: &[RegistryTraffic],
    now: Timestamp,
) -> Bounded<RegistryLine> {
    let mut known: BTreeMap<String, Known<'a>> = BTreeMap::new();
    for mirror in mirrors {
        observe_source(mirror, &mut known);
        observe_destinations(mirror, &mut known);
    }
    let named = known.into_iter();
    let mut looked: Vec<_> = named
        .map(|(name, known)| {
            let mut own = traffic.iter();
            let own = own.find(|traffic| traffic.registry.to_string() == name);
            let state = State::of(&known, own, now);
            (state, known.failed == 0, name, known, own)
        })
        .collect();
    looked.sort_by(|left, right| (left.0, left.1, &left.2).cmp(&(right.0, right.1, &right.2)));
    Bounded::of(looked, |(state, _, name, known, own)| RegistryLine {
        name: Text::of(&name),
        mirrors: Text::of(&known.roles()),
        class: state.class(),
        state: Text::of(&state.words()),
        requests: Text::of(&own.map(requests).unwrap_or_default()),
        failures: Text::of(&known.failures()),
    })
}

fn observe_source<'a>(mirror: &'a ImageMirror, known: &mut BTreeMap<String, Known<'a>>) {
    let Some(name) = name(&mirror.spec.source.registry) else {
        return;
    };
    let known = known.entry(name).or_default();
    known.sources += 1;
    let failures = mirror.status.iter().flat_map(|status| &status.failures);
    for failure in failures.filter(|failure| failure.destination.is_none()) {
        known.failed += 1;
        known.example.get_or_insert(failure);
    }
}

fn observe_destinations<'a>(mirror: &'a ImageMirror, known: &mut BTreeMap<String, Known<'a>>) {
    for destination in &mirror.spec.destinations {
        let Some(name) = name(&destination.registry) else {
            continue;
        };
        let known = known.entry(name).or_default();
        known.destinations += 1;
        let Some(status) = &mirror.status else {
            continue;
        };
        let mut own = status.destinations.iter();
        if let Some(own) = own.find(|own| own.name == destination.name) {
            known.observe(own);
        }
        let mut failures = status.failures.iter();
        let of_it =
            |failure: &&FailureStatus| failure.destination.as_deref() == Some(&*destination.name);
        if let Some(failure) = failures.find(of_it) {
            known.example.get_or_insert(failure);
        }
    }
}

/// The name of a registry as it is shown; none where it is not one.
fn name(registry: &str) -> Option<String> {
    let registry: Registry = registry.parse().ok()?;
    Some(registry.to_string())
}

fn requests(traffic: &RegistryTraffic) -> String {
    let RegistryTraffic {
        registry: _,
        paused_until: _,
        is_answering: _,
        requests,
        refused,
        unanswered,
    } = traffic;
    format!("{requests}, {refused} refused, {unanswered} unanswered")
}

// === impl Known ===

impl Known<'_> {
    fn observe(&mut self, status: &DestinationStatus) {
        self.failed += i64::from(status.failed);
        self.reached = match (self.reached, status.reachable) {
            (reached, Reachable::Unknown) => reached,
            (_, Reachable::False) | (Some(false), Reachable::True) => Some(false),
            (None | Some(true), Reachable::True) => Some(true),
        };
    }

    fn roles(&self) -> String {
        match (self.sources, self.destinations) {
            (sources, 0) => format!("source of {sources}"),
            (0, destinations) => format!("destination of {destinations}"),
            (sources, destinations) => {
                format!("source of {sources}, destination of {destinations}")
            }
        }
    }

    fn failures(&self) -> String {
        let Some(FailureStatus {
            reason, message, ..
        }) = self.example
        else {
            return String::new();
        };
        let failed = self.failed.max(1);
        format!("{failed} failed, such as {reason}: {message}")
    }
}

/// How a registry is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Silent,
    Paused(Timestamp),
    Answers,
    Unasked,
}

impl State {
    fn of(known: &Known<'_>, traffic: Option<&RegistryTraffic>, now: Timestamp) -> Self {
        let paused = traffic.and_then(|traffic| traffic.paused_until);
        let answering = traffic.map(|traffic| traffic.is_answering);
        match (
            paused.filter(|until| *until > now),
            answering.or(known.reached),
        ) {
            (Some(until), _) => Self::Paused(until),
            (None, Some(false)) => Self::Silent,
            (None, Some(true)) => Self::Answers,
            (None, None) => Self::Unasked,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Silent => "bad",
            Self::Paused(_) => "wait",
            Self::Answers => "good",
            Self::Unasked => "soft",
        }
    }

    fn words(self) -> String {
        match self {
            Self::Silent => "does not answer".to_owned(),
            Self::Paused(until) => format!("left alone until {until:.0}"),
            Self::Answers => "answers".to_owned(),
            Self::Unasked => "not asked yet".to_owned(),
        }
    }
}
