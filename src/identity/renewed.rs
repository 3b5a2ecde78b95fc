// SPDX-License-Identifier: Apache-2.0

//! Something that ends, renewed in time and asked for once, however many want it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use super::error::Error;
use super::life::Lasting;

/// Of its life this part is used, in percent: the rest is for a cloud that does not answer for a while.
const USED_PERCENT: u32 = 80;
/// How long a failure is remembered.
const REMEMBERED: Duration = Duration::from_secs(5);
/// What is refused so soon after it was given out would be refused again.
const NEW: Duration = Duration::from_secs(60);

/// Something that ends.
pub(super) struct Renewed<T> {
    slot: Mutex<Slot<T>>,
    is_refused: AtomicBool,
    is_outdated: AtomicBool,
}

struct Slot<T> {
    kept: Option<Kept<T>>,
    failed: Option<(Error, Instant)>,
}

struct Kept<T> {
    value: T,
    fetched: Instant,
    renew_at: Instant,
    ends_at: Instant,
}

impl<T> Default for Renewed<T> {
    fn default() -> Self {
        Self {
            slot: Mutex::new(Slot {
                kept: None,
                failed: None,
            }),
            is_refused: AtomicBool::new(false),
            is_outdated: AtomicBool::new(false),
        }
    }
}

impl<T: Clone> Renewed<T> {
    /// What is kept, or what `fetch` gives. Who asks meanwhile waits for that.
    ///
    /// When it cannot be renewed, what is kept is used until it ends.
    pub(super) async fn get(
        &self,
        fetch: impl AsyncFnOnce() -> Result<Lasting<T>, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.slot.lock().await;
        let now = Instant::now();
        if self.is_refused.swap(false, Relaxed) {
            slot.kept.take_if(|kept| now - kept.fetched >= NEW);
        }
        if self.is_outdated.swap(false, Relaxed)
            && let Some(kept) = &mut slot.kept
            && now - kept.fetched >= NEW
        {
            kept.renew_at = now;
        }
        if let Some(kept) = &slot.kept
            && now < kept.renew_at
        {
            return Ok(kept.value.clone());
        }
        let failed = match &slot.failed {
            Some((error, until)) if now < *until => error.clone(),
            Some(_) | None => match fetch().await {
                Ok(lasting) => return Ok(slot.keep(lasting)),
                Err(error) => {
                    slot.failed = Some((error.clone(), Instant::now() + REMEMBERED));
                    if slot.kept.is_some() {
                        warn!(%error, "what was given out could not be renewed: it is used until it ends");
                    }
                    error
                }
            },
        };
        match &slot.kept {
            Some(kept) if Instant::now() < kept.ends_at => Ok(kept.value.clone()),
            Some(_) | None => Err(failed),
        }
    }

    /// Says that there may be something newer. What is kept is used until that is there.
    pub(super) fn outdated(&self) {
        self.is_outdated.store(true, Relaxed);
    }

    /// Says that what was given out last was refused.
    pub(super) fn refused(&self) {
        self.is_refused.store(true, Relaxed);
    }
}

impl<T: Clone> Slot<T> {
    fn keep(&mut self, lasting: Lasting<T>) -> T {
        let Lasting { value, life } = lasting;
        let now = Instant::now();
        self.failed = None;
        self.kept = Some(Kept {
            value: value.clone(),
            fetched: now,
            renew_at: now + life * USED_PERCENT / 100,
            ends_at: now + life,
        });
        value
    }
}

impl<T> fmt::Debug for Renewed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Renewed")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Gives out its own count, or fails.
    struct Cloud {
        asked: AtomicU32,
        is_down: AtomicBool,
    }

    impl Cloud {
        fn new() -> Self {
            Self {
                asked: AtomicU32::new(0),
                is_down: AtomicBool::new(false),
            }
        }

        async fn get(&self, renewed: &Renewed<u32>, life: Duration) -> Option<u32> {
            let fetch = async || {
                sleep(Duration::from_millis(10)).await;
                let value = self.asked.fetch_add(1, Relaxed);
                if self.is_down.load(Relaxed) {
                    let server = "cloud".to_owned();
                    return Err(Error::RateLimited { server });
                }
                Ok(Lasting { value, life })
            };
            renewed.get(fetch).await.ok()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_for_all_who_wait_and_a_new_one_at_80_percent() {
        let (cloud, renewed) = (Cloud::new(), Renewed::default());
        let all = join_all((0..100).map(|_| cloud.get(&renewed, HOUR))).await;
        assert_eq!(all, vec![Some(0); 100]);
        advance(HOUR * 79 / 100).await;
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(0));
        advance(HOUR / 100).await;
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cloud_that_is_down_is_asked_every_five_seconds_and_what_is_there_is_used_to_its_end()
    {
        let (cloud, renewed) = (Cloud::new(), Renewed::default());
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(0));
        cloud.is_down.store(true, Relaxed);
        advance(HOUR * 9 / 10).await;
        for _ in 0..10 {
            assert_eq!(cloud.get(&renewed, HOUR).await, Some(0));
        }
        assert_eq!(cloud.asked.load(Relaxed), 2);
        advance(HOUR / 10).await;
        assert_eq!(cloud.get(&renewed, HOUR).await, None);
        cloud.is_down.store(false, Relaxed);
        advance(REMEMBERED).await;
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_given_out_anew_unless_it_is_new() {
        let (cloud, renewed) = (Cloud::new(), Renewed::default());
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(0));
        renewed.refused();
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(0));
        advance(NEW).await;
        renewed.refused();
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(1));
        assert_eq!(cloud.get(&renewed, HOUR).await, Some(1));
    }
}
