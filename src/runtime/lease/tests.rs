// SPDX-License-Identifier: Apache-2.0

//! Elections over a server that fails, with a clock that only moves when all wait.

mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use self::server::{Fault, Link, Server};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// Longer than any of these tests lasts by its own clock.
const PATIENCE: Duration = Duration::from_secs(3_600);

fn settings(identity: &str) -> Settings {
    Settings {
        identity: Identity::named(identity),
        ..Settings::new("system", "transship")
    }
}

async fn acquire(link: &Link, identity: &str) -> Held {
    let never = CancellationToken::new();
    let held = Lease::acquire(link.client.clone(), settings(identity), &never);
    let held = timeout(PATIENCE, held).await.expect("nobody gets it");
    held.expect("nothing cancels it")
}

/// A server, and `a` that holds the lease.
async fn held() -> (Server, Link, Held) {
    let server = Server::default();
    let link = server.connect();
    let held = acquire(&link, "a").await;
    (server, link, held)
}

/// How many seconds `work` took.
async fn seconds(work: impl Future<Output = ()>) -> u64 {
    let began = Instant::now();
    work.await;
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn the_first_candidate_creates_the_lease_and_keeps_it() {
    let (server, _link, held) = held().await;
    let claim = held.claim();
    let began = server.lease().unwrap();
    assert_eq!(began.metadata.namespace.as_deref(), Some("system"));
    let spec = began.spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("a"));
    assert_eq!(spec.lease_duration_seconds, Some(15));
    assert_eq!(spec.lease_transitions, Some(0));
    assert_eq!(spec.acquire_time, spec.renew_time);

    sleep(61 * SECOND).await;
    assert!(claim.is_current());
    assert_eq!(
        server.writes(),
        31,
        "one to begin with and one every two seconds"
    );
    let renewed = server.lease().unwrap().spec.unwrap();
    assert!(renewed.renew_time > spec.renew_time);
    assert_eq!(renewed.acquire_time, spec.acquire_time);
    assert_eq!(renewed.lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_claim_ends_ten_seconds_after_its_last_renewal_whatever_the_server_does() {
    for fault in [Fault::Down, Fault::Silent, Fault::Deaf] {
        let (_server, link, held) = held().await;
        let claim = held.claim();
        // The last renewal is at 2.
        sleep(3 * SECOND).await;
        link.fail(fault);
        sleep(8 * SECOND).await;
        assert!(claim.is_current(), "{fault:?}");
        assert_eq!(seconds(claim.lost()).await, 1, "{fault:?}");
        assert!(!claim.is_current(), "{fault:?}");

        // It does not come back, and a release has nothing to do.
        link.fail(Fault::Nothing);
        sleep(60 * SECOND).await;
        assert!(!claim.is_current(), "{fault:?}");
        held.release().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_failure_is_waited_out() {
    for fault in [Fault::Down, Fault::Silent, Fault::Deaf] {
        let (_server, link, held) = held().await;
        sleep(3 * SECOND).await;
        link.fail(fault);
        sleep(3 * SECOND).await;
        link.fail(Fault::Nothing);
        sleep(60 * SECOND).await;
        assert!(held.claim().is_current(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn changes_that_leave_the_holder_alone_are_kept_and_cost_nothing() {
    let (server, _link, held) = held().await;
    sleep(SECOND).await;
    server.edit(|lease| {
        let labels = lease.metadata.labels.get_or_insert_default();
        labels.insert("team".to_owned(), "platform".to_owned());
    });
    sleep(60 * SECOND).await;
    assert!(held.claim().is_current());
    let labels = server.lease().unwrap().metadata.labels.unwrap();
    assert_eq!(labels["team"], "platform");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_deleted_is_created_again() {
    let (server, _link, held) = held().await;
    sleep(SECOND).await;
    server.delete();
    sleep(60 * SECOND).await;
    assert!(held.claim().is_current());
    assert_eq!(server.holder(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_claim_ends_as_soon_as_somebody_else_is_seen_to_hold_the_lease() {
    let (server, _link, held) = held().await;
    let claim = held.claim();
    sleep(3 * SECOND).await;
    server.edit(|lease| {
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some("somebody".to_owned());
    });
    assert_eq!(seconds(claim.lost()).await, 1, "at the next renewal");
    assert_eq!(server.holder(), "somebody");
    held.release().await.unwrap();
    assert_eq!(server.holder(), "somebody");
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_dead_holder_is_taken_when_it_runs_out() {
    let (server, _link, held) = held().await;
    let claim = held.claim();
    let link = server.connect();
    let next = tokio::spawn(async move { acquire(&link, "b").await });
    sleep(3 * SECOND).await;
    // As good as SIGKILL: nothing is released. The last renewal was at 2, and `b` saw it at 4.
    drop(held);
    let took = seconds(async { drop(next.await.unwrap()) }).await;
    assert!(!claim.is_current());
    assert!((14..=16).contains(&took), "{took}");
    let spec = server.lease().unwrap().spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("b"));
    assert_eq!(spec.lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_the_next_look() {
    let (server, _link, held) = held().await;
    let claim = held.claim();
    let link = server.connect();
    let next = tokio::spawn(async move { acquire(&link, "b").await });
    sleep(3 * SECOND).await;
    held.release().await.unwrap();
    assert_eq!(server.holder(), "");
    assert!(!claim.is_current());
    let took = seconds(async { drop(next.await.unwrap()) }).await;
    assert!(took <= 2, "{took}");
    assert_eq!(server.holder(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_release_survives_a_renewal_whose_answer_was_lost() {
    let (server, link, held) = held().await;
    sleep(SECOND).await;
    link.fail(Fault::Deaf);
    sleep(2 * SECOND).await;
    link.fail(Fault::Nothing);
    held.release().await.unwrap();
    assert_eq!(server.holder(), "");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_answered_says_so() {
    let (_server, link, held) = held().await;
    link.fail(Fault::Silent);
    let error = held.release().await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot update the lease system/transship: the API server did not answer within 5s");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_lease_can_be_told_to_stop() {
    for fault in [Fault::Nothing, Fault::Down, Fault::Silent] {
        let (server, _link, _held) = held().await;
        let link = server.connect();
        link.fail(fault);
        let cancel = CancellationToken::new();
        let waiting = Lease::acquire(link.client.clone(), settings("b"), &cancel);
        let stopping = async {
            sleep(7 * SECOND).await;
            cancel.cancel();
        };
        let (held, ()) = tokio::join!(waiting, stopping);
        assert!(held.is_none(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_without_a_version_is_not_touched() {
    let (server, _link, held) = held().await;
    drop(held);
    server.forget_version();
    let writes = server.writes();
    let mut candidate = Candidate::new(server.connect().client.clone(), settings("b"));
    let error = candidate.turn().await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot use the lease system/transship: it has no resourceVersion, so it cannot be written safely");
    assert_eq!(server.writes(), writes);
}

/// Every claim that there was, and whether one began while another was current.
#[derive(Default)]
struct Claims {
    all: Vec<Claim>,
    overlap: bool,
}

impl Claims {
    fn current(&self) -> usize {
        self.all.iter().filter(|claim| claim.is_current()).count()
    }
}

/// Holds the lease again and again.
async fn contend_forever(link: Arc<Link>, identity: &'static str, claims: Arc<Mutex<Claims>>) {
    loop {
        let held = acquire(&link, identity).await;
        let claim = held.claim();
        {
            let mut claims = claims.lock().unwrap();
            claims.all.push(claim.clone());
            claims.overlap |= claims.current() > 1;
        }
        claim.lost().await;
    }
}

/// Faults of both links, and for how many seconds.
type Weather = Vec<(Fault, Fault, u64)>;

fn weather() -> impl Strategy<Value = Weather> {
    let fault = || {
        prop_oneof![
            3 => Just(Fault::Nothing),
            1 => Just(Fault::Down),
            1 => Just(Fault::Silent),
            1 => Just(Fault::Deaf),
        ]
    };
    prop::collection::vec((fault(), fault(), 1..40_u64), 1..12)
}

/// Lets two candidates contend in this weather. Whether two claims overlapped, and how many are
/// current after it has cleared up.
async fn contend_in(weather: Weather) -> (bool, usize) {
    let (server, claims) = (Server::default(), Arc::<Mutex<Claims>>::default());
    let links = [Arc::new(server.connect()), Arc::new(server.connect())];
    let candidates = links.each_ref().map(Arc::clone).into_iter().zip(["a", "b"]);
    let candidates: Vec<_> = candidates
        .map(|(link, identity)| contend_forever(link, identity, Arc::clone(&claims)))
        .map(|candidate| AbortOnDropHandle::new(tokio::spawn(candidate)))
        .collect();
    let clear = (Fault::Nothing, Fault::Nothing, 40);
    for (first, second, seconds) in weather.into_iter().chain([clear]) {
        links[0].fail(first);
        links[1].fail(second);
        sleep(SECOND * u32::try_from(seconds).unwrap()).await;
    }
    drop(candidates);
    let claims = claims.lock().unwrap();
    (claims.overlap, claims.current())
}

proptest! {
    #[test]
    fn two_candidates_never_act_at_once(weather in weather()) {
        let clock = Builder::new_current_thread().enable_time().start_paused(true).build();
        let (overlap, current) = clock.unwrap().block_on(contend_in(weather));
        prop_assert!(!overlap, "both acted at once");
        prop_assert_eq!(current, 1, "after the storm one acts");
    }
}
