// SPDX-License-Identifier: Apache-2.0

//! What this process knows of the blobs at destinations.
//!
//! An entry means that this process saw the bytes go in, or a mount of such bytes succeed. Entries
//! are hints for mounting and for leaving out uploads; what a destination refuses is forgotten.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::endpoint::Place;
use crate::oci::{Digest, Repository};

/// How many blobs are remembered before everything settled is forgotten.
const ENTRIES: usize = 100_000;

/// The knowledge, shared by all copies of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    blobs: HashMap<(Place, Digest), Blob>,
    /// Places that answered a mount from another repository, which had the blob, with an upload.
    without_mount: HashSet<Place>,
    /// Places of which a mounted blob could be read.
    with_mount: HashSet<Place>,
    /// What places answer to a mount of a blob from the very repository that has it.
    own_mounts: HashMap<Place, OwnMounts>,
    /// Repositories that were looked into to find that out: the receivers of those that are not done wait.
    looks: HashMap<(Place, Repository), watch::Receiver<()>>,
    /// Repositories that confirmed what they do not serve.
    doubted: HashSet<(Place, Repository)>,
}

/// What a place answers to a mount of a blob from the very repository that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnMounts {
    /// That it is there: the announcement of an upload says at the same time whether it is needed.
    Granted,
    /// The same as for one that it does not have: whether it is there must be asked before.
    NotGranted,
}

/// A look into a repository that others wait for. It ends when dropped.
#[derive(Debug)]
pub(super) struct Look {
    _done: watch::Sender<()>,
}

#[derive(Debug)]
enum Blob {
    /// A task is writing it to some repository.
    Writing(watch::Receiver<()>),
    /// It is in these repositories.
    Present(Vec<Repository>),
}

/// What a task that needs a blob in a repository should do.
#[derive(Debug)]
pub(super) enum Claim {
    /// Nothing: it is there.
    Present,
    /// Mount it from this repository.
    Mount(Repository),
    /// Write it; the others wait.
    Write(Writing),
    /// Wait until the task that writes it is done, and claim again.
    Wait(watch::Receiver<()>),
}

/// The right to write a blob to a place. Dropped without `finish`, another task may try.
#[derive(Debug)]
pub(super) struct Writing {
    places: Places,
    key: (Place, Digest),
    _done: watch::Sender<()>,
}

// === impl Places ===

impl Places {
    /// Claims a blob for a repository of a place.
    pub(super) fn claim(&self, place: &Place, digest: &Digest, repository: &Repository) -> Claim {
        let mut known = self.lock();
        let can_mount = !known.without_mount.contains(place);
        let key = (place.clone(), digest.clone());
        match known.blobs.get(&key) {
            Some(Blob::Present(repositories)) if repositories.contains(repository) => {
                return Claim::Present;
            }
            Some(Blob::Present(repositories)) if can_mount => {
                if let Some(from) = repositories.first() {
                    return Claim::Mount(from.clone());
                }
            }
            Some(Blob::Writing(done)) if can_mount => return Claim::Wait(done.clone()),
            Some(Blob::Present(_) | Blob::Writing(_)) | None => {}
        }
        let (done, waiting) = watch::channel(());
        known
            .blobs
            .entry(key.clone())
            .or_insert(Blob::Writing(waiting));
        Claim::Write(Writing {
            places: self.clone(),
            key,
            _done: done,
        })
    }

    /// Whether a repository of a place has a blob.
    pub(super) fn has(&self, place: &Place, digest: &Digest, repository: &Repository) -> bool {
        let known = self.lock();
        match known.blobs.get(&(place.clone(), digest.clone())) {
            Some(Blob::Present(repositories)) => repositories.contains(repository),
            Some(Blob::Writing(_)) | None => false,
        }
    }

    /// A repository of a place has a blob now.
    pub(super) fn add(&self, place: &Place, digest: &Digest, repository: &Repository) {
        self.lock().add((place.clone(), digest.clone()), repository);
    }

    /// A mount of a blob that is there was answered with an upload.
    pub(super) fn cannot_mount(&self, place: &Place) {
        self.lock().without_mount.insert(place.clone());
    }

    /// What was mounted from another repository of the place is there. Then mounts from the very
    /// repository are taken to work, too, unless it is known better.
    pub(super) fn can_mount(&self, place: &Place) {
        let mut known = self.lock();
        known.with_mount.insert(place.clone());
        known
            .own_mounts
            .entry(place.clone())
            .or_insert(OwnMounts::Granted);
    }

    /// What the place answers to a mount of a blob from the very repository that has it, once that is
    /// known.
    pub(super) fn own_mounts(&self, place: &Place) -> Option<OwnMounts> {
        self.lock().own_mounts.get(place).copied()
    }

    /// What the place answered to such a mount.
    pub(super) fn learn_own_mounts(&self, place: &Place, found: OwnMounts) {
        self.lock().own_mounts.insert(place.clone(), found);
    }

    /// The right to look into a repository to find that out; nothing where it is known, or somebody
    /// did or does so.
    pub(super) fn begin_look(&self, place: &Place, repository: &Repository) -> Option<Look> {
        let mut known = self.lock();
        let key = (place.clone(), repository.clone());
        if known.own_mounts.contains_key(place) || known.looks.contains_key(&key) {
            return None;
        }
        if known.looks.len() >= ENTRIES {
            known.looks.clear();
        }
        let (done, waiting) = watch::channel(());
        known.looks.insert(key, waiting);
        Some(Look { _done: done })
    }

    /// Waits until nobody looks into the repository any more.
    pub(super) async fn looked(&self, place: &Place, repository: &Repository) {
        let key = (place.clone(), repository.clone());
        let look = self.lock().looks.get(&key).cloned();
        if let Some(mut look) = look {
            // An error says that the look is over, which is what is waited for.
            let _ = look.changed().await;
        }
    }

    /// Whether a mount into the repository that was confirmed needs no proof.
    pub(super) fn trusts_mounts(&self, place: &Place, repository: &Repository) -> bool {
        let known = self.lock();
        known.with_mount.contains(place) && !known.is_doubted(place, repository)
    }

    /// A repository confirmed something that it does not serve: its registry has a cache that
    /// outlived the content.
    pub(super) fn doubt(&self, place: &Place, repository: &Repository) {
        self.lock()
            .doubted
            .insert((place.clone(), repository.clone()));
    }

    /// Whether a repository confirmed what it does not serve.
    pub(super) fn is_doubted(&self, place: &Place, repository: &Repository) -> bool {
        self.lock().is_doubted(place, repository)
    }

    /// A repository turned out not to have some of what we believed.
    pub(super) fn forget(
        &self,
        place: &Place,
        repository: &Repository,
        is_it: impl Fn(&Digest) -> bool,
    ) {
        self.doubt(place, repository);
        self.lock().blobs.retain(|(at, digest), blob| match blob {
            Blob::Present(repositories) if at == place && is_it(digest) => {
                repositories.retain(|known| known != repository);
                !repositories.is_empty()
            }
            Blob::Present(_) | Blob::Writing(_) => true,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Known ===

impl Known {
    fn is_doubted(&self, place: &Place, repository: &Repository) -> bool {
        !self.doubted.is_empty() && self.doubted.contains(&(place.clone(), repository.clone()))
    }

    fn add(&mut self, key: (Place, Digest), repository: &Repository) {
        if self.blobs.len() >= ENTRIES {
            self.blobs
                .retain(|_, blob| matches!(blob, Blob::Writing(_)));
        }
        match self
            .blobs
            .entry(key)
            .or_insert_with(|| Blob::Present(Vec::new()))
        {
            Blob::Present(repositories) if repositories.contains(repository) => {}
            Blob::Present(repositories) => repositories.push(repository.clone()),
            blob @ Blob::Writing(_) => *blob = Blob::Present(vec![repository.clone()]),
        }
    }
}

// === impl Writing ===

impl Writing {
    /// The blob is in `repository` now.
    pub(super) fn finish(self, repository: &Repository) {
        self.places.lock().add(self.key.clone(), repository);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut known = self.places.lock();
        if matches!(known.blobs.get(&self.key), Some(Blob::Writing(_))) {
            known.blobs.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn place() -> Place {
        Place::Layout(PathBuf::from("here"))
    }

    fn repository(name: &str) -> Repository {
        name.parse().unwrap()
    }

    #[test]
    fn one_writes_the_others_wait_and_then_mount() {
        let (places, digest) = (Places::default(), Digest::sha256(b"x"));
        let Claim::Write(writing) = places.claim(&place(), &digest, &repository("a")) else {
            panic!()
        };
        let Claim::Wait(mut done) = places.claim(&place(), &digest, &repository("b")) else {
            panic!()
        };
        writing.finish(&repository("a"));
        assert!(
            futures::FutureExt::now_or_never(done.changed()).is_some(),
            "the waiting task is woken"
        );
        assert!(matches!(
            places.claim(&place(), &digest, &repository("a")),
            Claim::Present
        ));
        assert!(
            matches!(places.claim(&place(), &digest, &repository("b")), Claim::Mount(from) if from == repository("a"))
        );
    }

    #[test]
    fn a_writer_that_gives_up_leaves_the_blob_to_the_next() {
        let (places, digest) = (Places::default(), Digest::sha256(b"x"));
        drop(places.claim(&place(), &digest, &repository("a")));
        assert!(matches!(
            places.claim(&place(), &digest, &repository("b")),
            Claim::Write(_)
        ));
    }

    #[test]
    fn what_was_forgotten_is_written_again() {
        let (places, digest) = (Places::default(), Digest::sha256(b"x"));
        places.add(&place(), &digest, &repository("a"));
        places.forget(&place(), &repository("a"), |other| *other != digest);
        assert!(matches!(
            places.claim(&place(), &digest, &repository("a")),
            Claim::Present
        ));
        places.forget(&place(), &repository("a"), |other| *other == digest);
        assert!(matches!(
            places.claim(&place(), &digest, &repository("a")),
            Claim::Write(_)
        ));
    }

    #[tokio::test]
    async fn one_looks_into_a_repository_and_the_others_wait() {
        let (places, place, here) = (Places::default(), place(), repository("a"));
        places.looked(&place, &here).await;
        let look = places.begin_look(&place, &here);
        assert!(look.is_some() && places.begin_look(&place, &here).is_none());
        {
            let mut waiting = std::pin::pin!(places.looked(&place, &here));
            assert!(futures::FutureExt::now_or_never(waiting.as_mut()).is_none());
            drop(look);
            waiting.await;
        }
        places.looked(&place, &here).await;

        assert!(places.begin_look(&place, &here).is_none(), "once for each");
        places.learn_own_mounts(&place, OwnMounts::NotGranted);
        assert!(places.begin_look(&place, &repository("b")).is_none());
        places.can_mount(&place);
        assert_eq!(places.own_mounts(&place), Some(OwnMounts::NotGranted));
    }

    #[test]
    fn nobody_waits_for_a_mount_that_the_place_does_not_do() {
        let (places, digest) = (Places::default(), Digest::sha256(b"x"));
        places.cannot_mount(&place());
        let first = places.claim(&place(), &digest, &repository("a"));
        let second = places.claim(&place(), &digest, &repository("b"));
        assert!(matches!(
            (first, second),
            (Claim::Write(_), Claim::Write(_))
        ));
    }
}
