//! The copy engine: images from one place to several, each byte read once.
//!
//! ```text
//! Engine::copy
//!   graph, referrers   what the image is made of and what refers to it, read once and kept by digest
//!   links, fallback    what the source says, and the lists of referrers at registries that keep none
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
//! ```

mod blobs;
mod budget;
mod closure;
mod config;
mod deliver;
pub mod endpoint;
mod error;
mod evidence;
mod examine;
mod fallback;
mod graph;
mod graph_error;
mod image;
mod lack;
mod lag;
mod late;
mod links;
mod lookup;
mod manifests;
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

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

pub use self::closure::{closure, walk};
pub use self::endpoint::{Deletion, Endpoint, Place};
pub use self::error::Error;
pub use self::evidence::{Found, Holds, Wanted};
pub use self::examine::Examined;
pub use self::fallback::FallbackError;
pub use self::graph_error::GraphError;
pub use self::lack::Lack;
pub use self::late::{Late, Outline, Siblings, Visit};
pub use self::lookup::Lookup;
pub use self::pipe::{BlobError, Origin};
pub use self::progress::Progress;
pub use self::seen::{Seen, SeenError};

use self::blobs::Blobs;
use self::fallback::FallbackTags;
use self::graph::Graph;
use self::image::{Content, Push, Shared};
use self::lag::Lag;
use self::manifests::{Manifests, Room};
use self::referrers::{Company, Finder, Wish};
use self::repair::Parts;
use self::stored::Stored;
use crate::api::IndexMode;
use crate::oci::{Content as Described, Digest, Repository, Tag};
use crate::plan::{Platforms, ReferrerTypes};

/// How long one slow destination may hold up the others with a blob, before it is left to itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Copies images. One for each process, so that everything is shared that may be.
pub struct Engine {
    shared: Shared,
    manifests: Manifests,
    finder: Finder,
}

/// One image and where it goes. The tag was resolved before: everything speaks of its digest.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where it is read.
    pub origin: Origin,
    /// Which manifest.
    pub digest: Digest,
    /// Which of its platforms.
    pub platforms: Platforms,
    /// Which of what refers to it comes along.
    pub referrers: ReferrerTypes,
    /// What comes along whatever its type: it is why a policy admits the image.
    pub evidence: Vec<Digest>,
    /// Where it goes.
    pub targets: Vec<Target>,
}

/// A repository that is to have the image.
#[derive(Clone, Debug)]
pub struct Target {
    /// The registry or directory.
    pub endpoint: Endpoint,
    /// The repository there.
    pub repository: Repository,
    /// The tags that are to name it; with none it is stored under its digest only.
    pub tags: Vec<TagPush>,
}

/// A tag that is to name an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPush {
    /// The tag.
    pub tag: Tag,
    /// What it names now.
    pub current: Option<Digest>,
    /// A tag that is to keep naming what it names now.
    pub previous: Option<Tag>,
}

/// What was done at one destination.
#[derive(Clone, Debug)]
pub struct Done {
    /// The digest that the tags name now. It differs from the source's where an index was rewritten.
    pub digest: Digest,
    /// What it took.
    pub action: Action,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// The tags, of several, that do not name it, and why.
    pub unmoved: Unmoved,
    /// What refers to it at the source; None where nobody looked.
    pub seen: Option<Seen>,
}

/// Tags that could not be moved, and why.
pub type Unmoved = BTreeMap<Tag, Error>;

/// What it took to bring an image to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it was there.
    Unchanged,
    /// Only tags: the content was in the same repository.
    Retagged,
    /// Blobs and manifests, as far as they were missing.
    Copied,
    /// What refers to the image, as far as it was missing: the image itself was there.
    Completed,
}

// === impl Target ===

impl Target {
    /// The repository, as people write it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.endpoint.name(), self.repository)
    }

    /// The repository as a place to read from.
    fn origin(&self) -> Origin {
        Origin {
            endpoint: self.endpoint.clone(),
            repository: self.repository.clone(),
        }
    }
}

// === impl Done ===

impl Done {
    /// What was done about one of the tags.
    pub fn about(&self, tag: &Tag) -> Result<&Self, &Error> {
        self.unmoved.get(tag).map_or(Ok(self), Err)
    }
}

// === impl Engine ===

impl Engine {
    /// An engine that reports what it does to `progress`.
    pub fn new(progress: Progress) -> Self {
        Self::with_patience(progress, PATIENCE)
    }

    /// The same, in which one slow destination holds up the others for at most so long, blob by blob.
    pub fn with_patience(progress: Progress, patience: Duration) -> Self {
        Self {
            shared: Shared {
                blobs: Blobs::new(progress, patience),
                manifests: Stored::default(),
                fallback_tags: FallbackTags::default(),
            },
            manifests: Manifests::default(),
            finder: Finder::default(),
        }
    }

    /// Forgets what may have changed at sources and destinations since the last round.
    pub fn begin_round(&self) {
        self.finder.forget();
        self.shared.manifests.forget_all();
    }

    /// Takes over the tag list of a source repository, so that it is not read again for referrers.
    pub fn learn_tags(&self, origin: &Origin, tags: &[Tag]) {
        self.finder.learn_tags(origin, tags);
    }

    /// Copies one image to its targets; one result each, in their order. Dropping the future stops
    /// the copy: nothing half-done is visible.
    pub async fn copy(&self, job: &Job) -> Vec<Result<Done, Error>> {
        let content = match self.read(job).await {
            Ok(content) => content,
            Err(error) => {
                let error = Error::source(&job.origin, &job.digest, error);
                return vec![Err(error); job.targets.len()];
            }
        };
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
        let sending: Vec<&Target> = pushes
            .iter()
            .filter(|push| push.sends())
            .map(|push| push.target)
            .collect();
        let mut requests = content
            .request(&self.shared, &sending, &Parts::All)
            .into_iter();
        join_all(pushes.iter().map(|push| {
            let requests = if push.sends() { requests.next() } else { None };
            push.run(requests.unwrap_or_default())
        }))
        .await
    }

    /// The digest that a destination is to have: another one where an index is reduced.
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
                index: IndexMode::Rewrite,
                ..
            } => {
                let root = graph::read_root(&self.manifests, origin, digest, platforms).await;
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
        let examined = examine::examine(&self.manifests, origin, digest, platforms).await;
        examined.map_err(|error| Error::source(origin, digest, error))
    }

    async fn read(&self, job: &Job) -> Result<Content, GraphError> {
        let Job {
            origin,
            digest,
            platforms,
            ..
        } = job;
        let room = Room::new();
        let image = Graph::read(&self.manifests, origin, digest, platforms, &room).await?;
        let (company, seen) = match job.referrers {
            ReferrerTypes::None => (Company::default(), None),
            ReferrerTypes::All | ReferrerTypes::Only(_) => {
                let is_rewritten = image.root.digest() != digest;
                let subjects = image
                    .manifests()
                    .filter(|manifest| !(is_rewritten && manifest.digest() == image.root.digest()))
                    .map(|manifest| manifest.digest().clone())
                    .collect();
                let company = self
                    .finder
                    .find(&self.manifests, origin, subjects, Wish::of(job), &room)
                    .await?;
                let is_index = matches!(image.root.content(), Described::Index(_));
                let listed = self.finder.known_list(origin);
                let trace = &company.trace;
                let seen = trace.sum_up(digest, is_index, listed.as_deref());
                (company, Some(seen))
            }
        };
        Ok(Content {
            origin: origin.clone(),
            image,
            company,
            seen,
            is_late: false,
        })
    }
}
