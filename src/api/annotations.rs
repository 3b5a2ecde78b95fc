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
pub const REQUEST_LENGTH: usize = 2 * VALUE_LENGTH + 1;

/// What the annotations ask for. Where both are written the request contains both values, so that a change
/// of either is a new request.
pub fn requested_at(annotations: &BTreeMap<String, String>) -> Option<String> {
    let values: Vec<String> = [RECONCILE_AT, FLUX_REQUESTED_AT]
        .iter()
        .filter_map(|name| annotations.get(*name))
        .map(|value| value.chars().take(VALUE_LENGTH).collect())
        .collect();
    (!values.is_empty()).then(|| values.join(" "))
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
            requested_at(&annotations)
        };
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("example.com/other", "1")]), None);
        assert_eq!(asked(&[(RECONCILE_AT, "now")]).unwrap(), "now");
        assert_eq!(asked(&[(FLUX_REQUESTED_AT, "2026")]).unwrap(), "2026");
        let both = asked(&[(RECONCILE_AT, "a"), (FLUX_REQUESTED_AT, "b")]);
        assert_eq!(both.unwrap(), "a b");
        let long = "ü".repeat(2 * VALUE_LENGTH);
        let longest = asked(&[(RECONCILE_AT, &long), (FLUX_REQUESTED_AT, &long)]);
        assert_eq!(longest.unwrap().chars().count(), REQUEST_LENGTH);
    }
}
