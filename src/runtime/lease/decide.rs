// SPDX-License-Identifier: Apache-2.0

//! What to do about a lease, judged by what was seen of it, and when.
//!
//! The times in the record come from the clock of another machine, so they prove nothing. What
//! counts is how long ago this process saw the record change, on its own monotonic clock.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::record;
use super::settings::Identity;

/// What was seen of a lease.
#[derive(Debug, Default)]
pub(super) struct View {
    lease: Option<Lease>,
    /// Until when its last known holder may count on it.
    reserved_until: Option<Instant>,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Step<'view> {
    /// There is no lease: create it.
    Create,
    /// Nobody holds it any more: take it.
    Take(&'view Lease),
    /// It is ours: renew it.
    Renew(&'view Lease),
    /// It is somebody else's until then.
    Wait {
        /// When it runs out, unless it is renewed.
        until: Instant,
    },
}

impl View {
    /// Takes in how the lease looks now. `duration` is the least that a holder may count on.
    pub(super) fn see(
        &mut self,
        lease: Option<Lease>,
        identity: &Identity,
        duration: Duration,
        now: Instant,
    ) {
        let changed = |lease: &Lease| {
            let before = self.lease.as_ref();
            before.is_none_or(|before| before.spec != lease.spec)
        };
        self.reserved_until = match &lease {
            // A holder whose lease is deleted may not know it yet.
            None => self.reserved_until,
            Some(lease) => match record::holder(lease) {
                Some(holder) if holder == identity.as_str() => None,
                Some(_) if changed(lease) => {
                    let promised = record::duration(lease).unwrap_or_default();
                    Some(now + duration.max(promised))
                }
                Some(_) => self.reserved_until,
                None => None,
            },
        };
        self.lease = lease;
    }

    /// The lease, if it is held under this identity.
    pub(super) fn own(&self, identity: &Identity) -> Option<&Lease> {
        let lease = self.lease.as_ref()?;
        (record::holder(lease) == Some(identity.as_str())).then_some(lease)
    }
}

/// What somebody with this identity does about the lease.
pub(super) fn decide<'view>(view: &'view View, identity: &Identity, now: Instant) -> Step<'view> {
    if let Some(until) = view.reserved_until.filter(|until| now < *until) {
        return Step::Wait { until };
    }
    match (&view.lease, view.own(identity)) {
        (_, Some(own)) => Step::Renew(own),
        (Some(lease), None) => Step::Take(lease),
        (None, None) => Step::Create,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::runtime::lease::settings::Settings;

    /// What was done before (`second look, second look`), when it is decided, and what.
    type Case = (&'static str, &'static str, u64, &'static str);

    /// A lease that is `missing`, `blank` or `released`, or held: `b@7` by b, who renewed it at 7 by
    /// a clock of its own, `b+60` by b for 60 seconds.
    fn lease(look: &str) -> Option<Lease> {
        let held = |holder: &str, renewed: &str| {
            let mut settings = Settings::new("system", "transship");
            settings.identity = Identity::named(holder);
            let renewed = Timestamp::from_second(renewed.parse().unwrap()).unwrap();
            record::created(&settings, renewed)
        };
        let lease = match look {
            "missing" => return None,
            "blank" => Lease::default(),
            "released" => record::released(&held("b", "0"), Timestamp::UNIX_EPOCH),
            look => match (look.split_once('@'), look.split_once('+')) {
                (Some((holder, renewed)), _) => held(holder, renewed),
                (None, Some((holder, seconds))) => {
                    let mut lease = held(holder, "0");
                    let spec = lease.spec.get_or_insert_default();
                    spec.lease_duration_seconds = Some(seconds.parse().unwrap());
                    lease
                }
                (None, None) => panic!("{look:?} is no lease"),
            },
        };
        Some(lease)
    }

    /// Compares what candidate `a` does with a lease of at least 15 seconds.
    fn check(cases: &[Case]) {
        for (case, looks, now, expected) in cases {
            let (began, a) = (Instant::now(), Identity::named("a"));
            let at = |second| began + Duration::from_secs(second);
            let mut view = View::default();
            for look in looks.split(", ") {
                let (second, look) = look.split_once(' ').unwrap();
                let second = at(second.parse().unwrap());
                view.see(lease(look), &a, Duration::from_secs(15), second);
            }
            let step = match decide(&view, &a, at(*now)) {
                Step::Create => "create".to_owned(),
                Step::Take(_) => "take".to_owned(),
                Step::Renew(_) => "renew".to_owned(),
                Step::Wait { until } => format!("wait until {}", (until - began).as_secs()),
            };
            assert_eq!(step, *expected, "{case}");
        }
    }

    #[test]
    fn a_lease_that_nobody_holds_is_taken_at_once() {
        check(&[
            ("no lease", "0 missing", 0, "create"),
            ("a lease without a spec", "0 blank", 0, "take"),
            ("a lease without a name in it", "0 @0", 0, "take"),
            ("a released lease", "0 released", 0, "take"),
            ("released meanwhile", "0 b@0, 3 released", 3, "take"),
            (
                "released, then deleted",
                "0 b@0, 3 released, 4 missing",
                4,
                "create",
            ),
        ]);
    }

    #[test]
    fn our_own_lease_is_renewed() {
        check(&[
            ("our own", "0 a@0", 0, "renew"),
            ("after a long sleep", "0 a@0", 99, "renew"),
            ("deleted", "0 a@0, 3 missing", 3, "create"),
            ("lost to somebody", "0 a@0, 3 b@3", 3, "wait until 18"),
        ]);
    }

    #[test]
    fn a_lease_is_its_holders_until_it_did_not_change_for_its_duration() {
        check(&[
            ("at first sight", "0 b@0", 0, "wait until 15"),
            ("just before it runs out", "0 b@0", 14, "wait until 15"),
            ("when it runs out", "0 b@0", 15, "take"),
            ("seen again unchanged", "0 b@0, 10 b@0", 15, "take"),
            ("renewed", "0 b@0, 10 b@10", 15, "wait until 25"),
            ("another holder", "0 b@0, 14 c@14", 15, "wait until 29"),
        ]);
    }

    #[test]
    fn a_holder_may_not_know_that_its_lease_was_deleted() {
        check(&[
            ("just now", "0 b@0, 3 missing", 3, "wait until 15"),
            ("long ago", "0 b@0, 3 missing", 15, "create"),
            (
                "back as it was",
                "0 b@0, 3 missing, 6 b@0",
                15,
                "wait until 21",
            ),
        ]);
    }

    #[test]
    fn the_clocks_of_others_do_not_count() {
        check(&[
            ("an hour ahead", "0 b@3600", 15, "take"),
            ("an hour behind", "0 b@-3600", 14, "wait until 15"),
            (
                "a jump back is a renewal",
                "0 b@3600, 2 b@0",
                15,
                "wait until 17",
            ),
            (
                "a jump ahead is one too",
                "0 b@0, 2 b@3600",
                15,
                "wait until 17",
            ),
        ]);
    }

    #[test]
    fn a_holder_is_granted_what_the_record_promises_but_not_less_than_we_do() {
        check(&[
            ("more", "0 b+60", 15, "wait until 60"),
            ("less", "0 b+1", 1, "wait until 15"),
            ("nonsense", "0 b+-1", 1, "wait until 15"),
            ("the most", "0 b+2147483647", 99, "wait until 2147483647"),
        ]);
    }
}
