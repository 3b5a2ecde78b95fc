// SPDX-License-Identifier: Apache-2.0

//! What the real cosign signs is believed, and what is copied is believed by the real cosign.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::lab::{good, policy};
use crate::support::content::Image;
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;

/// How cosign keeps what it makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scheme {
    /// Bundles that refer to the image.
    Bundle,
    /// Layers of a tag.
    Tag,
}

/// A directory with two key pairs.
pub(super) struct Keys(TempDir);

impl Keys {
    pub(super) async fn new() -> Self {
        let keys = Self(TempDir::new().unwrap());
        for name in ["vendor", "stranger"] {
            let prefix = format!("--output-key-prefix={name}");
            keys.cosign(&["generate-key-pair", &prefix])
                .await
                .assert_success();
        }
        keys
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn cosign(&self, arguments: &[&str]) -> Finished {
        let program = Program::at(&tools::built("cosign"), arguments)
            .directory(self.0.path())
            .environment("HOME", self.0.path())
            .environment("COSIGN_PASSWORD", "");
        program.run().await
    }

    pub(super) async fn sign(&self, key: &str, scheme: Scheme, name: &str) {
        let key = format!("--key={key}.key");
        let mut arguments = vec![
            "sign",
            "--yes",
            &key,
            "--tlog-upload=false",
            "--use-signing-config=false",
        ];
        arguments.extend(["--allow-http-registry", "--allow-insecure-registry"]);
        arguments.extend(match scheme {
            Scheme::Bundle => None,
            Scheme::Tag => Some("--new-bundle-format=false"),
        });
        arguments.push(name);
        self.cosign(&arguments).await.assert_success();
    }

    pub(super) async fn attest(&self, scheme: Scheme, scan: &Path, name: &str) {
        let predicate = format!("--predicate={}", scan.display());
        let mut arguments = vec![
            "attest",
            "--yes",
            "--key=vendor.key",
            "--type=vuln",
            &predicate,
        ];
        arguments.extend(["--tlog-upload=false", "--use-signing-config=false"]);
        arguments.extend(["--allow-http-registry", "--allow-insecure-registry"]);
        arguments.extend(match scheme {
            Scheme::Bundle => None,
            Scheme::Tag => Some("--new-bundle-format=false"),
        });
        arguments.push(name);
        self.cosign(&arguments).await.assert_success();
    }

    pub(super) async fn verify(&self, key: &str, scheme: Scheme, name: &str) -> Finished {
        self.check(&["verify"], key, scheme, name).await
    }

    /// Whether a scan is attested.
    pub(super) async fn verify_scan(&self, scheme: Scheme, name: &str) -> Finished {
        let command = ["verify-attestation", "--type=vuln"];
        self.check(&command, "vendor", scheme, name).await
    }

    async fn check(&self, command: &[&str], key: &str, scheme: Scheme, name: &str) -> Finished {
        let key = format!("--key={key}.pub");
        let mut arguments = command.to_vec();
        arguments.extend([&key, "--insecure-ignore-tlog", "--allow-http-registry"]);
        arguments.extend(match scheme {
            Scheme::Bundle => None,
            Scheme::Tag => Some("--new-bundle-format=false"),
        });
        arguments.push(name);
        self.cosign(&arguments).await
    }
}

/// What Trivy writes with `--format cosign-vuln`.
pub(super) fn scan(severity: &str) -> serde_json::Value {
    json!({
        "invocation": {"parameters": null, "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@0.60.0", "version": "0.60.0", "db": {"uri": "", "version": ""},
            "result": {"SchemaVersion": 2, "Results": [{
                "Target": "app",
                "Vulnerabilities": [{"VulnerabilityID": "CVE-2026-1", "Severity": severity, "FixedVersion": "2"}],
            }]},
        },
        "metadata": {"scanStartedOn": "2026-01-02T03:04:05Z", "scanFinishedOn": "2026-01-02T03:04:06Z"},
    })
}

fn documents(source: &Registry, destination: &Registry, key: &str) -> String {
    let spec =
        "verify: [{name: vendor, type: Key, key: {secretRef: {name: key, key: cosign.pub}}}]";
    let scanned = format!("{spec}, require: {{vulnerabilities: {{maxSeverity: Medium}}}}");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"cosign.pub": key},
    });
    format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
         source: {{registry: '{}', insecure: true}}\n  \
         images: [{{repository: app, tags: ['*']}}, {{repository: scanned, tags: ['*'], policyRefs: [{{name: scanned}}]}}]\n  \
         policyRefs: [{{name: signed}}]\n  destinations: [{{name: d, registry: '{}', insecure: true}}]\n{}{}---\n{secret}\n",
        source.host(),
        destination.host(),
        policy("signed", spec),
        policy("scanned", &scanned),
    )
}

/// Two platforms.
fn pair(seed: u64) -> Image {
    good(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .build()
}

/// Signs the images of a source, each in its own way.
async fn fill(source: &Registry, keys: &Keys, scheme: Scheme) {
    let client = source.client();
    let images = [
        ("app", "index", pair(1)),
        ("app", "children", pair(2)),
        ("app", "child", pair(3)),
        ("app", "stranger", good(4).build()),
        ("app", "unsigned", good(5).build()),
        ("scanned", "good", good(6).build()),
        ("scanned", "bad", good(7).build()),
    ];
    for (repository, tag, image) in &images {
        client.push(repository, tag, image).await;
        let name = |digest: &str| format!("{}/{repository}@{digest}", source.host());
        let root = name(image.digest());
        let subjects = match *tag {
            "unsigned" => Vec::new(),
            "children" => image
                .children
                .iter()
                .map(|child| name(&child.digest))
                .collect(),
            "child" => vec![name(&image.children[0].digest)],
            _ => vec![root.clone()],
        };
        let key = if *tag == "stranger" {
            "stranger"
        } else {
            "vendor"
        };
        for subject in subjects {
            keys.sign(key, scheme, &subject).await;
        }
        if *repository == "scanned" {
            let path = keys.path("scan.json");
            let severity = if *tag == "good" { "MEDIUM" } else { "CRITICAL" };
            std::fs::write(&path, scan(severity).to_string()).unwrap();
            keys.attest(scheme, &path, &root).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cosign_and_transship_believe_each_other() {
    let keys = Keys::new().await;
    let public = std::fs::read_to_string(keys.path("vendor.pub")).unwrap();
    for kind in [Kind::Distribution3, Kind::Distribution2, Kind::Crane] {
        for scheme in [Scheme::Bundle, Scheme::Tag] {
            let (source, destination) = tokio::join!(
                Registry::start(kind, Security::Plain),
                Registry::start(kind, Security::Plain)
            );
            fill(&source, &keys, scheme).await;
            let yaml = documents(&source, &destination, &public);
            let finished = Program::transship(&["sync", "-f", "-", "-o", "json"])
                .input(yaml)
                .run()
                .await;
            let report: serde_json::Value = serde_json::from_str(&finished.stdout)
                .unwrap_or_else(|_| panic!("{}\n{}", finished.stdout, finished.stderr));
            let tags = report["mirrors"][0]["tags"].as_array().unwrap();
            let mut found: Vec<String> = tags
                .iter()
                .map(|tag| {
                    let source = tag["source"].as_str().unwrap().rsplit('/').next().unwrap();
                    format!(
                        "{source} {} {}",
                        tag["action"].as_str().unwrap(),
                        tag["gate"].as_str().unwrap_or("")
                    )
                })
                .collect();
            found.sort();
            insta::allow_duplicates! {
                insta::assert_snapshot!(found.join("\n"), @r"
                app:child Refused verify
                app:children Copied 
                app:index Copied 
                app:stranger Refused verify
                app:unsigned Refused verify
                scanned:bad Refused require.vulnerabilities
                scanned:good Copied 
                ");
            }
            let name = format!("{}/app:index", destination.host());
            keys.verify("vendor", scheme, &name).await.assert_success();
            let stranger = keys.verify("stranger", scheme, &name).await;
            assert_ne!(stranger.code, Some(0), "{kind:?} {scheme:?}");
            inspects(&keys, &destination).await;
        }
    }
}

/// `inspect --verify` says the same.
async fn inspects(keys: &Keys, registry: &Registry) {
    let name = format!("{}/scanned:good", registry.host());
    for (key, code, verdict) in [("vendor", 0, "yes"), ("stranger", 1, "no")] {
        let key = keys.path(&format!("{key}.pub"));
        let key = key.to_str().unwrap();
        let finished = Program::transship(&[
            "inspect",
            &name,
            "--insecure",
            &registry.host(),
            "--verify",
            "--key",
            key,
        ])
        .run()
        .await;
        assert_eq!(
            finished.code,
            Some(code),
            "{}{}",
            finished.stdout,
            finished.stderr
        );
        assert!(
            finished
                .stdout
                .contains(&format!("Verified:    {verdict}\n")),
            "{}",
            finished.stdout
        );
    }
}
