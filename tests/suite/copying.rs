// SPDX-License-Identifier: Apache-2.0

//! The copy engine between real registries: what arrives, in how many requests, in which order.

use transship::api::{AbsentPlatform, Attestations, IndexMode};
use transship::copy::{
    Action, Done, Endpoint, Engine, Error, Job, Origin, Progress, TagPush, Target,
};
use transship::oci::Digest;
use transship::plan::{Platforms, ReferrerTypes};
use transship::registry::{Credential, Pool, Settings, Tls};

use crate::support::access_log::{Resource, count};
use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::poller::Poller;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// Every registry kind in every security mode.
fn every_registry() -> impl Iterator<Item = (Kind, Security)> {
    Kind::ALL
        .into_iter()
        .flat_map(|kind| Security::ALL.map(|security| (kind, security)))
}

/// Opens a registry of the harness as a user would.
fn endpoint(registry: &Registry) -> Endpoint {
    let access = registry.access();
    let settings = Settings {
        credential: access
            .login
            .map_or(Credential::Anonymous, |login| Credential::Basic {
                username: login.username,
                password: login.password.into(),
            }),
        tls: Tls {
            ca_pem: access.ca_pem.map(String::into_bytes),
            identity_pem: None,
        },
        insecure: access.url.starts_with("http://"),
        trusted_realms: registry
            .token_server()
            .map(|server| server.address().to_string())
            .into_iter()
            .collect(),
        ..Settings::default()
    };
    let pool = Pool::new("transship-test");
    let host = registry.host().parse().expect("a registry");
    Endpoint::Registry(pool.client(&host, &settings).expect("a client"))
}

/// A copy in the making: where from, what, where to.
struct Copying {
    engine: Engine,
    job: Job,
}

impl Copying {
    fn new(source: &Registry, repository: &str, image: &Image) -> Self {
        let origin = Origin {
            endpoint: endpoint(source),
            repository: repository.parse().unwrap(),
        };
        let job = Job {
            origin,
            digest: image.digest().parse().unwrap(),
            platforms: Platforms::All,
            referrers: ReferrerTypes::All,
            evidence: Vec::new(),
            is_gated: false,
            targets: Vec::new(),
        };
        Self {
            engine: Engine::new(Progress::none()),
            job,
        }
    }

    fn platforms(mut self, platforms: &[&str], index: IndexMode) -> Self {
        let platforms = platforms
            .iter()
            .map(|platform| platform.parse().unwrap())
            .collect();
        self.job.platforms = Platforms::List {
            platforms,
            absent: AbsentPlatform::Fail,
            index,
            attestations: Attestations::Copy,
        };
        self
    }

    fn to(mut self, registry: &Registry, repository: &str, tags: &[&str]) -> Self {
        self.job.targets.push(Target {
            endpoint: endpoint(registry),
            repository: repository.parse().unwrap(),
            tags: tags.iter().map(|tag| new_tag(tag)).collect(),
        });
        self
    }

    async fn run(&self) -> Vec<Result<Done, Error>> {
        self.engine.copy(&self.job).await
    }

    async fn expect(&self) -> Vec<Done> {
        self.run()
            .await
            .into_iter()
            .map(|result| result.expect("a copy"))
            .collect()
    }
}

fn new_tag(tag: &str) -> TagPush {
    TagPush {
        tag: tag.parse().unwrap(),
        current: None,
        previous: None,
    }
}

fn multi_arch(seed: u64) -> ImageBuilder {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64", "linux/arm/v7"])
        .layers(&[3_000, 40_000])
}

async fn assert_complete(registry: &Registry, repository: &str, image: &Image, tags: &[&str]) {
    let mut witness = Witness::new(registry.client(), repository).expecting(image);
    for tag in tags {
        assert_eq!(witness.check(tag).await, [], "{repository}:{tag}");
        assert_eq!(
            witness.digest(tag).await.unwrap(),
            image.digest(),
            "{repository}:{tag}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_with_its_signatures_arrives_at_every_registry_in_every_mode() {
    let image = multi_arch(1)
        .attestations()
        .referrer("application/vnd.example.sbom")
        .child_referrer("application/vnd.example.signature")
        .signature_tag()
        .build();
    for (kind, security) in every_registry() {
        let (source, destination) = tokio::join!(
            Registry::start(kind, security),
            Registry::start(kind, security)
        );
        source.client().push("library/app", "1.0", &image).await;
        let poller = Poller::watch_images(&destination.client(), &["mirror/app"], &[&image]);
        let done = Copying::new(&source, "library/app", &image)
            .to(&destination, "mirror/app", &["1.0"])
            .expect()
            .await;
        let seen = poller.finish().await;
        assert_eq!(done[0].action, Action::Copied, "{kind:?} {security:?}");
        assert_eq!(seen.problems, [], "{kind:?} {security:?}");
        assert_complete(&destination, "mirror/app", &image, &["1.0"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_copy_takes_two_requests_a_blob_and_three_more() {
    for kind in [Kind::Distribution3, Kind::Distribution2] {
        let image = multi_arch(2).build();
        let (blobs, children) = (image.blobs.len(), image.children.len());
        let (source, destination) = tokio::join!(
            Registry::start(kind, Security::Plain),
            Registry::start(kind, Security::Plain)
        );
        source.client().push("app", "1", &image).await;
        source.forget_requests().await;
        Copying::new(&source, "app", &image)
            .to(&destination, "app", &["1"])
            .expect()
            .await;

        // The look at the destination tag belongs to the round, not to the engine.
        let requests = destination.requests().await;
        assert_eq!(
            requests.len(),
            2 * blobs + children + 2,
            "{kind:?}: {requests:#?}"
        );
        let read = source.requests().await;
        assert_eq!(count(&read, "GET", Resource::Blob), blobs, "{kind:?}");
        assert_eq!(
            count(&read, "GET", Resource::Manifest),
            children + 1,
            "{kind:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_serves_three_destinations() {
    let image = multi_arch(3).layers(&[2_000_000]).build();
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push("app", "1", &image).await;
    source.forget_requests().await;
    let destinations = [
        Registry::start(Kind::Distribution3, Security::Plain).await,
        Registry::start(Kind::Distribution2, Security::Plain).await,
        Registry::start(Kind::Crane, Security::Plain).await,
    ];
    let copying = destinations
        .iter()
        .fold(Copying::new(&source, "app", &image), |copying, registry| {
            copying.to(registry, "a/b", &["1", "2"])
        });
    copying.expect().await;
    for registry in &destinations {
        assert_complete(registry, "a/b", &image, &["1", "2"]).await;
    }
    let read = source.requests().await;
    assert_eq!(count(&read, "GET", Resource::Blob), image.blobs.len());
    assert_eq!(
        count(&read, "GET", Resource::Manifest),
        image.children.len() + 1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_fails_does_not_stop_the_others() {
    let image = multi_arch(4).build();
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push("app", "1", &image).await;
    let good = Registry::start(Kind::Distribution3, Security::Plain).await;
    let mut gone = Registry::start(Kind::Distribution3, Security::Plain).await;
    let copying = Copying::new(&source, "app", &image)
        .to(&gone, "app", &["1"])
        .to(&good, "app", &["1"]);
    gone.stop();
    let results = copying.run().await;
    assert!(results[0].is_err());
    assert!(results[1].is_ok());
    assert_complete(&good, "app", &image, &["1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_that_a_registry_has_are_mounted_or_left_out() {
    let shared = Blob::layer(5, 500_000);
    let images: Vec<Image> = (0..3_u64)
        .map(|seed| {
            ImageBuilder::new(50 + seed)
                .shared_layer(&shared)
                .layers(&[1_000])
                .build()
        })
        .collect();
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    for (place, image) in images.iter().enumerate() {
        source
            .client()
            .push(&format!("app{place}"), "1", image)
            .await;
    }
    source.forget_requests().await;
    let engine = Engine::new(Progress::none());
    let jobs: Vec<Job> = images
        .iter()
        .enumerate()
        .map(|(place, image)| {
            let name = format!("app{place}");
            Copying::new(&source, &name, image)
                .to(&destination, &name, &["1"])
                .job
        })
        .collect();
    let results = futures::future::join_all(jobs.iter().map(|job| engine.copy(job))).await;
    let sent: u64 = results
        .into_iter()
        .flatten()
        .map(|done| done.expect("a copy").bytes)
        .sum();
    let distinct: usize = images
        .iter()
        .flat_map(|image| &image.blobs)
        .map(|blob| (blob.digest.clone(), blob.bytes.len()))
        .collect::<std::collections::HashMap<_, _>>()
        .values()
        .sum();
    assert_eq!(sent, distinct as u64);
    for (place, image) in images.iter().enumerate() {
        assert_complete(&destination, &format!("app{place}"), image, &["1"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_process_sends_only_what_is_missing() {
    let shared = Blob::layer(6, 300_000);
    let old = ImageBuilder::new(60).shared_layer(&shared).build();
    let new = ImageBuilder::new(61)
        .shared_layer(&shared)
        .layers(&[7_000])
        .build();
    for kind in [Kind::Distribution3, Kind::Distribution2] {
        let source = Registry::start(kind, Security::Plain).await;
        let destination = Registry::start(kind, Security::Plain).await;
        source.client().push("app", "1", &old).await;
        source.client().push("app", "2", &new).await;
        Copying::new(&source, "app", &old)
            .to(&destination, "app", &["1"])
            .expect()
            .await;
        let done = Copying::new(&source, "app", &new)
            .to(&destination, "app", &["2"])
            .expect()
            .await;
        let missing: usize = new
            .blobs
            .iter()
            .filter(|blob| old.blobs.iter().all(|known| known.digest != blob.digest))
            .map(|blob| blob.bytes.len())
            .sum();
        assert_eq!(done[0].bytes, missing as u64, "{kind:?}");
        assert_complete(&destination, "app", &new, &["2"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_tag_costs_what_is_new_in_it_at_every_registry() {
    let shared: Vec<Blob> = (0..9).map(|seed| Blob::layer(seed, 2_000_000)).collect();
    let release = |seed| {
        let builder = shared
            .iter()
            .fold(ImageBuilder::new(seed), ImageBuilder::shared_layer);
        builder.layers(&[900]).build()
    };
    let (old, new) = (release(70), release(71));
    for kind in Kind::ALL {
        let source = Registry::start(kind, Security::Plain).await;
        let destination = Registry::start(kind, Security::Plain).await;
        source.client().push("app", "1", &old).await;
        source.client().push("app", "2", &new).await;
        // Each in a process of its own, so to speak: nothing is known of what is there.
        let blobs = |image: &Image| {
            image
                .blobs
                .iter()
                .map(|blob| blob.bytes.len())
                .sum::<usize>()
        };
        let is_new = |blob: &&Blob| old.blobs.iter().all(|known| known.digest != blob.digest);
        let missing = new.blobs.iter().filter(is_new);
        let missing: usize = missing.map(|blob| blob.bytes.len()).sum();
        for (tag, image, sent) in [("1", &old, blobs(&old)), ("2", &new, missing)] {
            let sent = sent as u64;
            let copying = Copying::new(&source, "app", image).to(&destination, "app", &[tag]);
            let done = copying.expect().await;
            assert_eq!(done[0].bytes, sent, "{kind:?}: {tag}");
            let Endpoint::Registry(client) = &copying.job.targets[0].endpoint else {
                panic!("a registry")
            };
            let written = client.traffic().bytes_written;
            let manifest = image.root.bytes.len() as u64;
            assert_eq!(written, sent + manifest, "{kind:?}: {tag}");
        }
        assert_complete(&destination, "app", &new, &["2"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retag_in_the_same_repository_moves_no_bytes() {
    let image = multi_arch(7).build();
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Plain).await;
        registry.client().push("app", "1", &image).await;
        registry.forget_requests().await;
        let done = Copying::new(&registry, "app", &image)
            .to(&registry, "app", &["stable"])
            .expect()
            .await;
        assert_eq!((done[0].action, done[0].bytes), (Action::Retagged, 0));
        let requests = registry.requests().await;
        assert_eq!(
            count(&requests, "PUT", Resource::Manifest),
            1,
            "{kind:?}: {requests:#?}"
        );
        assert_eq!(count(&requests, "POST", Resource::Upload), 0, "{kind:?}");
        assert_complete(&registry, "app", &image, &["stable"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_tag_keeps_the_previous_one_where_that_is_wanted() {
    let (old, new) = (multi_arch(8).build(), multi_arch(9).build());
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push("app", "1", &new).await;
    destination.client().push("app", "1", &old).await;
    let mut copying = Copying::new(&source, "app", &new).to(&destination, "app", &["1"]);
    copying.job.targets[0].tags[0] = TagPush {
        tag: "1".parse().unwrap(),
        current: Some(old.digest().parse().unwrap()),
        previous: Some("1-previous".parse().unwrap()),
    };
    let poller = Poller::watch(&destination.client(), &["app"]);
    copying.expect().await;
    assert_eq!(poller.finish().await.problems, []);
    assert_complete(&destination, "app", &new, &["1"]).await;
    assert_complete(&destination, "app", &old, &["1-previous"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_subset_is_a_correct_index_or_the_original_one() {
    let image = multi_arch(10).attestations().build();
    let wanted = ["linux/amd64", "linux/arm64"];
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push("app", "1", &image).await;

    for kind in Kind::ALL {
        let destination = Registry::start(kind, Security::Plain).await;
        let done = Copying::new(&source, "app", &image)
            .platforms(&wanted, IndexMode::Rewrite)
            .to(&destination, "app", &["1"])
            .expect()
            .await;
        assert_ne!(done[0].digest.as_str(), image.digest(), "{kind:?}");
        let mut witness = Witness::new(destination.client(), "app");
        assert_eq!(witness.check("1").await, [], "{kind:?}");
        assert_eq!(
            witness.digest("1").await.unwrap(),
            done[0].digest.as_str(),
            "{kind:?}"
        );
        assert_eq!(
            entries(&destination, "app", "1").await,
            4,
            "two images and their attestations"
        );
    }

    let whole = Copying::new(&source, "app", &image).platforms(
        &["linux/amd64", "linux/arm64", "linux/arm/v7"],
        IndexMode::Rewrite,
    );
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    whole.to(&destination, "app", &["1"]).expect().await;
    assert_complete(&destination, "app", &image, &["1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sparse_index_keeps_its_digest_where_the_registry_takes_it() {
    let image = multi_arch(11).build();
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push("app", "1", &image).await;
    let preserve = |destination: &Registry| {
        Copying::new(&source, "app", &image)
            .platforms(&["linux/amd64"], IndexMode::Preserve)
            .to(destination, "app", &["1"])
    };

    let strict = Registry::start(Kind::Distribution3, Security::Plain).await;
    let error = preserve(&strict)
        .run()
        .await
        .remove(0)
        .expect_err("distribution checks the children");
    assert_eq!(error.reason().as_str(), "SparseIndexRefused");

    let lenient = Registry::options(Kind::Distribution3)
        .sparse_indexes()
        .start()
        .await;
    preserve(&lenient).expect().await;
    let mut witness = Witness::new(lenient.client(), "app").sparse();
    assert_eq!(witness.check("1").await, []);
    assert_eq!(witness.digest("1").await.unwrap(), image.digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_platforms_are_an_error_unless_they_may_be_skipped() {
    let image = multi_arch(12).build();
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push("app", "1", &image).await;
    let copying = |platforms: &[&str]| {
        Copying::new(&source, "app", &image)
            .platforms(platforms, IndexMode::Rewrite)
            .to(&destination, "app", &["1"])
    };
    for platforms in [&["linux/amd64", "linux/s390x"][..], &["windows/amd64"]] {
        let error = copying(platforms)
            .run()
            .await
            .remove(0)
            .expect_err("a platform is absent");
        assert_eq!(error.reason().as_str(), "NotFound", "{error}");
    }
    let mut skipping = copying(&["linux/amd64", "linux/s390x"]);
    if let Platforms::List { absent, .. } = &mut skipping.job.platforms {
        *absent = AbsentPlatform::Skip;
    }
    skipping.expect().await;
    assert_eq!(entries(&destination, "app", "1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_content_passes() {
    let cases = [
        ("a nested index", multi_arch(20).nested()),
        (
            "a layer of zero length",
            ImageBuilder::new(21).empty_layer(),
        ),
        ("a sha512 layer", ImageBuilder::new(22).sha512_layer(5_000)),
        ("no layers at all", ImageBuilder::new(23)),
        (
            "Docker media types",
            multi_arch(24).format(crate::support::content::Format::Docker),
        ),
    ];
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    for (name, builder) in cases {
        let image = builder.build();
        source.client().push("app", "1", &image).await;
        let results = Copying::new(&source, "app", &image)
            .to(&destination, "app", &["1"])
            .run()
            .await;
        assert!(results[0].is_ok(), "{name}: {:?}", results[0]);
        assert_complete(&destination, "app", &image, &["1"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_lost_a_blob_gets_it_again() {
    let image = multi_arch(30).build();
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution2, Security::Plain).await;
    source.client().push("app", "1", &image).await;
    Copying::new(&source, "app", &image)
        .to(&destination, "app", &["1"])
        .expect()
        .await;
    let layer = image
        .blobs
        .iter()
        .max_by_key(|blob| blob.bytes.len())
        .unwrap();
    destination.lose_content(&layer.digest);

    let again = Copying::new(&source, "app", &image).to(&destination, "app", &["2"]);
    let done = again.expect().await;
    assert!(
        done[0].bytes >= layer.bytes.len() as u64,
        "a registry that says it has a blob is not believed"
    );
    assert_complete(&destination, "app", &image, &["2"]).await;
}

async fn entries(registry: &Registry, repository: &str, tag: &str) -> usize {
    let endpoint = endpoint(registry);
    let tag = transship::oci::TagOrDigest::Tag(tag.parse().unwrap());
    let manifest = endpoint
        .fetch_manifest(&repository.parse().unwrap(), &tag)
        .await
        .unwrap();
    assert!(
        manifest.digest().matches(manifest.bytes()),
        "{}",
        Digest::sha256(manifest.bytes())
    );
    match manifest.content() {
        transship::oci::Content::Index(index) => index.manifests.len(),
        transship::oci::Content::Image(_) => 0,
    }
}
