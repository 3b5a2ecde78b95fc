// SPDX-License-Identifier: Apache-2.0

//! Publishes events. What is said again in the same words is counted; other words are another event.
//!
//! kube's own recorder counts by reason alone: `copied 2` would be a second `copied 14`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::runtime::clock;

/// Who events come from.
const CONTROLLER: &str = "transship-controller";
/// Time after which the same words are news again. Kubernetes itself keeps a series for as long.
const SERIES: SignedDuration = SignedDuration::from_mins(6);

/// Publishes events in the name of this process.
#[derive(Clone)]
pub(super) struct Recorder {
    client: Client,
    instance: String,
    published: Arc<Mutex<HashMap<Words, v1::Event>>>,
}

/// What is said of which object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Words {
    uid: Option<String>,
    reason: String,
    note: Option<String>,
}

// === impl Recorder ===

impl Recorder {
    /// A recorder in the name of `instance`.
    pub(super) fn new(client: Client, instance: String) -> Self {
        Self {
            client,
            instance,
            published: Arc::default(),
        }
    }

    /// Publishes an event, or counts it where it was published lately.
    pub(super) async fn publish(
        &self,
        event: &Event,
        about: &ObjectReference,
    ) -> Result<(), kube::Error> {
        let now = clock::now();
        let words = Words::of(event, about);
        let namespace = about.namespace.as_deref().unwrap_or_default();
        let api: Api<v1::Event> = Api::namespaced(self.client.clone(), namespace);
        let published = match self.take(&words, now) {
            None => {
                let new = self.describe(event, about, now);
                api.create(&PostParams::default(), &new).await?
            }
            Some(known) => {
                let count = known.series.as_ref().map_or(1, |series| series.count) + 1;
                let series = json!({"count": count, "lastObservedTime": MicroTime(now)});
                let change = Patch::Merge(json!({"series": series}));
                let parameters = PatchParams::default();
                api.patch(&known.name_any(), &parameters, &change).await?
            }
        };
        self.lock().insert(words, published);
        Ok(())
    }

    /// The event that said this lately. It is put back once it is counted: one that is gone is made anew.
    fn take(&self, words: &Words, now: Timestamp) -> Option<v1::Event> {
        let mut published = self.lock();
        published.retain(|_, event| is_of_late(event, now));
        published.remove(words)
    }

    fn describe(&self, event: &Event, about: &ObjectReference, now: Timestamp) -> v1::Event {
        let Event {
            type_,
            reason,
            note,
            action,
            secondary,
        } = event;
        let type_ = match type_ {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        };
        v1::Event {
            metadata: ObjectMeta {
                // The API server shortens what is too long, and adds what makes it unique.
                generate_name: about.name.as_ref().map(|name| format!("{name}-")),
                namespace: about.namespace.clone(),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            type_: Some(type_.to_owned()),
            reason: Some(reason.clone()),
            note: note.clone(),
            action: Some(action.clone()),
            regarding: Some(about.clone()),
            related: secondary.clone(),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..v1::Event::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Words, v1::Event>> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Words ===

impl Words {
    fn of(event: &Event, about: &ObjectReference) -> Self {
        Self {
            uid: about.uid.clone(),
            reason: event.reason.clone(),
            note: event.note.clone(),
        }
    }
}

fn is_of_late(event: &v1::Event, now: Timestamp) -> bool {
    let series = event.series.as_ref();
    let last = series.map(|series| &series.last_observed_time);
    let last = last.or(event.event_time.as_ref());
    last.is_some_and(|MicroTime(last)| now.duration_since(*last) < SERIES)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::events::v1::EventSeries;

    use super::*;

    #[test]
    fn a_series_goes_on_from_its_last_event() {
        let at = |second| MicroTime(Timestamp::from_second(second).unwrap());
        let is_of_late = |event_time, last: Option<i64>| {
            let event = v1::Event {
                event_time: Some(at(event_time)),
                series: last.map(|last| EventSeries {
                    count: 2,
                    last_observed_time: at(last),
                }),
                ..v1::Event::default()
            };
            is_of_late(&event, at(1000).0)
        };
        assert!(is_of_late(641, None));
        assert!(!is_of_late(640, None));
        assert!(is_of_late(0, Some(641)));
        assert!(!is_of_late(0, Some(640)));
    }
}
