// SPDX-License-Identifier: Apache-2.0

//! Which lease, for whom, and how fast.

use std::fmt;
use std::fs;
use std::time::Duration;

/// Where Linux says the name of the machine, which in a pod is the name of the pod.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";
/// Time between two renewals, as in the controllers of Kubernetes itself.
const RETRY: Duration = Duration::from_secs(2);

/// A lease and somebody who wants it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this process is.
    pub identity: Identity,
    /// The namespace of the lease.
    pub namespace: String,
    /// The name of the lease.
    pub name: String,
    /// How fast everything goes.
    pub timing: Timing,
}

/// The name of a candidate: of one process, never of the next one in the same pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(String);

/// The times of an election. All of them follow from one, so that a claim always ends before the
/// lease runs out, and more than one renewal is tried before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    retry: Duration,
}

// === impl Settings ===

impl Settings {
    /// The lease with this name, for this process, at the usual speed.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            identity: Identity::of_this_process(),
            namespace: namespace.into(),
            name: name.into(),
            timing: Timing::default(),
        }
    }
}

// === impl Identity ===

impl Identity {
    /// The name of the machine or pod and something that no other process has.
    pub fn of_this_process() -> Self {
        let host = fs::read_to_string(HOSTNAME).unwrap_or_default();
        let host = match host.trim() {
            "" => "unknown",
            name => name,
        };
        Self(format!("{host}_{:016x}", fastrand::u64(..)))
    }

    /// The name as it stands in the lease.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What no other process has of the name.
    pub(super) fn ending(&self) -> &str {
        self.0.rsplit('_').next().unwrap_or_default()
    }

    /// The name as it stands in a lease.
    pub(super) fn read(holder: &str) -> Self {
        Self(holder.to_owned())
    }

    /// A name under which processes hold a lease together. None has it as its own, where it has no underscore.
    pub(super) fn of_several(name: &impl fmt::Display) -> Self {
        Self(name.to_string())
    }

    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Timing ===

impl Timing {
    /// The times of an election whose holder renews every `retry`.
    pub fn every(retry: Duration) -> Self {
        Self { retry }
    }

    /// Time between two renewals, and between two looks at somebody else's lease.
    pub fn retry(self) -> Duration {
        self.retry
    }

    /// Time after the last renewal at which the holder stops by itself.
    pub fn renew_deadline(self) -> Duration {
        self.retry * 5
    }

    /// Time after the last renewal at which somebody else may take the lease.
    pub fn duration(self) -> Duration {
        self.renew_deadline() * 3 / 2
    }

    /// The most that one request may take: two fit before the deadline.
    pub(super) fn request_timeout(self) -> Duration {
        self.renew_deadline() / 2
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::every(RETRY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_times_are_those_of_kubernetes() {
        let timing = Timing::default();
        assert_eq!(timing.duration(), Duration::from_secs(15));
        assert_eq!(timing.renew_deadline(), Duration::from_secs(10));
        assert_eq!(timing.retry(), Duration::from_secs(2));
        assert_eq!(timing.request_timeout(), Duration::from_secs(5));
    }

    #[test]
    fn two_processes_of_one_pod_have_two_names() {
        let name = Identity::of_this_process();
        assert_ne!(name, Identity::of_this_process());
        assert!(!name.as_str().contains(char::is_whitespace), "{name}");
    }
}
