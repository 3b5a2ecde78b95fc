// SPDX-License-Identifier: Apache-2.0

//! Credentials: where they may stand, what happens when they are wrong, and that nobody reads them.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::mirror::{Mirror, Report};
use super::pair::assert_arrived;
use crate::support::client::Access;
use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::{Login, docker_config};
use crate::support::faults::FaultRegistry;
use crate::support::program::Finished;
use crate::support::registries::{Kind, Registry, Security};

/// Everything a log may show.
const TALKATIVE: [&str; 7] = [
    "sync",
    "-o",
    "json",
    "-vvv",
    "--log-level",
    "trace",
    "--log-format=json",
];

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[2_000, 20_000])
        .build()
}

/// Whether a program kept a login to itself, and all tokens: they begin as every JSON in base64 does.
fn assert_discreet(finished: &Finished, login: &Login) {
    let Login { username, password } = login;
    let encoded = [
        STANDARD.encode(format!("{username}:{password}")),
        STANDARD.encode(password),
    ];
    let escaped: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect();
    let [pair, alone] = &encoded;
    for output in [&finished.stdout, &finished.stderr] {
        for secret in [password, pair, alone.trim_end_matches('='), &escaped, "eyJ"] {
            assert!(!output.contains(secret), "{secret} was said:\n{output}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_fail_with_what_to_do_and_are_not_told() {
    let open = FaultRegistry::start();
    open.load("app", "1", &image(1));
    for kind in Kind::ALL {
        for security in [Security::Basic, Security::Token] {
            let guarded = Registry::start(kind, security).await;
            guarded.client().push("app", "1", &image(1)).await;
            let wrong = Access {
                login: Some(Login::wrong()),
                ..guarded.access()
            };
            let advice = match security {
                Security::Token => "refuses the credential with 401, check it and its rights",
                Security::Plain | Security::Tls | Security::Basic => {
                    "refuses the user name or password: check the credential"
                }
            };
            let cases = [
                (Mirror::from(&wrong).to(&open.access()), "source"),
                (Mirror::from(&open.access()).to(&wrong), "destination"),
            ];
            for (mirror, side) in cases {
                let mirror = mirror.image("app", &["1"]).with("tagMutability: Follow");
                let finished = mirror.command(&TALKATIVE).run().await;
                assert_discreet(&finished, &Login::wrong());
                let report = Report::read(finished);
                let failure = report.failure();
                assert_eq!(
                    (report.code, failure.reason.as_str()),
                    (Some(1), "AuthenticationFailed"),
                    "{kind:?} {security:?} {side}: {report}"
                );
                for part in [guarded.host().as_str(), advice] {
                    assert!(failure.message.contains(part), "{part}: {failure:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn right_credentials_are_not_told_either() {
    let image = image(2);
    for security in [Security::Basic, Security::Token] {
        let (source, destination) = tokio::join!(
            Registry::start(Kind::Distribution3, security),
            Registry::start(Kind::Distribution3, security)
        );
        source.client().push("app", "1", &image).await;
        let mirror = Mirror::from(&source.access())
            .image("app", &["1"])
            .to(&destination.access());
        let finished = mirror.command(&TALKATIVE).run().await;
        assert_discreet(&finished, &Login::valid());
        assert!(
            finished.stderr.contains("app/manifests"),
            "nothing is logged"
        );
        let report = Report::read(finished);
        report.expect(0, [1, 0, 0, 0, 0], format!("{security:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_docker_login_left_behind_is_enough() {
    let image = image(3);
    let destination = Registry::start(Kind::Distribution3, Security::Token).await;
    for kind in Kind::ALL {
        let source = Registry::start(kind, Security::Basic).await;
        source.client().push("app", "1", &image).await;
        let home = login(&[&source, &destination]);
        let repository = format!("{kind:?}").to_lowercase();
        let mirror = Mirror::from(&anonymous(&source))
            .image("app", &["1"])
            .destination(
                &anonymous(&destination),
                &format!(", repository: {repository}"),
            );
        let command = mirror.command(&["sync", "-o", "json"]);
        let report = Report::read(
            command
                .environment("DOCKER_CONFIG", home.path())
                .run()
                .await,
        );
        report.expect(0, [1, 0, 0, 0, 0], format!("{kind:?}"));
        assert_arrived(&destination, &repository, "1", &image).await;
    }
}

fn anonymous(registry: &Registry) -> Access {
    Access {
        login: None,
        ..registry.access()
    }
}

/// A directory as `docker login` leaves it behind.
fn login(registries: &[&Registry]) -> TempDir {
    let (hosts, login): (Vec<String>, _) = (
        registries.iter().map(|registry| registry.host()).collect(),
        Login::valid(),
    );
    let logins: Vec<(&str, &Login)> = hosts.iter().map(|host| (host.as_str(), &login)).collect();
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("config.json"), docker_config(&logins)).unwrap();
    home
}
