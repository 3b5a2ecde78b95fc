// SPDX-License-Identifier: Apache-2.0

//! Other tools find what the program wrote: whole, and with its referrers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::mirror::Mirror;
use crate::support::content::{FoundBy, Image, ImageBuilder};
use crate::support::digest::sha256;
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;

/// A registry as the other tools are told of it.
struct Peers<'a> {
    registry: &'a Registry,
    /// Where skopeo looks for authorities.
    authorities: TempDir,
}

impl<'a> Peers<'a> {
    fn of(registry: &'a Registry) -> Self {
        let authorities = TempDir::new().unwrap();
        if let Some(pem) = registry.ca_pem() {
            fs::write(authorities.path().join("ca.crt"), pem).unwrap();
        }
        Self {
            registry,
            authorities,
        }
    }

    fn name(&self, reference: &str) -> String {
        format!("{}/{reference}", self.registry.host())
    }

    async fn crane(&self, arguments: &[&str]) -> Finished {
        let program = Program::at(&tools::built("crane"), arguments);
        let program = match self.registry.ca_file() {
            Some(file) => program.environment("SSL_CERT_FILE", file),
            None => program.argument("--insecure"),
        };
        succeed(program).await
    }

    /// skopeo with options for registries that are read.
    async fn skopeo(
        &self,
        command: &str,
        tls: &str,
        certificates: &str,
        rest: &[&str],
    ) -> Finished {
        let program = Program::at(&tools::packaged("skopeo"), &[command]);
        let program = match self.registry.ca_pem() {
            Some(_) => program
                .argument(certificates)
                .argument(self.authorities.path()),
            None => program.argument(format!("{tls}=false")),
        };
        succeed(rest.iter().fold(program, Program::argument)).await
    }

    async fn oras(&self, arguments: &[&str]) -> Finished {
        let program = Program::at(&tools::built("oras"), arguments);
        let program = match self.registry.ca_file() {
            Some(file) => program.argument("--ca-file").argument(file),
            None => program.argument("--plain-http"),
        };
        succeed(program).await
    }
}

async fn succeed(program: Program) -> Finished {
    let finished = program.run().await;
    finished.assert_success();
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn crane_skopeo_and_oras_agree() {
    let multi_arch = ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64", "linux/arm/v7"])
        .layers(&[3_000, 40_000]);
    // crane takes no attestation for a valid image, wherever it is.
    let unattested = multi_arch.build();
    let image = multi_arch
        .attestations()
        .referrer("application/vnd.example.sbom")
        .referrer("application/vnd.example.report")
        .child_referrer("application/vnd.example.signature")
        .signature_tag()
        .build();
    let source = Registry::start(Kind::Crane, Security::Plain).await;
    source.client().push("app", "1.0", &image).await;
    source
        .client()
        .push("app", "1.0-unattested", &unattested)
        .await;
    let destinations = [
        Registry::start(Kind::Distribution3, Security::Plain).await,
        Registry::start(Kind::Distribution2, Security::Plain).await,
        Registry::start(Kind::Crane, Security::Plain).await,
        Registry::start(Kind::Distribution3, Security::Tls).await,
    ];
    let mirror = Mirror::from(&source.access()).image("app", &["1.0*"]);
    let report = destinations
        .iter()
        .fold(mirror, |mirror, to| {
            mirror.destination(&to.access(), ", repository: mirror/app")
        })
        .sync()
        .await;
    report.expect(0, [8, 0, 0, 0, 0], "two tags to four places");
    for destination in &destinations {
        let peers = Peers::of(destination);
        crane_validates(&peers).await;
        skopeo_copies(&peers, &image).await;
        oras_finds_everything(&peers, &image).await;
    }
}

async fn crane_validates(peers: &Peers<'_>) {
    let name = peers.name("mirror/app:1.0-unattested");
    let finished = peers.crane(&["validate", "--remote", &name]).await;
    let said = finished.stdout + &finished.stderr;
    assert!(said.contains("PASS"), "{said}");
}

async fn skopeo_copies(peers: &Peers<'_>, image: &Image) {
    let name = format!("docker://{}", peers.name("mirror/app:1.0"));
    let inspect = peers
        .skopeo("inspect", "--tls-verify", "--cert-dir", &["--raw", &name])
        .await;
    assert_eq!(inspect.stdout.as_bytes(), image.root.bytes);

    let directory = TempDir::new().unwrap();
    let target = format!("dir:{}", directory.path().display());
    let (tls, certificates) = ("--src-tls-verify", "--src-cert-dir");
    let options = [
        "--insecure-policy",
        "--all",
        "--preserve-digests",
        &name,
        &target,
    ];
    peers.skopeo("copy", tls, certificates, &options).await;
    let found = contents(directory.path());
    let parts = [&image.root]
        .into_iter()
        .chain(&image.children)
        .chain(&image.blobs);
    for part in parts {
        assert!(
            found.contains(&part.digest),
            "{} is not in {found:?}",
            part.digest
        );
    }
}

/// The digests of the files in a directory.
fn contents(directory: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(directory).unwrap();
    files
        .map(|file| sha256(&fs::read(file.unwrap().path()).unwrap()))
        .collect()
}

async fn oras_finds_everything(peers: &Peers<'_>, image: &Image) {
    let name = peers.name("mirror/app:1.0");
    let manifest = peers.oras(&["manifest", "fetch", &name]).await;
    assert_eq!(manifest.stdout.as_bytes(), image.root.bytes);

    for subject in image.subjects() {
        let name = peers.name(&format!("mirror/app@{subject}"));
        let found = peers.oras(&["discover", "--format", "json", &name]).await;
        let expected: BTreeSet<String> = image
            .referrers_of(subject)
            .map(|referrer| referrer.manifest.digest.clone())
            .collect();
        assert_eq!(discovered(&found), expected, "{}", found.stdout);
    }
    for referrer in &image.referrers {
        let FoundBy::Tag(tag) = &referrer.found_by else {
            continue;
        };
        let name = peers.name(&format!("mirror/app:{tag}"));
        let manifest = peers.oras(&["manifest", "fetch", &name]).await;
        assert_eq!(manifest.stdout.as_bytes(), referrer.manifest.bytes);
    }
}

/// The digests of the referrers in what `oras discover` prints.
fn discovered(finished: &Finished) -> BTreeSet<String> {
    let found: Value = serde_json::from_str(&finished.stdout).unwrap();
    let list = ["referrers", "manifests"]
        .iter()
        .find_map(|field| found[field].as_array());
    list.into_iter()
        .flatten()
        .filter_map(|referrer| referrer["digest"].as_str().map(str::to_owned))
        .collect()
}
