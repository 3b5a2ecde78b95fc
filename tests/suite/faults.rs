//! Copies between registries that misbehave: every fault with its right outcome, the whole way.
//!
//! A case is one run that copies two images. The fault meets the first of them; the second arrives
//! whatever happens. Where the first fails, nothing of it is visible, the message says where and
//! what to do and repeats nothing of what a registry said, and the next run makes it good once the
//! fault is gone.

mod cancel;
mod content;
mod destination;
mod fan_out;
mod garbage;
mod hops;
mod rounds;
mod source;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::time::timeout;
use transship::api::ReferrersMode;
use transship::copy::{Done, Endpoint, Engine, Error, Job, Origin, Progress, TagPush, Target};
use transship::plan::Platforms;
use transship::registry::{Credential, Pool, Settings};

use crate::support::canary::Canary;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Draft;
use crate::support::http::{Reply, Request};
use crate::support::witness::Witness;

/// How the client under test names itself.
const AGENT: &str = "transship/test";
/// A word of registries and logins that no message repeats.
const CANARY: &str = "canary";
/// Longer than anything takes that does not hang.
const HANGING: Duration = Duration::from_secs(20);

/// A fault, where it happens, and how the run tells of it.
///
/// In messages `SOURCE`, `DESTINATION` and `BYSTANDER` stand for hosts; digests and times are left out.
type Row = (&'static str, fn(&Lab), &'static str);
/// The same with a lab of its own.
type Case = (&'static str, Lab, &'static str);

/// A source and a destination that can be told to misbehave, and what is copied between them.
struct Lab {
    source: Arc<FaultRegistry>,
    destination: Arc<FaultRegistry>,
    /// `team/app:1`, which the fault meets.
    image: Image,
    /// `team/other:1`, which nothing happens to, and where it is.
    other: (Image, Arc<FaultRegistry>),
    /// Nobody has any business with it.
    bystander: Canary,
    /// Who asks the source.
    credential: Credential,
    /// Whether the copy succeeds once the rules are taken away.
    heals: bool,
}

// === impl Lab ===

impl Lab {
    fn new() -> Self {
        Self::copying(image())
    }

    fn copying(image: Image) -> Self {
        Self::between(FaultRegistry::start(), FaultRegistry::start(), image)
    }

    fn between(source: FaultRegistry, destination: FaultRegistry, image: Image) -> Self {
        let (source, other) = (
            Arc::new(source),
            ImageBuilder::new(99).layers(&[3_000]).build(),
        );
        source.load("team/app", "1", &image);
        source.load("team/other", "1", &other);
        Self {
            other: (other, source.clone()),
            source,
            destination: Arc::new(destination),
            image,
            bystander: Canary::start(),
            credential: Credential::Anonymous,
            heals: true,
        }
    }

    /// The same with the other image at a registry of its own: the fault is about a whole host.
    fn with_the_other_elsewhere(mut self) -> Self {
        let elsewhere = FaultRegistry::start();
        elsewhere.load("team/other", "1", &self.other.0);
        self.other.1 = Arc::new(elsewhere);
        self
    }

    /// The same with a fault that stays: it is in the image, or is remembered.
    fn for_good(self) -> Self {
        Self {
            heals: false,
            ..self
        }
    }

    /// Starts a rule for requests about the image at the source.
    fn at_source(&self, method: &'static str, part: impl Into<String>) -> Draft<'_> {
        about_the_image(&self.source, method, part)
    }

    /// Starts a rule for requests about the image at the destination.
    fn at_destination(&self, method: &'static str, part: impl Into<String>) -> Draft<'_> {
        about_the_image(&self.destination, method, part)
    }

    /// The largest layer of the image, as it stands in requests.
    fn layer(&self) -> String {
        let layer = self.image.blobs.iter().max_by_key(|blob| blob.bytes.len());
        format!("/blobs/{}", layer.expect("a layer").digest)
    }

    /// The first child of the image, as it stands in requests.
    fn child(&self) -> String {
        format!("/manifests/{}", self.image.children[0].digest)
    }

    /// The root of the image, as it stands in requests.
    fn root(&self) -> String {
        format!("/manifests/{}", self.image.digest())
    }

    /// The job that copies the image, referrers included, and lets a new tag name it.
    fn job(&self, pool: &Pool) -> Job {
        let origin = endpoint(pool, &self.source.host(), self.credential.clone());
        job(
            origin,
            &self.image,
            target(pool, &self.destination.host(), "team/app"),
        )
    }

    /// One run: both images at once. What became of the first; the second is there.
    async fn run(&self, engine: &Engine, pool: &Pool) -> Result<Done, Error> {
        let (other, elsewhere) = &self.other;
        let origin = endpoint(pool, &elsewhere.host(), self.credential.clone());
        let unaffected = job(
            origin,
            other,
            target(pool, &self.destination.host(), "team/other"),
        );
        let affected = self.job(pool);
        let (mut outcome, mut unaffected) =
            tokio::join!(engine.copy(&affected), engine.copy(&unaffected));
        unaffected.remove(0).expect("the other image");
        assert_complete(&self.destination, "team/other", other).await;
        outcome.remove(0)
    }

    /// Runs, looks at what is left behind, and runs again without the fault. What became of the image.
    async fn prove(self, name: &str) -> String {
        let (engine, pool) = (Engine::new(Progress::none()), Pool::new(AGENT));
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
    async fn assert_quiet(&self, name: &str) {
        let quiet = async { tokio::join!(self.source.quiet(), self.destination.quiet()) };
        let waited = timeout(HANGING, quiet).await;
        assert!(waited.is_ok(), "{name}: a request goes on");
    }

    /// What became of the image, in words that are the same in every run.
    fn describe(&self, outcome: &Result<Done, Error>) -> String {
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
        format!("{}: {}", error.reason(), without_digests(&text))
    }
}

/// Proves all rows of a table side by side, each in an ordinary lab of its own.
async fn check(rows: &[Row]) {
    let cases = rows.iter().map(|(name, fault, expected)| {
        let lab = Lab::new();
        fault(&lab);
        (*name, lab, *expected)
    });
    check_cases(cases).await;
}

/// Proves all cases side by side.
async fn check_cases(cases: impl IntoIterator<Item = Case>) {
    let proofs = cases.into_iter().map(|(name, lab, expected)| async move {
        let proof = AssertUnwindSafe(lab.prove(name)).catch_unwind().await;
        let found = proof.unwrap_or_else(|_| "it panicked, see above".to_owned());
        (found != expected).then(|| format!("{name}\n   found: {found}\nexpected: {expected}\n"))
    });
    let wrong: Vec<String> = join_all(proofs).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn about_the_image<'a>(
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

/// An index of two images with two layers each.
fn image() -> Image {
    ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 50_000])
        .build()
}

fn endpoint(pool: &Pool, host: &str, credential: Credential) -> Endpoint {
    let settings = Settings {
        credential,
        insecure: true,
        ..Settings::default()
    };
    Endpoint::Registry(pool.client(&host.parse().unwrap(), &settings).unwrap())
}

/// A repository that is to have an image under the tag `1`.
fn target(pool: &Pool, host: &str, repository: &str) -> Target {
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
fn job(origin: Endpoint, image: &Image, target: Target) -> Job {
    Job {
        origin: Origin {
            endpoint: origin,
            repository: target.repository.clone(),
        },
        digest: image.digest().parse().unwrap(),
        platforms: Platforms::All,
        referrers: ReferrersMode::Copy,
        targets: vec![target],
    }
}

/// An error as a registry sends it, with a word that must not be repeated.
fn refusal(status: u16, code: &str) -> Reply {
    Reply::error(status, code, CANARY)
}

async fn assert_complete(registry: &FaultRegistry, repository: &str, image: &Image) {
    let mut witness = Witness::new(registry.client(), repository).expecting(image);
    assert_eq!(witness.check("1").await, [], "{repository}");
    assert_eq!(
        witness.digest("1").await.unwrap(),
        image.digest(),
        "{repository}"
    );
}

fn without_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        format!("{text}DIGEST{rest}")
    })
}
