// SPDX-License-Identifier: Apache-2.0

//! Whether a repository has a blob already, where a mount does not tell.
//!
//! A mount from the very repository that needs the blob costs nothing beside the announcement of its
//! upload, and tells at the same time whether it is there. Registries that grant no mounts (crane's, Google's,
//! Amazon's unless it is told otherwise) answer to each with an upload: there the repository is asked first. Which
//! kind a place is of is found out by one look, beside the first announcements, and remembered.

use std::time::Duration;

use tokio::time::timeout;

use super::deliver::{Deliverer, Need};
use super::endpoint::{Endpoint, Start};
use super::places::{Look, OwnMounts};
use crate::oci::{Descriptor, Repository};

/// From so many bytes on, a request is nothing beside sending them for nothing.
pub(super) const WORTH_A_LOOK: u64 = 1024 * 1024;
/// The same for one blob, which is asked for where nothing is known.
const WORTH_A_REQUEST: u64 = 8 * 1024 * 1024;
/// How long announced uploads wait for a look.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

impl Deliverer {
    /// Finds out what a place answers to a mount of a blob that is there, if `blob` is.
    pub(super) async fn look(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        blob: &Descriptor,
        look: Look,
    ) {
        let found = timeout(LOOK_TIMEOUT, own_mounts(endpoint, repository, blob)).await;
        if let Ok(Some(found)) = found {
            self.places.learn_own_mounts(&endpoint.place(), found);
        }
        drop(look);
    }

    /// Whether the repository must be asked whether it has a blob, before an upload is announced.
    pub(super) fn must_ask(&self, need: &Need) -> bool {
        self.places.own_mounts(&need.place) == Some(OwnMounts::NotGranted)
    }

    /// Whether a blob may be there although a mount was answered with an upload.
    pub(super) async fn may_be_there(&self, need: &Need, blob: &Descriptor, is_own: bool) -> bool {
        let Need {
            place, repository, ..
        } = need;
        if !is_own || self.places.is_doubted(place, repository) {
            return true;
        }
        if self.places.own_mounts(place).is_none() {
            self.places.looked(place, repository).await;
        }
        match self.places.own_mounts(place) {
            Some(OwnMounts::Granted) => false,
            Some(OwnMounts::NotGranted) => true,
            None => blob.size >= WORTH_A_REQUEST,
        }
    }

    /// Whether a repository has a blob, and serves it.
    pub(super) async fn is_there(&self, need: &Need, blob: &Descriptor) -> bool {
        let Need {
            endpoint,
            place,
            repository,
            ..
        } = need;
        let says_so = endpoint.has_blob(repository, &blob.digest).await;
        if !matches!(says_so, Ok(true)) {
            return false;
        }
        let is_served = endpoint.serves(repository, blob).await;
        if !is_served {
            self.places.doubt(place, repository);
        }
        is_served
    }
}

/// What is answered to a mount of a blob from the very repository; nothing where it is not there.
async fn own_mounts(
    endpoint: &Endpoint,
    repository: &Repository,
    blob: &Descriptor,
) -> Option<OwnMounts> {
    if !endpoint.has_blob(repository, &blob.digest).await.ok()? {
        return None;
    }
    let started = endpoint.start_upload(repository, &blob.digest, Some(repository));
    match started.await.ok()? {
        Start::Present => Some(OwnMounts::Granted),
        Start::Session(session) => {
            session.give_up(repository).await;
            Some(OwnMounts::NotGranted)
        }
    }
}
