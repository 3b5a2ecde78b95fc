// SPDX-License-Identifier: Apache-2.0

//! What is kept for each scope: its token, or for some seconds why there is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync;
use tokio::time::Instant;

use super::authorization::Authorization;
use super::error::Error;
use super::method::Method;
use super::scope::Scope;

/// How long a failure is remembered. Whoever waited for the same answer gets it without asking again.
const REMEMBERED: Duration = Duration::from_secs(5);
/// The longest that a token server is left alone at its own wish.
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);
/// A token that is refused so soon did not expire: a new one would be refused as well.
const FRESH: Duration = Duration::from_secs(1);
/// From so many scopes on, those without a live token are dropped: pairs of repositories are many.
const SCOPES: usize = 4_096;

/// The entries of all scopes, each behind its own lock: who holds it asks the token server for all who wait.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<Scope, Slot>>);

/// One entry and the queue for it.
pub(super) type Slot = Arc<sync::Mutex<Entry>>;

/// What is kept for one scope.
#[derive(Default)]
pub(super) struct Entry {
    /// What the last challenge for this scope asked for.
    pub(super) method: Option<Method>,
    /// Why there was none lately.
    pub(super) remembered: Remembered,
    /// Whether the registry has said what it wants for this scope. Until then all of it is a guess.
    pub(super) is_challenged: bool,
    /// What the registry wants a token for, where that is not the scope itself.
    demanded: Option<Scope>,
    token: Option<Token>,
}

struct Token {
    authorization: Authorization,
    fetched: Instant,
    renew_at: Instant,
}

/// A failure that is still true.
#[derive(Default)]
pub(super) struct Remembered(Option<(Error, Instant)>);

// === impl Memory ===

impl Memory {
    /// The entry of a scope.
    pub(super) fn slot(&self, scope: &Scope) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(scope) {
            return Arc::clone(slot);
        }
        if slots.len() >= SCOPES {
            slots.retain(|_, slot| is_needed(slot));
        }
        let slot = Slot::default();
        slots.insert(scope.clone(), Arc::clone(&slot));
        slot
    }
}

/// Whether somebody uses an entry, or will not want to ask for its token again.
fn is_needed(slot: &Slot) -> bool {
    slot.try_lock()
        .map_or(true, |entry| entry.token().is_some())
}

// === impl Entry ===

impl Entry {
    /// The token, as long as it is good.
    pub(super) fn token(&self) -> Option<Authorization> {
        self.token
            .as_ref()
            .filter(|token| Instant::now() < token.renew_at)
            .map(|token| token.authorization.clone())
    }

    /// Whether the token is good for so long from now on, as far as any token of the server is: one that
    /// was used for less than half of its life is not worth another one.
    pub(super) fn lasts(&self, lasting: Duration) -> bool {
        self.token.as_ref().is_some_and(|token| {
            let left = token.renew_at.saturating_duration_since(Instant::now());
            left >= lasting || left > token.fetched.elapsed()
        })
    }

    /// Keeps a token as long as it is `usable`.
    pub(super) fn keep(&mut self, authorization: Authorization, usable: Duration) -> Authorization {
        let now = Instant::now();
        self.token = Some(Token {
            authorization: authorization.clone(),
            fetched: now,
            renew_at: now + usable,
        });
        self.remembered = Remembered::default();
        authorization
    }

    /// Follows a challenge. What was kept for another token server is worth nothing now.
    pub(super) fn switch(&mut self, method: Method) {
        if self.method.as_ref() != Some(&method) {
            self.token = None;
            self.method = Some(method);
        }
    }

    /// What a token is asked for.
    pub(super) fn wanted(&self, scope: &Scope) -> Scope {
        self.demanded.as_ref().unwrap_or(scope).clone()
    }

    /// Follows a challenge for other rights. A token for those before, and why there was none, count no more.
    pub(super) fn demand(&mut self, wanted: Scope) {
        self.token = None;
        self.demanded = Some(wanted);
        self.remembered.forget_refusal();
    }

    /// Goes back to the scope itself.
    pub(super) fn reset(&mut self) {
        self.demanded = None;
    }

    /// The token, where it is another one than what was sent.
    pub(super) fn newer(&self, sent: &Authorization) -> Option<Authorization> {
        self.token().filter(|token| !token.is_same(sent))
    }

    /// Whether the token was fetched only just now.
    pub(super) fn is_fresh(&self, authorization: &Authorization) -> bool {
        self.token.as_ref().is_some_and(|token| {
            token.authorization.is_same(authorization) && token.fetched.elapsed() < FRESH
        })
    }

    /// Drops the token if it is this one.
    pub(super) fn forget(&mut self, authorization: &Authorization) {
        self.token
            .take_if(|token| token.authorization.is_same(authorization));
    }
}

// === impl Remembered ===

impl Remembered {
    /// Remembers a failure: some seconds, or as long as the token server wants to be left alone.
    pub(super) fn keep(&mut self, error: &Error) {
        let rest = error.retry_after().unwrap_or_default();
        let until = Instant::now() + rest.clamp(REMEMBERED, LONGEST_REST);
        self.0 = Some((error.clone(), until));
    }

    /// Whether it is true of one scope only.
    pub(super) fn is_refusal(&self) -> bool {
        self.check().is_err_and(|error| error.concerns_one_scope())
    }

    /// Forgets a failure that was true of one scope only.
    fn forget_refusal(&mut self) {
        if self.is_refusal() {
            self.0 = None;
        }
    }

    /// The failure, as long as it is remembered.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.0 {
            Some((error, until)) if Instant::now() < *until => Err(error.clone()),
            Some(_) | None => Ok(()),
        }
    }
}
