//! Brings one blob to the repositories that need it, in the way that costs least.
//!
//! Every destination is asked to take or mount the blob; the source is read once for all that must
//! be sent; the repositories that share a registry with a writer mount from it afterwards.

use std::collections::HashSet;
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::budget::{self, Budget};
use super::endpoint::{self, Endpoint, Place, Session, Start};
use super::pipe::{self, BlobError, Origin, Sink};
use super::places::{Claim, Places, Writing};
use super::progress::{Event, Progress};
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
}

/// Delivers blobs; what one delivery learns serves the next.
pub(super) struct Deliverer {
    pub(super) places: Places,
    pub(super) progress: Progress,
    process: Budget,
}

/// What became of asking a destination.
enum Step {
    Settled(Need, Result<Delivery, BlobError>),
    Upload(Upload),
    Wait(Need, watch::Receiver<()>),
}

/// A destination that waits for the bytes.
struct Upload {
    need: Need,
    session: Session,
    /// The right to write, where others wait for it.
    writing: Option<Writing>,
}

/// What becomes of a need after an upload.
enum Judgement {
    Settled(Result<Delivery, BlobError>),
    Again,
}

// === impl Deliverer ===

impl Deliverer {
    pub(super) fn new(progress: Progress) -> Self {
        let process = Budget::new(budget::PROCESS_BYTES);
        Self {
            places: Places::default(),
            progress,
            process,
        }
    }

    /// Serves all `needs` for `blob`.
    pub(super) async fn settle(&self, origin: &Origin, blob: &Descriptor, mut needs: Vec<Need>) {
        while !needs.is_empty() {
            needs.retain(|need| !need.abandoned.is_cancelled());
            let (asking, later) = one_a_repository(needs);
            let steps = join_all(asking.into_iter().map(|need| self.begin(need, blob))).await;
            let (mut uploads, mut waits) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Settled(need, result) => self.reply(need, blob, result),
                    Step::Upload(upload) => uploads.push(upload),
                    Step::Wait(need, done) => waits.push((need, done)),
                }
            }
            needs = self.upload(origin, blob, uploads).await;
            for (need, mut done) in waits {
                tokio::select! {
                    // An error says that the writer is gone, which is what is waited for.
                    _ = done.changed() => needs.push(need),
                    () = need.abandoned.cancelled() => {}
                }
            }
            needs.extend(later);
        }
    }

    /// Asks one destination to take the blob, in the way that costs least.
    async fn begin(&self, need: Need, blob: &Descriptor) -> Step {
        let Need {
            endpoint,
            place,
            repository,
            ..
        } = &need;
        match self.places.claim(place, &blob.digest, repository) {
            Claim::Present => Step::Settled(need, Ok(Delivery::Known)),
            Claim::Wait(done) => Step::Wait(need, done),
            Claim::Mount(from) => {
                match endpoint
                    .start_upload(repository, &blob.digest, Some(&from))
                    .await
                {
                    Ok(Start::Present) => {
                        self.places.add(place, &blob.digest, repository);
                        Step::Settled(need, Ok(Delivery::Mounted))
                    }
                    Ok(Start::Session(session)) => {
                        self.places.cannot_mount(place);
                        Step::Upload(Upload {
                            need,
                            session,
                            writing: None,
                        })
                    }
                    Err(error) => Step::Settled(need, Err(BlobError::Destination(error))),
                }
            }
            Claim::Write(writing) => match self.open(endpoint, repository, blob).await {
                Ok(Start::Present) => {
                    writing.finish(repository);
                    Step::Settled(need, Ok(Delivery::Mounted))
                }
                Ok(Start::Session(session)) => Step::Upload(Upload {
                    need,
                    session,
                    writing: Some(writing),
                }),
                Err(error) => Step::Settled(need, Err(BlobError::Destination(error))),
            },
        }
    }

    /// Opens an upload, unless the repository proves that it has the blob from earlier.
    ///
    /// Mounting from the repository itself costs nothing more than opening the upload. A registry
    /// may answer it from a cache that outlived the blob, so the last byte must come, too.
    async fn open(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<Start, endpoint::Error> {
        match endpoint
            .start_upload(repository, &blob.digest, Some(repository))
            .await?
        {
            Start::Present if !proves(endpoint, repository, blob).await => {
                endpoint.start_upload(repository, &blob.digest, None).await
            }
            start @ (Start::Present | Start::Session(_)) => Ok(start),
        }
    }

    /// Sends the blob to all that wait for it; returns those that should be asked again.
    async fn upload(&self, origin: &Origin, blob: &Descriptor, uploads: Vec<Upload>) -> Vec<Need> {
        if uploads.is_empty() {
            return Vec::new();
        }
        let (mut senders, mut sinks) = (Vec::new(), Vec::new());
        for Upload {
            need,
            session,
            writing,
        } in uploads
        {
            sinks.push(Sink {
                repository: need.repository.clone(),
                session,
                abandoned: need.abandoned.clone(),
            });
            senders.push((need, writing));
        }
        let results = pipe::pipe(origin, blob, sinks, &self.process, &self.progress).await;
        let mut again = Vec::new();
        for ((need, writing), result) in senders.into_iter().zip(results) {
            match self.judge(&need, blob, result).await {
                Judgement::Settled(result) => {
                    if result.is_ok() {
                        match writing {
                            Some(writing) => writing.finish(&need.repository),
                            None => self.places.add(&need.place, &blob.digest, &need.repository),
                        }
                    }
                    self.reply(need, blob, result);
                }
                Judgement::Again => again.push(Need {
                    failures: need.failures + 1,
                    ..need
                }),
            }
        }
        if let Some(failures) = again.iter().map(|need| need.failures).min() {
            sleep(RETRY_DELAY * 2_u32.pow(failures.saturating_sub(1))).await;
        }
        again
    }

    /// Decides whether a failed upload is final.
    async fn judge(
        &self,
        need: &Need,
        blob: &Descriptor,
        result: Result<(), BlobError>,
    ) -> Judgement {
        let Err(error) = result else {
            return Judgement::Settled(Ok(Delivery::Uploaded));
        };
        let may_repeat = match &error {
            BlobError::Destination(refused) => {
                // The registry may have kept the blob and lost only its answer.
                if refused.is_transient() && proves(&need.endpoint, &need.repository, blob).await {
                    return Judgement::Settled(Ok(Delivery::Uploaded));
                }
                (refused.is_transient() || refused.is_not_found()) && need.failures + 1 < ATTEMPTS
            }
            BlobError::Slow => need.failures + 1 < ATTEMPTS,
            BlobError::DigestMismatch { .. } | BlobError::TooLong { .. } => need.failures == 0,
            BlobError::Source(_) | BlobError::Cancelled => false,
        };
        if may_repeat {
            Judgement::Again
        } else {
            Judgement::Settled(Err(error))
        }
    }

    fn reply(&self, need: Need, blob: &Descriptor, result: Result<Delivery, BlobError>) {
        if matches!(result, Ok(Delivery::Known | Delivery::Mounted)) {
            self.progress.report(&Event::Skipped { bytes: blob.size });
        }
        // Nobody listens any more if the copy was cancelled.
        let _ = need.reply.send(result);
    }
}

/// The first need of every repository, and the others: they find the blob there afterwards.
fn one_a_repository(needs: Vec<Need>) -> (Vec<Need>, Vec<Need>) {
    let mut seen = HashSet::new();
    needs
        .into_iter()
        .partition(|need| seen.insert((need.place.clone(), need.repository.clone())))
}

/// Whether a repository serves the last byte of a blob: an answer without a body is not enough.
async fn proves(endpoint: &Endpoint, repository: &Repository, blob: &Descriptor) -> bool {
    let Some(last) = blob.size.checked_sub(1) else {
        return true;
    };
    let Ok(body) = endpoint.fetch_blob(repository, blob, last).await else {
        return false;
    };
    let read = body.try_fold(0, |sum, frame| async move { Ok(sum + frame.len()) });
    matches!(read.await, Ok(1))
}
