// SPDX-License-Identifier: Apache-2.0

use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use tokio::time::{sleep, timeout};

use super::*;

/// One step of a work: bytes, whether they are kept, and how long it takes, in milliseconds.
type Step = (usize, bool, u64);

fn memory(own: usize, common: usize, share: usize) -> ReadMemory {
    ReadMemory::new(Bounds { own, common, share })
}

async fn run(steps: &[Step]) -> Result<(), Full> {
    let (done, _kept) = with_room(|| async {
        for (bytes, is_kept, millis) in steps {
            let held = if *is_kept {
                keep(*bytes)?;
                None
            } else {
                Some(hold(*bytes)?)
            };
            sleep(Duration::from_millis(*millis)).await;
            drop(held);
        }
        Ok(())
    })
    .await;
    done
}

/// The most that a work holds at once.
fn peak(steps: &[Step]) -> usize {
    let mut kept = 0;
    let peaks = steps.iter().map(|(bytes, is_kept, _)| {
        let peak = kept + bytes;
        kept += if *is_kept { *bytes } else { 0 };
        peak
    });
    peaks.max().unwrap_or_default()
}

#[tokio::test]
async fn what_is_dropped_is_free_again() {
    let memory = memory(10, 20, 30);
    let account = memory.account("a/a", "a");
    account
        .scope(async {
            let mut held = hold(10).unwrap();
            held.grow(15).unwrap();
            assert_eq!(memory.pool().held(), 25);
            assert_eq!(
                hold(1).unwrap_err(),
                Full::Crowded,
                "the rest is for others"
            );
            assert_eq!(hold(11).unwrap_err(), Full::TooMuch(30));
            drop(held);
            assert_eq!(memory.pool().held(), 0);
            let (kept, all) = with_room(|| async { keep(15) }).await;
            assert_eq!((kept, memory.pool().held()), (Ok(()), 15));
            drop(all);
            assert_eq!(memory.pool().held(), 0);
        })
        .await;
}

#[tokio::test]
async fn who_has_no_account_is_not_counted() {
    let (done, _kept) =
        with_room(|| async { keep(usize::MAX).and_then(|()| hold(usize::MAX)) }).await;
    assert!(done.is_ok());
}

#[tokio::test]
async fn what_is_a_groups_own_is_not_taken_by_others() {
    let memory = memory(10, 20, 30);
    let hog = memory.account("a/hog", "a");
    let _all = hog.scope(async { hold(25).unwrap() }).await;
    let other = memory.account("a/other", "a");
    let own = other.scope(async { (hold(10).is_ok(), hold(11).err()) });
    assert_eq!(own.await, (true, Some(Full::Crowded)));
    let elsewhere = memory.account("b/other", "b");
    assert!(elsewhere.scope(async { hold(15) }).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_work_that_others_leave_too_little_for_waits_and_is_begun_anew() {
    let memory = memory(1, 4, 100);
    let names = ["a/a", "a/b", "b/c"];
    let works = names.map(|name| {
        let account = memory.account(name, name.split('/').next().unwrap_or_default());
        async move { account.scope(run(&[(50, true, 10), (50, true, 10)])).await }
    });
    assert_eq!(join_all(works).await, [Ok(()); 3]);
    assert_eq!(memory.pool().held(), 0);
}

#[tokio::test(start_paused = true)]
async fn turns_go_round_among_accounts() {
    let memory = memory(0, 0, 10);
    let many = memory.account("a/many", "a");
    let flood = (0..100).map(|_| many.scope(run(&[(10, true, 1_000)])));
    let one = memory.account("b/one", "b");
    let modest = async {
        sleep(Duration::from_millis(1)).await;
        let start = tokio::time::Instant::now();
        one.scope(run(&[(10, true, 0)])).await.unwrap();
        start.elapsed()
    };
    let (_, waited) = tokio::join!(join_all(flood), modest);
    assert!(waited <= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_work_that_has_read_all_lets_go_of_its_turn_unless_it_needs_it() {
    // What is held of, and how long the next one waits for the reserve, in seconds.
    let cases = [("the reserve", 30, 3_600), ("what is common", 20, 1)];
    for (name, bytes, expected) in cases {
        let memory = memory(0, 40, 40);
        let (long, next) = (memory.account("a/a", "a"), memory.account("b/b", "b"));
        let hog = memory.account("c/c", "c");
        let all = hog.scope(async { hold(30).unwrap() }).await;
        let lasting = long.scope(async {
            let (done, _) = with_room(|| async {
                tokio::task::yield_now().await;
                keep(bytes)?;
                settle();
                sleep(Duration::from_secs(3_600)).await;
                Ok::<_, Full>(())
            })
            .await;
            done
        });
        let waiting = async {
            sleep(Duration::from_secs(1)).await;
            let start = tokio::time::Instant::now();
            next.scope(run(&[(35, true, 0)])).await.unwrap();
            start.elapsed().as_secs() + 1
        };
        let freeing = async {
            // It is refused first, and has room in what is common when its turn comes.
            tokio::task::yield_now().await;
            (name == "the reserve").then_some(all)
        };
        let (lasted, waited, _held) = tokio::join!(lasting, waiting, freeing);
        assert_eq!((lasted, waited), (Ok(()), expected), "{name}");
    }
}

#[tokio::test]
async fn a_part_of_a_work_does_not_wait_and_gives_back_what_it_kept() {
    let memory = memory(0, 20, 10);
    memory
        .account("a/a", "a")
        .scope(async {
            let (done, _kept) = with_room(|| async {
                keep(4)?;
                let (part, kept) = with_room(|| async { keep(6) }).await;
                assert_eq!(memory.pool().held(), 10);
                drop(kept);
                assert_eq!(memory.pool().held(), 4);
                part
            })
            .await;
            assert_eq!(done, Ok(()));
        })
        .await;
}

proptest! {
    /// Whatever works do in whatever order: each that fits in alone is done in the end, each other one fails with
    /// the bound, and never more is held than there is.
    #[test]
    fn nobody_waits_for_ever_and_nobody_fails_because_of_others(
        bounds in (0_usize..8, 0_usize..40, 1_usize..40),
        works in prop::collection::vec(
            (0_usize..4, 0_usize..3, prop::collection::vec((0_usize..30, any::<bool>(), 0_u64..50), 0..6)),
            1..24,
        ),
    ) {
        let (own, common, share) = bounds;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let memory = memory(own, common, share);
        let accounts: Vec<MemoryAccount> = (0..12)
            .map(|place| memory.account(&format!("{}/{}", place / 3, place % 3), &(place / 3).to_string()))
            .collect();
        let outcomes = runtime.block_on(async {
            let works = works.iter().map(|(group, name, steps)| {
                let account = &accounts[group * 3 + name];
                let (memory, bounds) = (&memory, Bounds { own, common, share });
                async move {
                    let done = account.scope(run(steps)).await;
                    assert!(memory.pool().held() <= 12 * bounds.own + bounds.common);
                    done
                }
            });
            timeout(Duration::from_secs(3_600), join_all(works)).await
        });
        let outcomes = outcomes.expect("somebody waits for ever");
        for ((_, _, steps), outcome) in works.iter().zip(outcomes) {
            let expected = if peak(steps) <= share { Ok(()) } else { Err(Full::TooMuch(share)) };
            prop_assert_eq!(outcome, expected, "{:?}", steps);
        }
        prop_assert_eq!(memory.pool().held(), 0);
    }
}
