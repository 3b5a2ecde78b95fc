// SPDX-License-Identifier: Apache-2.0

//! Who looks, and which namespaces they may see. The API server is asked once for a token, and not again for a while:
//! views cost it nothing.

mod review;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use self::review::Reviewer;
use super::collected::Visible;
use crate::events::bucket::Bucket;
use crate::runtime::kubernetes::explain;

/// How long what the API server said of a token counts.
const LIFE: Duration = Duration::from_secs(60);
/// Most tokens that are remembered.
const TOKENS: usize = 1_024;
/// Tokens that are asked about at once, and the time in which one more is: anybody can invent them.
const REVIEWS: u32 = 100;
const REVIEW_EVERY: Duration = Duration::from_millis(200);

/// How long a token that was good is asked about again apart from those that nobody has seen.
const MET: Duration = Duration::from_secs(60 * 60);

/// What is remembered of tokens, by what they hash to.
pub(in crate::controller) struct Visitors {
    reviewer: Reviewer,
    state: Mutex<State>,
}

struct State {
    known: HashMap<[u8; 32], Known>,
    pace: Bucket,
    /// When tokens were last seen that are good: whoever invents others does not hold them up.
    met: HashMap<[u8; 32], Instant>,
    pace_of_met: Bucket,
}

struct Known {
    since: Instant,
    /// One of those who come at once asks, the others wait for what comes of it.
    visible: Arc<OnceCell<Option<Visible>>>,
}

/// Why somebody sees nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unseeing {
    /// The API server does not know the token.
    #[error("the cluster does not know this token")]
    Stranger,
    /// Too many tokens come.
    #[error("too many tokens are asked about: come back later")]
    TooMany,
    /// The API server does not say.
    #[error("the API server does not say who this is: {}", explain(.0))]
    Unknown(Box<kube::Error>),
}

// === impl Visitors ===

impl Visitors {
    /// Nobody yet.
    pub(in crate::controller) fn new(client: Client) -> Self {
        Self {
            reviewer: Reviewer::new(client),
            state: Mutex::new(State::new(Instant::now())),
        }
    }

    /// What the owner of a token may see of these namespaces.
    pub(super) async fn visible(
        &self,
        token: &SecretString,
        namespaces: &BTreeSet<String>,
    ) -> Result<Visible, Unseeing> {
        let key: [u8; 32] = Sha256::digest(token.expose_secret()).into();
        let cell = self.lock().cell(key, Instant::now());
        let cell = cell.ok_or(Unseeing::TooMany)?;
        let asked = cell.get_or_try_init(|| self.reviewer.visible(token, namespaces));
        match asked.await {
            Ok(Some(visible)) => {
                self.lock().meet(key, Instant::now());
                Ok(visible.clone())
            }
            Ok(None) => Err(Unseeing::Stranger),
            Err(error) => {
                // The next one counts as another token.
                self.lock().known.remove(&key);
                Err(Unseeing::Unknown(Box::new(error)))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn new(now: Instant) -> Self {
        let pace = || Bucket::new(REVIEWS, REVIEW_EVERY, now);
        Self {
            known: HashMap::new(),
            pace: pace(),
            met: HashMap::new(),
            pace_of_met: pace(),
        }
    }

    /// Takes note that a token is good.
    fn meet(&mut self, key: [u8; 32], now: Instant) {
        self.met.retain(|_, met| now.duration_since(*met) < MET);
        if self.met.len() < TOKENS || self.met.contains_key(&key) {
            self.met.insert(key, now);
        }
    }

    /// What is known of a token, or room for it; none where too many came.
    fn cell(&mut self, key: [u8; 32], now: Instant) -> Option<Arc<OnceCell<Option<Visible>>>> {
        self.known
            .retain(|_, known| now.duration_since(known.since) < LIFE);
        if let Some(known) = self.known.get(&key) {
            return Some(known.visible.clone());
        }
        let pace = if self.met.contains_key(&key) {
            &mut self.pace_of_met
        } else {
            &mut self.pace
        };
        if !pace.take(1, now) {
            return None;
        }
        if self.known.len() >= TOKENS {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.since);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.known.remove(&oldest);
            }
        }
        let visible = Arc::new(OnceCell::new());
        let known = Known {
            since: now,
            visible: visible.clone(),
        };
        self.known.insert(key, known);
        Some(visible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> [u8; 32] {
        Sha256::digest(number.to_string()).into()
    }

    #[test]
    fn a_token_is_asked_about_once_in_its_life() {
        let now = Instant::now();
        let mut state = State::new(now);
        let first = state.cell(key(0), now).unwrap();
        let again = |state: &mut State, now| Arc::ptr_eq(&first, &state.cell(key(0), now).unwrap());
        assert!(again(&mut state, now + LIFE / 2));
        assert!(!again(&mut state, now + LIFE));
    }

    #[test]
    fn invented_tokens_hold_up_nobody_whose_token_is_good() {
        let now = Instant::now();
        let mut state = State::new(now);
        assert!(state.cell(key(0), now).is_some());
        state.meet(key(0), now);
        let later = now + LIFE;
        for number in 1..10_000 {
            state.cell(key(number), later);
        }
        assert!(state.cell(key(10_000), later).is_none());
        assert!(state.cell(key(0), later).is_some());
    }

    #[test]
    fn invented_tokens_are_bounded() {
        let now = Instant::now();
        let mut state = State::new(now);
        let asked = (0..10_000).filter(|number| state.cell(key(*number), now).is_some());
        assert_eq!(asked.count(), REVIEWS as usize);
        assert!(state.cell(key(0), now).is_some(), "it is known");
        assert!(state.cell(key(10_001), now + REVIEW_EVERY).is_some());
        let mut all = State::new(now);
        all.pace = Bucket::new(u32::MAX, Duration::ZERO, now);
        for number in 0..2 * TOKENS {
            all.cell(key(number), now);
        }
        assert_eq!(all.known.len(), TOKENS);
    }
}
