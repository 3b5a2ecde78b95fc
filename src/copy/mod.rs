// SPDX-License-Identifier: Apache-2.0

//! The copy engine: images from one place to several, each byte read once.
//!
//! ```text
//! Engine::copy
//!   graph, referrers   what the image is made of and what refers to it, read once and kept by digest
//!   links, fallback    what the source says, and the lists of referrers at registries that keep none
//!   named              what tags turned out to name in this round
//!   late, lack, seen   what came to refer to it since, and which destination lacks what of it
//!   examine            what it is like, for those who judge it
//!   evidence           what may prove something of it, for those who verify it
//!   blobs              which destination needs what; one worker a blob
//!     deliver          for one destination: mount it, wait for it or send it
//!     presence         whether it is there, where a mount does not tell
//!     places           what destinations are known to have: nothing is sent twice
//!     pipe             one read, many uploads, hashed on the way
//!   image              manifests and tags, in the order that keeps visible tags complete
//!     repair           what is given again to a destination that misses something
//!     lag              patience with one that does not know yet what it was given
//!     put              one manifest or tag, stored and read back
//!     stored           which manifests destinations were given: none is written twice
//!   whole              whether a destination still has all of an image
//!   telling            which of several failures says most
//! ```

mod blobs;
mod budget;
mod closure;
mod config;
mod deliver;
pub mod endpoint;
mod engine;
mod error;
mod evidence;
mod examine;
mod fallback;
mod graph;
mod graph_error;
mod image;
mod job;
mod lack;
mod lag;
mod late;
mod links;
mod lookup;
mod manifests;
mod named;
mod pipe;
mod places;
mod presence;
pub mod progress;
mod put;
mod reduced;
mod referrers;
mod repair;
mod seen;
mod stored;
mod telling;
mod whole;

use futures::future::join_all;
use jiff::Timestamp;

pub use self::closure::{closure, walk};
pub use self::endpoint::{Deletion, Endpoint, Place};
pub use self::engine::Engine;
pub use self::error::Error;
pub use self::evidence::{Found, Holds, Wanted};
pub use self::examine::Examined;
pub use self::fallback::FallbackError;
pub use self::graph_error::GraphError;
pub use self::job::{Action, Done, Job, TagPush, Target, Unmoved};
pub use self::lack::Lack;
pub use self::late::{BareTag, Late, Outline, Siblings, Visit};
pub use self::lookup::Lookup;
pub use self::pipe::{BlobError, Origin};
pub use self::progress::Progress;
pub use self::seen::{Seen, SeenError};

use self::graph::Graph;
use self::image::{Content, Push, Requests};
use self::lag::Lag;
use self::manifests::Room;
use self::referrers::{Company, Wish};
use self::repair::Parts;
use crate::api::IndexMode;
use crate::oci::{Content as Described, Digest};
use crate::plan::{Platforms, ReferrerTypes};
use crate::runtime::memory;

impl Engine {
    /// Copies one image to its targets; one result each, in their order. Dropping the future stops
    /// the copy: nothing half-done is visible.
    pub async fn copy(&self, job: &Job) -> Vec<Result<Done, Error>> {
        memory::with_room(|| self.copy_once(job)).await.0
    }

    async fn copy_once(&self, job: &Job) -> Vec<Result<Done, Error>> {
        let (content, requests) = match self.read(job).await {
            Ok(read) => read,
            Err(error) => {
                let error = Error::source(&job.origin, &job.digest, error);
                return vec![Err(error); job.targets.len()];
            }
        };
        memory::settle();
        let pushes: Vec<Push<'_>> = job
            .targets
            .iter()
            .map(|target| Push {
                shared: &self.shared,
                manifests: &self.manifests,
                content: &content,
                target,
                lag: Lag::default(),
            })
            .collect();
        let pushes = pushes.iter().zip(requests);
        join_all(pushes.map(|(push, requests)| push.run(requests))).await
    }

    /// The digest that a destination is to have: another one where an index is reduced, or one of its images taken.
    pub async fn expected_digest(
        &self,
        origin: &Origin,
        digest: &Digest,
        platforms: &Platforms,
    ) -> Result<Digest, Error> {
        match platforms {
            Platforms::All
            | Platforms::List {
                index: IndexMode::Preserve,
                ..
            } => Ok(digest.clone()),
            Platforms::List {
                index: IndexMode::Rewrite | IndexMode::Unwrap,
                ..
            } => {
                let read = || graph::read_root(&self.manifests, origin, digest, platforms);
                let (root, _) = memory::with_room(read).await;
                root.map_err(|error| Error::source(origin, digest, error))
            }
        }
    }

    /// What the images are like that would be copied: one image for each platform. Its manifests are not read again
    /// when it is copied.
    pub async fn examine(
        &self,
        origin: &Origin,
        digest: &Digest,
        platforms: &Platforms,
    ) -> Result<Vec<Examined>, Error> {
        let examine = || examine::examine(&self.manifests, origin, digest, platforms);
        let (examined, _) = memory::with_room(examine).await;
        examined.map_err(|error| Error::source(origin, digest, error))
    }

    /// When an image was built, where it says so. That takes its manifests down to one image, and the config of
    /// that.
    pub async fn created(
        &self,
        origin: &Origin,
        digest: &Digest,
    ) -> Result<Option<Timestamp>, Error> {
        let find = || examine::created(&self.manifests, origin, digest);
        let (created, _) = memory::with_room(find).await;
        created.map_err(|error| Error::source(origin, digest, error))
    }

    /// Reads an image and what refers to it, and asks for their blobs where they may be missing; one list a
    /// target. The blobs of the image are on their way while one looks what refers to it.
    async fn read(&self, job: &Job) -> Result<(Content, Vec<Requests>), GraphError> {
        let Job {
            origin,
            digest,
            platforms,
            ..
        } = job;
        let room = Room::new();
        if job.is_retag() {
            let manifest = self.manifests.fetch(origin, digest).await?;
            let requests = job.targets.iter().map(|_| Requests::new()).collect();
            return Ok((Content::retagged(origin.clone(), manifest), requests));
        }
        let image = Graph::read(&self.manifests, origin, digest, platforms, &room).await?;
        let lacks = |target: &&Target| target.may_lack(origin, image.root.digest());
        let lacking: Vec<&Target> = job.targets.iter().filter(lacks).collect();
        let early = self.shared.request_image(origin, &image, &lacking);
        let (company, seen) = self.read_company(job, &image, &room).await?;
        let graphs = company.attached.iter().map(|attached| &attached.graph);
        let late = self.shared.request(origin, graphs, &lacking, &Parts::All);
        let mut lists = early.into_iter().zip(late);
        let requests = job.targets.iter().map(|target| {
            let lists = if lacks(&target) { lists.next() } else { None };
            let (early, late) = lists.unwrap_or_default();
            [early, late].into_iter().flatten().collect()
        });
        let requests = requests.collect();
        let content = Content {
            origin: origin.clone(),
            image,
            company,
            seen,
            is_late: false,
        };
        Ok((content, requests))
    }

    async fn read_company(
        &self,
        job: &Job,
        image: &Graph,
        room: &Room,
    ) -> Result<(Company, Option<Seen>), GraphError> {
        let Job { origin, digest, .. } = job;
        if job.referrers == ReferrerTypes::None {
            return Ok((Company::default(), None));
        }
        // Nothing at the source refers to an index that is written for the destination.
        let subjects = image
            .manifests()
            .filter(|manifest| !(image.is_rewritten && manifest.digest() == image.root.digest()))
            .map(|manifest| manifest.digest().clone())
            .collect();
        let company = self
            .finder
            .find(&self.manifests, origin, subjects, Wish::of(job), room)
            .await?;
        let is_index = matches!(image.root.content(), Described::Index(_));
        let listed = self.finder.lists.known(origin);
        let seen = company.trace.sum_up(digest, is_index, listed.as_deref());
        Ok((company, Some(seen)))
    }
}
