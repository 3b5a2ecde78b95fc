// SPDX-License-Identifier: Apache-2.0

//! Signatures and attestations that come after their image was copied.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::cosign::{Keys, Scheme, scan};
use super::lab::{Lab, good};
use crate::support::content::{FoundBy, Image, Referrer, Signer};
use crate::support::program::Program;
use crate::support::registries::{Kind, Registry, Security};

const SIGNED: (&str, &str) = (
    "signed",
    "verify: [{name: vendor, type: Key, key: {secretRef: {name: vendor, key: cosign.pub}}}]",
);

fn has(lab: &Lab, referrer: &Referrer) -> bool {
    let reference = match &referrer.found_by {
        FoundBy::Tag(tag) => tag,
        FoundBy::Subject => &referrer.manifest.digest,
    };
    lab.destination.manifest("team/app", reference).is_some()
}

#[tokio::test]
async fn what_admits_an_image_that_is_there_arrives_whatever_its_type() {
    for is_tagged in [false, true] {
        for (more, arrives) in [
            ("", true),
            ("referrers: {artifactTypes: [application/spdx+json]}", true),
            ("referrers: {mode: Skip}", false),
        ] {
            let lab = Lab::new();
            let signer = Signer::generate();
            lab.keep_key("vendor", &signer.public_pem());
            let image = good(1).build();
            lab.source.load("team/app", "1", &image);
            let unguarded = lab.mirror("['1']", &[], more);
            assert_eq!(lab.outcomes(&unguarded).await, ["1: Copied"]);
            let guarded = lab.mirror("['1']", &[SIGNED], more);
            assert_eq!(
                lab.outcomes(&guarded).await,
                ["1: Refused signed verify"],
                "{more}"
            );

            let signature = if is_tagged {
                signer.sign_tagged(image.digest())
            } else {
                signer.sign(image.digest())
            };
            let stranger = Signer::generate().sign(image.digest());
            let with_signature = Image {
                referrers: vec![stranger.clone(), signature.clone()],
                ..image
            };
            lab.source.load("team/app", "1", &with_signature);
            let expected = if arrives {
                "1: Completed"
            } else {
                "1: Unchanged"
            };
            assert_eq!(lab.outcomes(&guarded).await, [expected], "{more}");
            assert_eq!(has(&lab, &signature), arrives, "{more} {is_tagged}");
            assert_eq!(has(&lab, &stranger), more.is_empty(), "{more} {is_tagged}");
            assert_eq!(lab.outcomes(&guarded).await, ["1: Unchanged"], "{more}");
        }
    }
}

#[tokio::test]
async fn an_image_is_copied_with_the_signatures_and_scans_that_admit_it() {
    let lab = Lab::new();
    let signer = Signer::generate();
    lab.keep_key("vendor", &signer.public_pem());
    let image = good(2).build();
    let referrers = vec![
        signer.sign(image.digest()),
        signer.scan(image.digest(), &[]),
        signer.attest(image.digest(), "https://slsa.dev/provenance/v1", &json!({})),
    ];
    let image = Image { referrers, ..image };
    lab.source.load("team/app", "1", &image);
    let spec = format!(
        "{}, require: {{vulnerabilities: {{maxSeverity: High}}}}",
        SIGNED.1
    );
    let only = "referrers: {artifactTypes: [application/spdx+json]}";
    let mirror = lab.mirror("['1']", &[("scanned", &spec)], only);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Copied"]);
    let found: Vec<bool> = image.referrers.iter().map(|one| has(&lab, one)).collect();
    assert_eq!(found, [true, true, false]);
}

/// One image in three repositories, and how each is brought to the destination.
struct Upstream {
    source: Registry,
    destination: Registry,
    state: TempDir,
}

const REPOSITORIES: [&str; 3] = ["copied", "synced", "timed"];

impl Upstream {
    async fn start(kind: Kind) -> Self {
        let (source, destination) = tokio::join!(
            Registry::start(kind, Security::Plain),
            Registry::start(kind, Security::Plain)
        );
        for repository in REPOSITORIES {
            let image = good(3).platforms(&["linux/amd64", "linux/arm64"]).build();
            source.client().push(repository, "1", &image).await;
        }
        Self {
            source,
            destination,
            state: TempDir::new().unwrap(),
        }
    }

    fn state(&self) -> std::path::PathBuf {
        self.state.path().join("state.json")
    }

    /// Brings a repository to the destination in its own way: what came of its tag.
    async fn bring(&self, repository: &str) -> String {
        let (source, destination) = (self.source.host(), self.destination.host());
        let program = match repository {
            "copied" => Program::transship(&["copy", "-o", "json"])
                .argument(format!("{source}/copied:1"))
                .argument(format!("{destination}/copied:1"))
                .argument(format!("--insecure={source},{destination}")),
            "synced" => self.sync(repository),
            _ => self
                .sync(repository)
                .argument("--state")
                .argument(self.state()),
        };
        let finished = program.run().await;
        let report: Value = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|_| panic!("{}\n{}", finished.stdout, finished.stderr));
        let tags = report.pointer("/mirrors/0/tags").unwrap_or(&report["tags"]);
        let action = tags[0]["action"].as_str().unwrap_or("none");
        assert_ne!(action, "Failed", "{}", finished.stdout);
        action.to_owned()
    }

    fn sync(&self, repository: &str) -> Program {
        let yaml = format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
             source: {{registry: '{}', insecure: true}}\n  images: [{{repository: {repository}, tags: ['1']}}]\n  \
             destinations: [{{name: d, registry: '{}', insecure: true}}]\n",
            self.source.host(),
            self.destination.host(),
        );
        Program::transship(&["sync", "-f", "-", "-o", "json"]).input(yaml)
    }

    async fn sign(&self, keys: &Keys, scheme: Scheme) {
        let path = keys.path("scan.json");
        std::fs::write(&path, scan("LOW").to_string()).unwrap();
        for repository in REPOSITORIES {
            let path_of = format!("/v2/{repository}/manifests/1");
            let image = self.source.client().get(&path_of).await.unwrap();
            let digest = image.header("docker-content-digest").unwrap();
            let name = format!("{}/{repository}@{digest}", self.source.host());
            keys.sign("vendor", scheme, &name).await;
            keys.attest(scheme, &path, &name).await;
        }
    }
}

/// Makes as if the state was a day older.
fn age(state: &Path) {
    let text = std::fs::read_to_string(state).unwrap();
    let mut state_of: Value = serde_json::from_str(&text).unwrap();
    let at = state_of
        .pointer_mut("/mirrors/default~1m/d/timed/1/referrers/at")
        .unwrap();
    let time: Timestamp = at.as_str().unwrap().parse().unwrap();
    *at = json!((time - SignedDuration::from_hours(25)).to_string());
    std::fs::write(state, state_of.to_string()).unwrap();
    // What was written last is not known then.
    std::fs::remove_file(state.with_extension("json.lock")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cosign_believes_a_mirror_that_was_signed_later() {
    let keys = Keys::new().await;
    for kind in [Kind::Distribution3, Kind::Crane, Kind::Ocimem] {
        for scheme in [Scheme::Bundle, Scheme::Tag] {
            let upstream = Upstream::start(kind).await;
            for repository in REPOSITORIES {
                assert_eq!(upstream.bring(repository).await, "Copied");
            }
            upstream.sign(&keys, scheme).await;
            let case = format!("{kind:?} {scheme:?}");
            assert_eq!(upstream.bring("timed").await, "Unchanged", "{case}");
            age(&upstream.state());
            for repository in REPOSITORIES {
                assert_eq!(
                    upstream.bring(repository).await,
                    "Completed",
                    "{case} {repository}"
                );
                let name = format!("{}/{repository}:1", upstream.destination.host());
                keys.verify("vendor", scheme, &name).await.assert_success();
                keys.verify_scan(scheme, &name).await.assert_success();
                assert_eq!(upstream.bring(repository).await, "Unchanged", "{case}");
            }
        }
    }
}
