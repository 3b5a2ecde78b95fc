// SPDX-License-Identifier: Apache-2.0

//! The tags of repositories that are named after digests, which are read once and remembered within bounds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::api::Reason;
use crate::copy::endpoint::Place;
use crate::copy::links::AttachedTags;
use crate::copy::pipe::Origin;
use crate::oci::{Repository, Tag};

/// Bytes of attached tags that are remembered, about: a repository with more is asked for the tags of each image.
const TAGS_BYTES: usize = 24 * 1024 * 1024;

/// The tag lists of repositories, as far as tags are named after digests.
#[derive(Default)]
pub(in crate::copy) struct AttachedLists(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    cells: HashMap<(Place, Repository), List>,
    bytes: usize,
}

/// The attached tags of a repository, read by whoever asks first; nothing where it lists no tags.
type List = Arc<OnceCell<Option<Arc<AttachedTags>>>>;

// === impl AttachedLists ===

impl AttachedLists {
    /// The attached tags that the repository lists; None where it does not list its tags.
    pub(super) async fn read(&self, origin: &Origin) -> Option<Arc<AttachedTags>> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let cell = self.list(origin);
        let list = cell.get_or_try_init(|| async {
            let is_attached = |tag: &Tag| tag.attachment().is_some();
            match endpoint.list_tags_matching(repository, is_attached).await {
                Ok(tags) => Ok(self.account(origin, AttachedTags::among(&tags))),
                // That says nothing of the repository.
                Err(error) if error.reason() == Reason::LimitExceeded => Err(()),
                Err(_) => Ok(None),
            }
        });
        list.await.ok().cloned().flatten()
    }

    /// The attached tags that the repository lists, where they are known already.
    pub(in crate::copy) fn known(&self, origin: &Origin) -> Option<Arc<AttachedTags>> {
        self.list(origin).get().cloned().flatten()
    }

    /// Takes over a tag list that was read for another reason.
    pub(in crate::copy) fn learn(&self, origin: &Origin, tags: &[Tag]) {
        let cell = self.list(origin);
        if !cell.initialized() {
            // An error says that the list has become known meanwhile.
            let _ = cell.set(self.account(origin, AttachedTags::among(tags)));
        }
    }

    /// Makes room for the list of a repository; None where it is too long to be remembered.
    fn account(&self, origin: &Origin, tags: AttachedTags) -> Option<Arc<AttachedTags>> {
        let bytes = tags.weight();
        if bytes > TAGS_BYTES {
            return None;
        }
        let mut lists = self.lock();
        lists.bytes += bytes;
        if lists.bytes > TAGS_BYTES {
            let key = (origin.endpoint.place(), origin.repository.clone());
            lists.cells.retain(|known, _| *known == key);
            lists.bytes = bytes;
        }
        Some(Arc::new(tags))
    }

    fn list(&self, origin: &Origin) -> List {
        let key = (origin.endpoint.place(), origin.repository.clone());
        let mut lists = self.lock();
        lists.cells.entry(key).or_default().clone()
    }

    /// Forgets the list of one repository.
    pub(super) fn forget_in(&self, place: &Place, repository: &Repository) {
        let key = (place.clone(), repository.clone());
        let mut lists = self.lock();
        let known = lists.cells.remove(&key);
        if let Some(Some(tags)) = known.as_ref().and_then(|cell| cell.get()) {
            lists.bytes = lists.bytes.saturating_sub(tags.weight());
        }
    }

    /// Forgets all of them.
    pub(super) fn forget(&self) {
        *self.lock() = Lists::default();
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
