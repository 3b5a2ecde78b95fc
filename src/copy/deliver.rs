// SPDX-License-Identifier: Apache-2.0

//! Brings one blob to one repository that needs it, in the way that costs least.
//!
//! The destination is asked to take or mount the blob; where it must be sent, the upload waits for the
//! reader that serves all destinations. Repositories that share a registry with a writer mount from it
//! afterwards.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::endpoint::{self, Endpoint, Place, Session, Start};
use super::pipe::BlobError;
use super::places::{Claim, OwnMounts, Places, Writing};
use super::progress::{Event, Progress};
use super::telling;
use crate::api::Reason;
use crate::oci::{Descriptor, Repository};

/// How often one destination is tried with a fresh upload.
const ATTEMPTS: u32 = 3;
/// Pause before the second try; it doubles.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// How a destination came to have a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// This process knew that it was there.
    Known,
    /// It was there, or could be mounted: no bytes were sent.
    Mounted,
    /// The bytes were sent.
    Uploaded,
}

/// A repository that needs a blob.
pub(super) struct Need {
    pub(super) endpoint: Endpoint,
    pub(super) place: Place,
    pub(super) repository: Repository,
    pub(super) reply: oneshot::Sender<Result<Delivery, BlobError>>,
    /// Cancelled when nobody wants the reply any more.
    pub(super) abandoned: CancellationToken,
    /// Uploads that failed so far.
    pub(super) failures: u32,
    /// Why, in the words that say most.
    pub(super) failed: Option<BlobError>,
    /// Whether the bytes are to be sent, whatever the registry shows.
    pub(super) is_afresh: bool,
}

/// Delivers blobs; what one delivery learns serves the next.
pub(super) struct Deliverer {
    pub(super) places: Places,
    pub(super) progress: Progress,
}

/// What became of asking a destination.
pub(super) enum Step {
    Settled(Need, Result<Delivery, BlobError>),
    Upload(Upload),
    /// Somebody else writes the blob to that place: ask again when that is over.
    Wait(Need, watch::Receiver<()>),
}

/// A destination that waits for the bytes.
pub(super) struct Upload {
    pub(super) need: Need,
    pub(super) session: Session,
    /// The right to write, where others wait for it.
    pub(super) writing: Option<Writing>,
}

// === impl Need ===

impl Need {
    /// Whether the repository has the blob already.
    async fn serves(&self, blob: &Descriptor) -> bool {
        self.endpoint.serves(&self.repository, blob).await
    }

    /// How long to wait before the destination is asked again.
    pub(super) fn delay(&self) -> Duration {
        RETRY_DELAY * 2_u32.pow(self.failures.saturating_sub(1))
    }
}

// === impl Deliverer ===

impl Deliverer {
    pub(super) fn new(progress: Progress) -> Self {
        Self {
            places: Places::default(),
            progress,
        }
    }

    /// Asks one destination to take the blob, in the way that costs least.
    pub(super) async fn begin(&self, need: Need, blob: &Descriptor) -> Step {
        if need.is_afresh {
            return self.begin_afresh(need, blob).await;
        }
        let Need {
            place, repository, ..
        } = &need;
        let (from, writing) = match self.places.claim(place, &blob.digest, repository) {
            Claim::Present => return Step::Settled(need, Ok(Delivery::Known)),
            Claim::Wait(done) => return Step::Wait(need, done),
            Claim::Mount(from) => (from, None),
            Claim::Write(writing) => (repository.clone(), Some(writing)),
        };
        match self.open(&need, blob, &from).await {
            Ok(Start::Present) => {
                self.note(&need, writing, blob);
                Step::Settled(need, Ok(Delivery::Mounted))
            }
            Ok(Start::Session(session)) => Step::Upload(Upload {
                need,
                session,
                writing,
            }),
            Err(error) => Step::Settled(need, Err(BlobError::Destination(error))),
        }
    }

    /// Opens an upload for bytes that are sent in any case.
    async fn begin_afresh(&self, need: Need, blob: &Descriptor) -> Step {
        let started = need
            .endpoint
            .start_upload(&need.repository, &blob.digest, None);
        match started.await {
            Ok(Start::Present) => Step::Settled(need, Ok(Delivery::Mounted)),
            Ok(Start::Session(session)) => Step::Upload(Upload {
                need,
                session,
                writing: None,
            }),
            Err(error) => Step::Settled(need, Err(BlobError::Destination(error))),
        }
    }

    /// Opens an upload, unless the blob can be mounted, or the repository has it from earlier.
    ///
    /// Mounting from the repository itself costs nothing more than opening the upload. A registry
    /// may confirm a mount from a cache that outlived the blob, so the last byte must come, too. It
    /// is asked for until mounts from other repositories of the place have proven themselves.
    async fn open(
        &self,
        need: &Need,
        blob: &Descriptor,
        from: &Repository,
    ) -> Result<Start, endpoint::Error> {
        let Need {
            endpoint,
            place,
            repository,
            ..
        } = need;
        let (digest, is_own) = (&blob.digest, from == repository);
        if is_own && self.must_ask(need) {
            if self.is_there(need, blob).await {
                return Ok(Start::Present);
            }
            return endpoint.start_upload(repository, digest, None).await;
        }
        match endpoint
            .start_upload(repository, digest, Some(from))
            .await?
        {
            Start::Present if !is_own && self.places.trusts_mounts(place, repository) => {
                Ok(Start::Present)
            }
            Start::Present if endpoint.serves(repository, blob).await => {
                if is_own {
                    self.places.learn_own_mounts(place, OwnMounts::Granted);
                } else {
                    self.places.can_mount(place);
                }
                Ok(Start::Present)
            }
            Start::Present => {
                self.places.doubt(place, repository);
                endpoint.start_upload(repository, digest, None).await
            }
            Start::Session(session) => {
                if !is_own {
                    self.places.cannot_mount(place);
                }
                if !self.may_be_there(need, blob, is_own).await || !self.is_there(need, blob).await
                {
                    return Ok(Start::Session(session));
                }
                if is_own {
                    self.places.learn_own_mounts(place, OwnMounts::NotGranted);
                }
                session.give_up(repository).await;
                Ok(Start::Present)
            }
        }
    }

    /// Looks at how an upload ended: answers the need, or gives it back to be asked again.
    pub(super) async fn conclude(
        &self,
        need: Need,
        writing: Option<Writing>,
        blob: &Descriptor,
        result: Result<(), BlobError>,
    ) -> Option<Need> {
        let result = match result {
            Err(error) if lacks_on_purpose(&error) && need.serves(blob).await => {
                Ok(Delivery::Mounted)
            }
            Err(error) if !self.is_delivered(&need, blob, &error).await => Err(error),
            Ok(()) | Err(_) => Ok(Delivery::Uploaded),
        };
        match &result {
            Ok(Delivery::Known | Delivery::Mounted) => self.note(&need, writing, blob),
            Ok(Delivery::Uploaded) => {
                self.progress.report(&Event::Uploaded { bytes: blob.size });
                self.note(&need, writing, blob);
            }
            Err(error) if may_repeat(error, need.failures) => {
                return Some(Need {
                    failures: need.failures + 1,
                    failed: Some(telling::better(error.clone(), need.failed)),
                    ..need
                });
            }
            Err(_) => {}
        }
        self.reply(need, blob, result);
        None
    }

    /// Whether the registry kept the blob and lost only its answer.
    async fn is_delivered(&self, need: &Need, blob: &Descriptor, error: &BlobError) -> bool {
        match error {
            BlobError::Destination(error) if error.is_transient() => {
                need.endpoint.serves(&need.repository, blob).await
            }
            BlobError::Destination(_)
            | BlobError::Source(_)
            | BlobError::DigestMismatch { .. }
            | BlobError::TooLong { .. }
            | BlobError::Slow
            | BlobError::Cancelled => false,
        }
    }

    /// The repository has the blob now.
    fn note(&self, need: &Need, writing: Option<Writing>, blob: &Descriptor) {
        match writing {
            Some(writing) => writing.finish(&need.repository),
            None => self.places.add(&need.place, &blob.digest, &need.repository),
        }
    }

    pub(super) fn reply(&self, need: Need, blob: &Descriptor, result: Result<Delivery, BlobError>) {
        if matches!(result, Ok(Delivery::Known | Delivery::Mounted)) {
            self.progress.report(&Event::Skipped { bytes: blob.size });
        }
        let result = result.map_err(|error| telling::better(error, need.failed));
        // Nobody listens any more if the copy was cancelled.
        let _ = need.reply.send(result);
    }
}

/// Whether the source counts on the destination to have the blob: a registry may not have said so before, as it is
/// not asked about every small blob.
fn lacks_on_purpose(error: &BlobError) -> bool {
    matches!(error, BlobError::Source(source) if source.is_elsewhere())
}

/// Whether a destination is worth being asked again after so many failures and this one.
fn may_repeat(error: &BlobError, failures: u32) -> bool {
    match error {
        // The blob was on its way to the end, maybe: a fresh token is brought once.
        BlobError::Destination(refused) if refused.reason() == Reason::AuthenticationFailed => {
            refused.is_transient() && failures == 0
        }
        BlobError::Destination(refused) => {
            (refused.is_transient() || refused.is_not_found()) && failures + 1 < ATTEMPTS
        }
        BlobError::Slow => failures + 1 < ATTEMPTS,
        BlobError::DigestMismatch { .. } | BlobError::TooLong { .. } => failures == 0,
        BlobError::Source(_) | BlobError::Cancelled => false,
    }
}
