// SPDX-License-Identifier: Apache-2.0

//! What a fault is tried on: two registries and two images, one of which the fault meets.

use std::sync::Arc;

use tokio::time::timeout;
use transship::copy::{Done, Endpoint, Engine, Error, Job, Origin, Progress, TagPush, Target};
use transship::plan::{Platforms, ReferrerTypes};
use transship::registry::{Credential, Pool, Settings};

use super::{AGENT, CANARY, HANGING, without_details, without_digests, without_words};
use crate::support::canary::Canary;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Request;
use crate::support::http::script::Draft;
use crate::support::witness::Witness;

/// A source and a destination that can be told to misbehave, and what is copied between them.
pub(super) struct Lab {
    pub(super) source: Arc<FaultRegistry>,
    pub(super) destination: Arc<FaultRegistry>,
    /// `team/app:1`, which the fault meets.
    pub(super) image: Image,
    /// `team/other:1`, which nothing happens to, and where it is.
    pub(super) other: (Image, Arc<FaultRegistry>),
    /// Where the other image goes.
    pub(super) others_destination: Arc<FaultRegistry>,
    /// Nobody has any business with it.
    pub(super) bystander: Canary,
    /// Who asks the source.
    pub(super) credential: Credential,
    /// Whether the copy succeeds once the rules are taken away.
    pub(super) heals: bool,
}

// === impl Lab ===

impl Lab {
    pub(super) fn new() -> Self {
        Self::copying(image())
    }

    pub(super) fn copying(image: Image) -> Self {
        Self::between(FaultRegistry::start(), FaultRegistry::start(), image)
    }

    pub(super) fn between(source: FaultRegistry, destination: FaultRegistry, image: Image) -> Self {
        let (source, other) = (
            Arc::new(source),
            ImageBuilder::new(99).layers(&[3_000]).build(),
        );
        source.load("team/app", "1", &image);
        source.load("team/other", "1", &other);
        let destination = Arc::new(destination);
        Self {
            other: (other, source.clone()),
            others_destination: destination.clone(),
            source,
            destination,
            image,
            bystander: Canary::start(),
            credential: Credential::Anonymous,
            heals: true,
        }
    }

    /// The same with the other image between registries of its own: the fault is about a whole host.
    pub(super) fn with_the_other_elsewhere(mut self) -> Self {
        let elsewhere = FaultRegistry::start();
        elsewhere.load("team/other", "1", &self.other.0);
        self.other.1 = Arc::new(elsewhere);
        self.others_destination = Arc::new(FaultRegistry::start());
        self
    }

    /// The same with a fault that stays: it is in the image, or is remembered.
    pub(super) fn for_good(self) -> Self {
        Self {
            heals: false,
            ..self
        }
    }

    /// Starts a rule for requests about the image at the source.
    pub(super) fn at_source(&self, method: &'static str, part: impl Into<String>) -> Draft<'_> {
        about_the_image(&self.source, method, part)
    }

    /// Starts a rule for requests about the image at the destination.
    pub(super) fn at_destination(
        &self,
        method: &'static str,
        part: impl Into<String>,
    ) -> Draft<'_> {
        about_the_image(&self.destination, method, part)
    }

    /// The largest layer of the image, as it stands in requests.
    pub(super) fn layer(&self) -> String {
        let layer = self.image.blobs.iter().max_by_key(|blob| blob.bytes.len());
        format!("/blobs/{}", layer.expect("a layer").digest)
    }

    /// The first child of the image, as it stands in requests.
    pub(super) fn child(&self) -> String {
        format!("/manifests/{}", self.image.children[0].digest)
    }

    /// The root of the image, as it stands in requests.
    pub(super) fn root(&self) -> String {
        format!("/manifests/{}", self.image.digest())
    }

    /// Starts a rule for reading the largest layer.
    pub(super) fn layer_read(&self) -> Draft<'_> {
        self.at_source("GET", self.layer())
    }

    /// Starts a rule for reading the first child.
    pub(super) fn child_read(&self) -> Draft<'_> {
        self.at_source("GET", self.child())
    }

    /// Starts a rule for reading the root.
    pub(super) fn root_read(&self) -> Draft<'_> {
        self.at_source("GET", self.root())
    }

    /// Starts a rule for announcing a blob, or asking for a mount.
    pub(super) fn announcement(&self) -> Draft<'_> {
        self.at_destination("POST", "/uploads/")
    }

    /// Starts a rule for sending a blob.
    pub(super) fn upload(&self) -> Draft<'_> {
        self.at_destination("PUT", "/uploads/")
    }

    /// Starts a rule for writing any manifest.
    pub(super) fn manifest_write(&self) -> Draft<'_> {
        self.at_destination("PUT", "/manifests/")
    }

    /// Starts a rule for writing the first child.
    pub(super) fn child_write(&self) -> Draft<'_> {
        self.at_destination("PUT", self.child())
    }

    /// Starts a rule for writing the tag.
    pub(super) fn tag_write(&self) -> Draft<'_> {
        self.at_destination("PUT", "/manifests/1")
    }

    /// The job that copies the image, referrers included, and lets a new tag name it.
    pub(super) fn job(&self, pool: &Pool) -> Job {
        let origin = endpoint(pool, &self.source.host(), self.credential.clone());
        job(
            origin,
            &self.image,
            target(pool, &self.destination.host(), "team/app"),
        )
    }

    /// One run: both images at once. What became of the first; the second is there.
    pub(super) async fn run(&self, engine: &Engine, pool: &Pool) -> Result<Done, Error> {
        let (other, elsewhere) = &self.other;
        let origin = endpoint(pool, &elsewhere.host(), self.credential.clone());
        let unaffected = job(
            origin,
            other,
            target(pool, &self.others_destination.host(), "team/other"),
        );
        let affected = self.job(pool);
        let (mut outcome, mut unaffected) =
            tokio::join!(engine.copy(&affected), engine.copy(&unaffected));
        unaffected.remove(0).expect("the other image");
        assert_complete(&self.others_destination, "team/other", other).await;
        outcome.remove(0)
    }

    /// Runs, looks at what is left behind, and runs again without the fault. What became of the image.
    pub(super) async fn prove(self, name: &str) -> String {
        let (engine, pool) = process();
        let outcome = self.run(&engine, &pool).await;
        self.assert_quiet(name).await;
        self.source.script().clear_rules();
        self.destination.script().clear_rules();
        if outcome.is_ok() {
            assert_complete(&self.destination, "team/app", &self.image).await;
        } else {
            let tags = self.destination.tags("team/app");
            assert!(tags.is_empty(), "{name}: {tags:?} can be seen");
        }
        if outcome.is_err() && self.heals {
            let again = self.run(&engine, &pool).await;
            assert!(again.is_ok(), "{name}, in the next run: {again:?}");
            assert_complete(&self.destination, "team/app", &self.image).await;
        }
        assert_eq!(self.bystander.connections(), 0, "{name}");
        self.describe(&outcome)
    }

    /// Nobody asks for anything any more.
    pub(super) async fn assert_quiet(&self, name: &str) {
        let quiet = async { tokio::join!(self.source.quiet(), self.destination.quiet()) };
        let waited = timeout(HANGING, quiet).await;
        assert!(waited.is_ok(), "{name}: a request goes on");
    }

    /// What became of the image, in words that are the same in every run.
    pub(super) fn describe(&self, outcome: &Result<Done, Error>) -> String {
        let error = match outcome {
            Ok(Done { action, .. }) => return format!("{action:?}"),
            Err(error) => error,
        };
        let text = error.to_string();
        assert!(!text.contains(CANARY) && !text.contains('?'), "{text}");
        let text = text
            .replace(&self.source.host(), "SOURCE")
            .replace(&self.destination.host(), "DESTINATION")
            .replace(&self.bystander.host(), "BYSTANDER");
        assert!(
            text.contains("SOURCE") || text.contains("DESTINATION"),
            "{text}"
        );
        let until = error.retry_at().map(|time| format!("{time:.0}"));
        let text = until.map_or(text.clone(), |until| text.replace(&until, "TIME"));
        format!(
            "{}: {}",
            error.reason(),
            without_words(&without_digests(without_details(&text)))
        )
    }
}

pub(super) fn about_the_image<'a>(
    registry: &'a FaultRegistry,
    method: &'static str,
    part: impl Into<String>,
) -> Draft<'a> {
    let part = part.into();
    registry.script().when(move |request: &Request| {
        let target = request.target();
        request.method == method && target.starts_with("/v2/team/app/") && target.contains(&part)
    })
}

/// The engine and the clients of one process.
pub(super) fn process() -> (Engine, Pool) {
    (Engine::new(Progress::none()), Pool::new(AGENT))
}

/// An index of two images with two layers each.
pub(super) fn image() -> Image {
    ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 50_000])
        .build()
}

pub(super) fn endpoint(pool: &Pool, host: &str, credential: Credential) -> Endpoint {
    let settings = Settings {
        credential,
        insecure: true,
        ..Settings::default()
    };
    Endpoint::Registry(pool.client(&host.parse().unwrap(), &settings).unwrap())
}

/// A repository that is to have an image under the tag `1`.
pub(super) fn target(pool: &Pool, host: &str, repository: &str) -> Target {
    Target {
        endpoint: endpoint(pool, host, Credential::Anonymous),
        repository: repository.parse().unwrap(),
        tags: vec![TagPush {
            tag: "1".parse().unwrap(),
            current: None,
            previous: None,
        }],
    }
}

/// A job that reads an image from the repository of the name that the target has.
pub(super) fn job(origin: Endpoint, image: &Image, target: Target) -> Job {
    Job {
        origin: Origin {
            endpoint: origin,
            repository: target.repository.clone(),
        },
        digest: image.digest().parse().unwrap(),
        platforms: Platforms::All,
        referrers: ReferrerTypes::All,
        evidence: Vec::new(),
        is_gated: false,
        targets: vec![target],
    }
}

pub(super) async fn assert_complete(registry: &FaultRegistry, repository: &str, image: &Image) {
    let mut witness = Witness::new(registry.client(), repository).expecting(image);
    assert_eq!(witness.check("1").await, [], "{repository}");
    assert_eq!(
        witness.digest("1").await.unwrap(),
        image.digest(),
        "{repository}"
    );
}
