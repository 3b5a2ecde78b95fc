// SPDX-License-Identifier: Apache-2.0

//! Who has how much. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::bounds::Bounds;

/// What is held, by account and by group.
#[derive(Debug)]
pub(super) struct Pool {
    bounds: Bounds,
    /// Of their own, by the names of accounts.
    own: HashMap<Arc<str>, usize>,
    /// Of what is common, by the names of groups.
    common: HashMap<Arc<str>, usize>,
}

/// Where bytes were taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    own: usize,
    common: usize,
    reserve: usize,
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) bytes: usize,
    /// What the work holds already.
    pub(super) of_work: usize,
    /// Whether the reserve is the work's.
    pub(super) has_turn: bool,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// One work wants more than any may hold.
    #[error(
        "registries send more at once for one step of this mirror than the {} KiB that it may hold: select less, or let \
         an operator raise --max-read-memory",
        .0 / 1024
    )]
    TooMuch(usize),
    /// Others hold it.
    #[error(
        "other mirrors hold the memory for what registries send: the next round tries again, and an operator can raise \
         --max-read-memory"
    )]
    Crowded,
}

// === impl Pool ===

impl Pool {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            own: HashMap::new(),
            common: HashMap::new(),
        }
    }

    /// Takes all of what is wanted, or nothing.
    pub(super) fn take(
        &mut self,
        account: &Arc<str>,
        group: &Arc<str>,
        wish: Wish,
    ) -> Result<Parts, Full> {
        let Wish {
            bytes,
            of_work,
            has_turn,
        } = wish;
        let most = self.bounds.share;
        if of_work.saturating_add(bytes) > most {
            return Err(Full::TooMuch(most));
        }
        let own_left = self.bounds.own.saturating_sub(held(&self.own, account));
        let own = bytes.min(own_left);
        let rest = bytes - own;
        let parts = if rest <= self.common_left(group) {
            Parts {
                own,
                common: rest,
                reserve: 0,
            }
        } else if has_turn {
            // A work never holds more than its share, and the reserve has as much.
            Parts {
                own,
                common: 0,
                reserve: rest,
            }
        } else {
            return Err(Full::Crowded);
        };
        *self.own.entry(Arc::clone(account)).or_default() += parts.own;
        *self.common.entry(Arc::clone(group)).or_default() += parts.common;
        Ok(parts)
    }

    pub(super) fn give_back(&mut self, account: &Arc<str>, group: &Arc<str>, parts: Parts) {
        lower(&mut self.own, account, parts.own);
        lower(&mut self.common, group, parts.common);
    }

    /// What a group may still take of what is common: three quarters of it at most, so that no group has all of it.
    fn common_left(&self, group: &Arc<str>) -> usize {
        let Bounds { common, .. } = self.bounds;
        let taken: usize = self.common.values().sum();
        let of_group = (common - common / 4).saturating_sub(held(&self.common, group));
        common.saturating_sub(taken).min(of_group)
    }

    /// Bytes that are held beyond the reserve.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.own.values().chain(self.common.values()).sum()
    }
}

// === impl Parts ===

impl Parts {
    pub(super) fn add(&mut self, more: Self) {
        self.own += more.own;
        self.common += more.common;
        self.reserve += more.reserve;
    }

    pub(super) fn of_reserve(&self) -> usize {
        self.reserve
    }

    pub(super) fn total(&self) -> usize {
        self.own + self.common + self.reserve
    }
}

fn held(by: &HashMap<Arc<str>, usize>, name: &Arc<str>) -> usize {
    by.get(name).copied().unwrap_or_default()
}

fn lower(by: &mut HashMap<Arc<str>, usize>, name: &Arc<str>, bytes: usize) {
    if let Some(held) = by.get_mut(name) {
        *held = held.saturating_sub(bytes);
        if *held == 0 {
            by.remove(name);
        }
    }
}
