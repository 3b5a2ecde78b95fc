// SPDX-License-Identifier: Apache-2.0

//! What a host turned out to be unable to do.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::oci::Repository;

/// How long a registry is believed to lack something: they are upgraded and set up anew now and then.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// From so many repositories on that say so, it is said of the host.
const WITNESSES: usize = 2;

/// Something that a host turned out to be unable to do, and when.
#[derive(Debug, Default)]
pub(super) struct Inability(Mutex<Option<Instant>>);

/// The same where one repository may have it and another one not: what one says of itself counts for itself.
#[derive(Debug, Default)]
pub(super) struct InabilityOf(Mutex<Vec<(Repository, Instant)>>);

// === impl Inability ===

impl Inability {
    pub(super) fn is_believed(&self) -> bool {
        lock(&self.0).is_some_and(is_fresh)
    }

    pub(super) fn learn(&self) {
        *lock(&self.0) = Some(Instant::now());
    }
}

// === impl InabilityOf ===

impl InabilityOf {
    /// Whether a repository is believed to lack it: by its own word, or by that of several others.
    pub(super) fn is_believed(&self, repository: &Repository) -> bool {
        let mut known = lock(&self.0);
        known.retain(|(_, since)| is_fresh(*since));
        known.len() >= WITNESSES || known.iter().any(|(known, _)| known == repository)
    }

    pub(super) fn learn(&self, repository: &Repository) {
        let mut known = lock(&self.0);
        known.retain(|(known, since)| known != repository && is_fresh(*since));
        if known.len() < WITNESSES {
            known.push((repository.clone(), Instant::now()));
        }
    }
}

fn is_fresh(since: Instant) -> bool {
    since.elapsed() <= MEMORY
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_repository_speaks_for_itself_and_two_for_the_host() {
        let [a, b, c] = ["a", "b", "c"].map(|name| name.parse::<Repository>().unwrap());
        let lack = InabilityOf::default();
        let believed = || [&a, &b, &c].map(|repository| lack.is_believed(repository));
        lack.learn(&a);
        lack.learn(&a);
        assert_eq!(believed(), [true, false, false]);
        advance(MEMORY / 2).await;
        lack.learn(&b);
        lack.learn(&c);
        assert_eq!(believed(), [true, true, true]);
        advance(MEMORY / 2 + Duration::from_secs(1)).await;
        assert_eq!(believed(), [false, true, false]);
        advance(MEMORY / 2).await;
        assert_eq!(believed(), [false, false, false]);
    }
}
