// SPDX-License-Identifier: Apache-2.0

//! Annotations by which a person asks for a round now, or approves a prune plan.

use std::collections::BTreeMap;

/// Asks for a round now: any value that differs from the last one.
pub const RECONCILE_AT: &str = "transship.dev/reconcile-at";
/// The same, as Flux's command line and receivers write it.
pub const FLUX_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// Approves one prune plan: the value is that of `status.prune.plan`, and nothing else is approved.
pub const APPROVE_PRUNE: &str = "transship.dev/approve-prune";

/// Characters of each value that count: the request is repeated in the status.
const VALUE_LENGTH: usize = 253;
/// Longest request, in characters.
pub const REQUEST_LENGTH: usize = VALUE_LENGTH;

/// What the annotations ask for. Each value that differs from the last one asks for a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// The value of transship.dev/reconcile-at, or that of Flux's annotation where it is written alone.
    pub reconcile_at: Option<String>,
    /// The value of Flux's annotation where both are written.
    pub requested_at: Option<String>,
}

impl Requests {
    /// Reads the annotations of an object.
    pub fn of(annotations: &BTreeMap<String, String>) -> Self {
        let read = |name| {
            let value = annotations.get(name)?;
            Some(value.chars().take(VALUE_LENGTH).collect::<String>())
        };
        match (read(RECONCILE_AT), read(FLUX_REQUESTED_AT)) {
            (None, alone) => Self {
                reconcile_at: alone,
                requested_at: None,
            },
            (reconcile_at, requested_at) => Self {
                reconcile_at,
                requested_at,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_annotations_ask_for() {
        let asked = |written: &[(&str, &str)]| {
            let annotations = written
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let Requests {
                reconcile_at,
                requested_at,
            } = Requests::of(&annotations);
            (reconcile_at, requested_at)
        };
        let some = |value: &str| Some(value.to_owned());
        assert_eq!(asked(&[]), (None, None));
        assert_eq!(asked(&[("example.com/other", "1")]), (None, None));
        assert_eq!(asked(&[(RECONCILE_AT, "now")]), (some("now"), None));
        assert_eq!(asked(&[(FLUX_REQUESTED_AT, "2026")]), (some("2026"), None));
        let both = asked(&[(RECONCILE_AT, "a"), (FLUX_REQUESTED_AT, "b")]);
        assert_eq!(both, (some("a"), some("b")));
        let long = "ü".repeat(2 * VALUE_LENGTH);
        let (longest, _) = asked(&[(RECONCILE_AT, &long), (FLUX_REQUESTED_AT, &long)]);
        assert_eq!(longest.unwrap().chars().count(), REQUEST_LENGTH);
    }
}
