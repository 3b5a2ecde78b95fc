// SPDX-License-Identifier: Apache-2.0

//! The memory that all who read from peers share, and what it is taken for.
//!
//! Whoever reads has a [`MemoryAccount`]: a mirror in a round. A part of the memory is each account's own, so that
//! ordinary ones never wait. What one needs beyond that comes out of what all have in common, as long as there is
//! any, and three quarters of it at most go to one group of accounts: the mirrors of a namespace. The rest is a reserve for
//! one work at a time.
//!
//! Nobody waits for memory who holds some, or anything else that others wait for: a [work](with_room) that does not
//! get enough is given up as a whole, waits for its turn at the reserve, and is begun anew. An account waits for at
//! most one turn, and turns are given in the order of asking. So there is always a work that can finish, and everybody
//! is next at some time. A work that is too large even for the reserve fails, and nobody else does.
//!
//! Who reads without an account is not counted: the person who runs a one-off command.

mod bounds;
mod pool;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

pub use self::bounds::Bounds;
pub use self::pool::Full;
use self::pool::{Parts, Pool, Wish};

tokio::task_local! {
    /// Whom and what the current task reads for.
    static SCOPE: Scope;
}

/// The memory of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadMemory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Mutex<Pool>,
    /// Held by the work that may use the reserve.
    reserve: Arc<tokio::sync::Mutex<()>>,
}

/// Somebody who reads.
#[derive(Clone, Debug)]
pub struct MemoryAccount {
    memory: ReadMemory,
    name: Arc<str>,
    group: Arc<str>,
    /// Held by its work that waits for the reserve, or has it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The right to the reserve.
type Turn = (OwnedMutexGuard<()>, OwnedMutexGuard<()>);

#[derive(Clone, Debug)]
struct Scope {
    account: MemoryAccount,
    work: Arc<Work>,
    /// What is kept until the work, or this part of it, is done; None outside of works.
    kept: Option<Arc<Mutex<Vec<HeldMemory>>>>,
}

/// One work, with all of its parts.
#[derive(Debug, Default)]
struct Work {
    held: AtomicUsize,
    /// Whether something was refused that it could have once others are done.
    is_crowded: AtomicBool,
    /// What of it is held of the reserve.
    of_reserve: AtomicUsize,
    turn: Mutex<Option<Turn>>,
    /// Whether the turn is kept until the end.
    keeps_turn: bool,
}

/// Bytes that are held. They are free again when this is dropped.
#[derive(Debug, Default)]
pub struct HeldMemory(Option<Taken>);

#[derive(Debug)]
struct Taken {
    account: MemoryAccount,
    work: Arc<Work>,
    parts: Parts,
}

/// What a work keeps beyond its end.
#[derive(Debug, Default)]
pub struct Kept {
    _held: Vec<HeldMemory>,
}

// === impl ReadMemory ===

impl ReadMemory {
    /// A memory of this size.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Shared {
            pool: Mutex::new(Pool::new(bounds)),
            reserve: Arc::default(),
        }))
    }

    /// An account under this name, which belongs to a group. Those of one name share what is their own.
    pub fn account(&self, name: &str, group: &str) -> MemoryAccount {
        MemoryAccount {
            memory: self.clone(),
            name: name.into(),
            group: group.into(),
            turn: Arc::default(),
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        lock(&self.0.pool)
    }
}

// === impl MemoryAccount ===

impl MemoryAccount {
    /// Does something for which this account pays.
    pub async fn scope<T>(&self, job: impl Future<Output = T>) -> T {
        let scope = Scope {
            account: self.clone(),
            work: Arc::default(),
            kept: None,
        };
        SCOPE.scope(scope, job).await
    }

    async fn take_turn(&self) -> Turn {
        let own = Arc::clone(&self.turn).lock_owned().await;
        let all = Arc::clone(&self.memory.0.reserve).lock_owned().await;
        (own, all)
    }

    /// Runs a work, and says what it keeps.
    async fn run<T>(&self, work: Arc<Work>, job: impl Future<Output = T>) -> (T, Kept) {
        let kept = Arc::<Mutex<Vec<HeldMemory>>>::default();
        let scope = Scope {
            account: self.clone(),
            work,
            kept: Some(Arc::clone(&kept)),
        };
        // On the heap: works lie deep in other futures.
        let done = Box::pin(SCOPE.scope(scope, job)).await;
        let held = std::mem::take(&mut *lock(&kept));
        (done, Kept { _held: held })
    }
}

/// Does a work that reads. One that others leave too little memory for is begun anew when it is its turn at the
/// reserve; what the first try did must do no harm. A work inside of another one is a part of it.
///
/// What it [keeps](keep) is free again when the second value is dropped.
pub async fn with_room<T, F>(job: impl Fn() -> F) -> (T, Kept)
where
    F: Future<Output = T>,
{
    let Ok(scope) = SCOPE.try_with(Clone::clone) else {
        return (job().await, Kept::default());
    };
    let account = scope.account;
    if scope.kept.is_some() {
        return account.run(scope.work, job()).await;
    }
    let mut work = Arc::<Work>::default();
    let mut keeps_turn = false;
    loop {
        let tried = account.run(Arc::clone(&work), job()).await;
        if !work.is_crowded.load(Relaxed) {
            return tried;
        }
        // Whoever waits holds nothing.
        drop(tried);
        work = Arc::new(Work {
            turn: Mutex::new(Some(account.take_turn().await)),
            keeps_turn,
            ..Work::default()
        });
        // Who has let go of it too early does so once.
        keeps_turn = true;
    }
}

/// The current work has read what it needs, and may take long: the turn goes on to the next, unless the work holds
/// something of the reserve.
pub fn settle() {
    // Without a scope there is no turn.
    let _ = SCOPE.try_with(|scope| {
        let Work {
            of_reserve,
            turn,
            keeps_turn,
            ..
        } = &*scope.work;
        if !keeps_turn && of_reserve.load(Relaxed) == 0 {
            drop(lock(turn).take());
        }
    });
}

/// Holds so many bytes for whoever reads here.
pub fn hold(bytes: usize) -> Result<HeldMemory, Full> {
    let Ok(scope) = SCOPE.try_with(Clone::clone) else {
        return Ok(HeldMemory::default());
    };
    let Scope { account, work, .. } = scope;
    let mut taken = Taken {
        account,
        work,
        parts: Parts::default(),
    };
    taken.grow(bytes)?;
    Ok(HeldMemory(Some(taken)))
}

/// Holds so many bytes until the current work is done. Outside of works it only makes sure that there is room.
pub fn keep(bytes: usize) -> Result<(), Full> {
    let held = hold(bytes)?;
    // Without a scope there is nothing to be kept.
    let _ = SCOPE.try_with(|scope| {
        if let Some(kept) = &scope.kept {
            lock(kept).push(held);
        }
    });
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl HeldMemory ===

impl HeldMemory {
    /// Holds so many bytes more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        match &mut self.0 {
            Some(taken) => taken.grow(bytes),
            None => Ok(()),
        }
    }
}

// === impl Taken ===

impl Taken {
    fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let Self {
            account,
            work,
            parts,
        } = self;
        let wish = Wish {
            bytes,
            of_work: work.held.load(Relaxed),
            has_turn: lock(&work.turn).is_some(),
        };
        let taken = account
            .memory
            .pool()
            .take(&account.name, &account.group, wish);
        let taken = taken.inspect_err(|full| {
            if matches!(full, Full::Crowded) {
                work.is_crowded.store(true, Relaxed);
            }
        })?;
        work.held.fetch_add(bytes, Relaxed);
        work.of_reserve.fetch_add(taken.of_reserve(), Relaxed);
        parts.add(taken);
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Self {
            account,
            work,
            parts,
        } = self;
        work.held.fetch_sub(parts.total(), Relaxed);
        work.of_reserve.fetch_sub(parts.of_reserve(), Relaxed);
        let mut pool = account.memory.pool();
        pool.give_back(&account.name, &account.group, *parts);
    }
}
