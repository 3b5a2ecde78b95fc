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
    /// Places that answered a mount of a blob that they had with an upload.
    without_mount: HashSet<Place>,
    /// Places of which a mounted blob could be read.
    with_mount: HashSet<Place>,
    /// Repositories that confirmed what they do not serve.
    doubted: HashSet<(Place, Repository)>,
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

    /// What was mounted from another repository of the place is there.
    pub(super) fn can_mount(&self, place: &Place) {
        self.lock().with_mount.insert(place.clone());
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

    /// A repository turned out not to have what we believed.
    pub(super) fn forget(&self, place: &Place, repository: &Repository) {
        self.doubt(place, repository);
        self.lock().blobs.retain(|(at, _), blob| match blob {
            Blob::Present(repositories) if at == place => {
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
        places.forget(&place(), &repository("a"));
        assert!(matches!(
            places.claim(&place(), &digest, &repository("a")),
            Claim::Write(_)
        ));
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
