// SPDX-License-Identifier: Apache-2.0

//! Real registries start, refuse strangers, take images and log what they are asked.

use std::sync::Arc;

use bytes::Bytes;

use crate::support::access_log::{Request, Resource, count};
use crate::support::client::{Access, Client};
use crate::support::content::ImageBuilder;
use crate::support::corpus::{Corpus, Families, MultiArch};
use crate::support::crash::CrashPoint;
use crate::support::credentials::{Login, docker_config};
use crate::support::faults::FaultRegistry;
use crate::support::front::Moment;
use crate::support::program::Program;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tls::Authority;
use crate::support::tools;
use crate::support::witness::Witness;

#[tokio::test]
async fn every_kind_takes_an_image_in_every_mode() {
    for kind in Kind::ALL {
        for security in Security::ALL {
            let registry = Registry::start(kind, security).await;
            let image = ImageBuilder::new(1)
                .layers(&[3000, 70_000])
                .platforms(&["linux/amd64", "linux/arm64/v8"])
                .build();
            registry.client().push("team/app", "v1", &image).await;
            let digest = registry
                .client()
                .resolve_digest("team/app", "v1")
                .await
                .unwrap();
            assert_eq!(
                digest.as_deref(),
                Some(image.digest()),
                "{kind:?} {security:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_guarded_registry_refuses_strangers() {
    for kind in Kind::ALL {
        for security in [Security::Basic, Security::Token] {
            let registry = Registry::start(kind, security).await;
            for (who, login) in [
                ("anonymous", None),
                ("wrong password", Some(Login::wrong())),
            ] {
                let stranger = Client::new(Access {
                    login,
                    ..registry.access()
                });
                let status = stranger.get("/v2/team/app/tags/list").await.unwrap().status;
                assert_eq!(status, 401, "{kind:?} {security:?} {who}");
            }
        }
    }
}

#[tokio::test]
async fn a_registry_logs_requests_of_others_completely() {
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Plain).await;
        let other = reqwest::Client::builder()
            .user_agent("other")
            .no_proxy()
            .build()
            .unwrap();
        for page in 0..50 {
            other
                .get(format!("{}/v2/a/b/tags/list?page={page}", registry.url()))
                .send()
                .await
                .unwrap();
        }
        let requests = registry.requests().await;
        assert_eq!(count(&requests, "GET", Resource::Tags), 50, "{kind:?}");
        assert_eq!(
            (requests[49].path.as_str(), requests[49].status),
            ("/v2/a/b/tags/list?page=49", 404),
            "{kind:?}"
        );
        registry.forget_requests().await;
        assert_eq!(registry.requests().await, [], "{kind:?}");
    }
}

#[tokio::test]
async fn security_combines() {
    for kind in Kind::ALL {
        let options = Registry::options(kind);
        let modes = [
            ("TLS and Basic", options.clone().tls().basic()),
            ("TLS and tokens", options.clone().tls().token()),
            (
                "tokens from another port",
                options.clone().token().realm_on_other_port(),
            ),
        ];
        for (name, options) in modes {
            let registry = options.start().await;
            let image = ImageBuilder::new(1).layers(&[300]).build();
            registry.client().push("team/app", "v1", &image).await;
            let problems = Witness::new(registry.client(), "team/app")
                .check_all()
                .await;
            assert_eq!(problems, [], "{kind:?} {name}");
        }
    }
}

#[tokio::test]
async fn a_private_authority_is_needed() {
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Tls).await;
        let ca_pem = Some(Authority::generate().pem().to_owned());
        let stranger = Client::new(Access {
            ca_pem,
            ..registry.access()
        });
        assert!(
            stranger.get("/v2/").await.is_err(),
            "{kind:?} with a certificate of somebody else"
        );
    }
}

#[tokio::test]
async fn a_client_certificate_can_be_demanded() {
    let authority = Authority::generate();
    let registry = FaultRegistry::options()
        .tls_with(authority.mutual_server(), &authority)
        .start();
    assert!(registry.client().get("/v2/").await.is_err());
    let identity = authority.issue();
    let identity = format!("{}{}", identity.certificate, identity.key);
    let http = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap()])
        .identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap())
        .no_proxy()
        .build()
        .unwrap();
    assert_eq!(
        http.get(format!("{}/v2/", registry.url()))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn expired_tokens_are_refused_by_every_kind() {
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Token).await;
        let issuer = Arc::clone(registry.token_server().unwrap().issuer());
        let status = async || {
            registry
                .client()
                .send("POST", "/v2/a/blobs/uploads/", &[], Bytes::new())
                .await
                .unwrap()
                .status
        };
        // distribution tolerates a minute of difference between clocks.
        issuer.set_age(121);
        assert_eq!(status().await, 401, "{kind:?}");
        issuer.set_age(0);
        assert_eq!(status().await, 202, "{kind:?}");
    }
}

#[tokio::test]
async fn only_one_registry_takes_sparse_indexes() {
    let image = ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64"])
        .build();
    for (kind, status) in [
        (Kind::Distribution3, 201),
        (Kind::Distribution2, 400),
        (Kind::Crane, 404),
    ] {
        let registry = Registry::options(kind).sparse_indexes().start().await;
        let headers = [("content-type", image.root.media_type.as_str())];
        let client = registry.client();
        let answer = client
            .send(
                "PUT",
                "/v2/a/manifests/v1",
                &headers,
                image.root.bytes.clone(),
            )
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{kind:?}");
    }
}

#[tokio::test]
async fn the_log_agrees_with_a_proxy_in_front() {
    for kind in Kind::ALL {
        let (source, registry) = (
            FaultRegistry::start(),
            Registry::start(kind, Security::Plain).await,
        );
        let image = ImageBuilder::new(1)
            .layers(&[300, 400])
            .platforms(&["linux/amd64", "linux/arm64"])
            .build();
        source.load("app", "v1", &image);
        let point = CrashPoint::in_front_of(registry.address());
        let (from, to) = (
            format!("{}/app:v1", source.host()),
            format!("{}/app:v1", point.host()),
        );
        let copy = Program::at(&tools::built("crane"), &["copy", &from, &to]);
        point
            .run(copy, Moment::BeforeForward, usize::MAX / 2)
            .await
            .finished
            .assert_success();
        let summary = |requests: Vec<Request>| {
            let mut lines: Vec<String> = requests
                .into_iter()
                .map(|request| format!("{} {} {}", request.method, request.path, request.status))
                .collect();
            lines.sort();
            lines
        };
        let logged = summary(registry.requests().await);
        assert!(logged.len() > 10, "{logged:?}");
        assert_eq!(logged, summary(point.front().requests()), "{kind:?}");
    }
}

#[tokio::test]
async fn other_tools_find_the_images_valid() {
    let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
    let base = ImageBuilder::new(5).layers(&[100, 200_000]);
    let images = [
        ("manifest", base.clone().build()),
        (
            "index",
            base.platforms(&["linux/amd64", "linux/arm64"]).build(),
        ),
    ];
    for (name, image) in images {
        registry.client().push("app", name, &image).await;
        let reference = format!("{}/app:{name}", registry.host());
        Program::at(
            &tools::built("crane"),
            &["validate", "--remote", &reference],
        )
        .run()
        .await
        .assert_success();
        let directory = tempfile::tempdir().unwrap();
        let target = format!("oci:{}:app", directory.path().display());
        let source = format!("docker://{reference}");
        let skopeo = [
            "copy",
            "--insecure-policy",
            "--src-tls-verify=false",
            "--all",
            "--preserve-digests",
            &source,
            &target,
        ];
        Program::at(&tools::packaged("skopeo"), &skopeo)
            .run()
            .await
            .assert_success();
        let oras = [
            "manifest",
            "fetch",
            "--plain-http",
            "--descriptor",
            &reference,
        ];
        let oras = Program::at(&tools::built("oras"), &oras).run().await;
        oras.assert_success();
        assert!(oras.stdout.contains(image.digest()), "{}", oras.stdout);
    }
}

#[tokio::test]
async fn other_tools_log_in_and_are_logged() {
    for kind in Kind::ALL {
        for options in [
            Registry::options(kind).tls().basic(),
            Registry::options(kind).token(),
            Registry::options(kind).tls().token(),
        ] {
            let registry = options.clone().start().await;
            let image = ImageBuilder::new(1).layers(&[300]).build();
            registry.client().push("team/app", "v1", &image).await;
            let home = tempfile::tempdir().unwrap();
            let login = registry.login().unwrap();
            std::fs::write(
                home.path().join("config.json"),
                docker_config(&[(&registry.host(), &login)]),
            )
            .unwrap();
            let mut crane = Program::at(
                &tools::built("crane"),
                &["digest", &format!("{}/team/app:v1", registry.host())],
            )
            .environment("DOCKER_CONFIG", home.path());
            if let Some(authority) = registry.ca_file() {
                crane = crane.environment("SSL_CERT_FILE", authority);
            }
            let finished = crane.run().await;
            finished.assert_success();
            assert_eq!(finished.stdout.trim(), image.digest(), "{options:?}");
            assert_eq!(
                count(&registry.requests().await, "HEAD", Resource::Manifest),
                1,
                "{options:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_corpus_arrives_whole() {
    let families = Families {
        families: 2,
        repositories: 2,
        tags: 2,
        shared_layers: 3,
        layer_size: 2000,
    }
    .build(1);
    let multi_arch = MultiArch {
        repositories: 1,
        tags: 2,
        layers: 2,
        layer_size: 2000,
    }
    .build(2);
    let corpora = [
        ("families", families, 4, 2 * 3 + 4 + 8 * 2),
        // Per tag: six times two layers, config, attestation config and statement, SBOM; one signature and
        // its `.sig` with config and payload; the empty config is the same everywhere.
        ("multi-arch", multi_arch, 1, 2 * (6 * 6 + 3) + 1),
        ("large", Corpus::large(3, 500_000), 1, 2),
        ("small tags", Corpus::small_tags(4, 20, 100), 1, 1 + 20 * 2),
    ];
    let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
    for (name, corpus, repositories, blobs) in corpora {
        assert_eq!(
            (corpus.repositories.len(), corpus.distinct_blobs().len()),
            (repositories, blobs),
            "{name}"
        );
        registry.client().push_corpus(&corpus).await;
        for repository in &corpus.repositories {
            let mut witness = Witness::new(registry.client(), &repository.name);
            for (_, image) in &repository.tags {
                witness = witness.expecting(image);
            }
            assert_eq!(witness.check_all().await, [], "{name}");
        }
    }
}
