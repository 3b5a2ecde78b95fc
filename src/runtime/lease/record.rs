// SPDX-License-Identifier: Apache-2.0

//! The object itself: what is written into it. Whatever else stands in it is kept.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;

use super::settings::Settings;

/// How long a lease without a holder is held.
const RELEASED: Duration = Duration::from_secs(1);

/// Who holds the lease, if anybody.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref()?;
    (!holder.is_empty()).then_some(holder)
}

/// How long its holder may count on the lease after each renewal.
pub(super) fn duration(lease: &Lease) -> Option<Duration> {
    let seconds = lease.spec.as_ref()?.lease_duration_seconds?;
    Some(Duration::from_secs(seconds.try_into().ok()?))
}

/// A lease that did not exist.
pub(super) fn created(settings: &Settings, now: Timestamp) -> Lease {
    let nobodys = Lease {
        metadata: ObjectMeta {
            namespace: Some(settings.namespace.clone()),
            name: Some(settings.name.clone()),
            ..ObjectMeta::default()
        },
        spec: None,
    };
    write(&nobodys, |spec| {
        hold(spec, settings, now);
        spec.acquire_time = Some(MicroTime(now));
        spec.lease_transitions = Some(0);
    })
}

/// The lease with another holder.
pub(super) fn taken(lease: &Lease, settings: &Settings, now: Timestamp) -> Lease {
    write(lease, |spec| {
        hold(spec, settings, now);
        spec.acquire_time = Some(MicroTime(now));
        let transitions = spec.lease_transitions.unwrap_or_default();
        spec.lease_transitions = Some(transitions.saturating_add(1));
    })
}

/// The lease with the same holder.
pub(super) fn renewed(lease: &Lease, settings: &Settings, now: Timestamp) -> Lease {
    write(lease, |spec| hold(spec, settings, now))
}

/// The lease without a holder.
pub(super) fn released(lease: &Lease, now: Timestamp) -> Lease {
    write(lease, |spec| {
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(seconds(RELEASED));
        spec.renew_time = Some(MicroTime(now));
    })
}

fn hold(spec: &mut LeaseSpec, settings: &Settings, now: Timestamp) {
    spec.holder_identity = Some(settings.identity.to_string());
    spec.lease_duration_seconds = Some(seconds(settings.timing.duration()));
    spec.renew_time = Some(MicroTime(now));
}

fn write(lease: &Lease, change: impl FnOnce(&mut LeaseSpec)) -> Lease {
    let mut lease = lease.clone();
    change(lease.spec.get_or_insert_default());
    lease
}

/// Whole seconds, rounded up: the record must not promise less than is kept.
fn seconds(duration: Duration) -> i32 {
    let whole = duration.as_millis().div_ceil(1_000);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
