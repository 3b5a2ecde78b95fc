// SPDX-License-Identifier: Apache-2.0

//! The images of mirrors in one file: written on one side of a gap, loaded on the other.

mod damage;
mod forged;
mod increments;
mod interruptions;
mod lies;
mod places;
mod round_trip;
mod several;
mod signing;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::content::{Image, ImageBuilder};
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};

/// Two registries with a gap between them, and a directory for what is carried.
struct Gap {
    source: Registry,
    destination: Registry,
    directory: TempDir,
}

impl Gap {
    async fn new() -> Self {
        let gap = Self {
            source: Registry::start(Kind::Distribution3, Security::Plain).await,
            destination: Registry::start(Kind::Distribution3, Security::Plain).await,
            directory: TempDir::new().unwrap(),
        };
        gap.write_mirror(&["app"]);
        gap
    }

    /// A mirror of all tags of repositories, below `mirrored/`.
    fn write_mirror(&self, repositories: &[&str]) {
        let images = repositories.iter();
        let images = images.map(|name| format!("{{repository: {name}, tags: ['*']}}"));
        let images: Vec<String> = images.collect();
        let text = format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{}', insecure: true}}
  images: [{}]
  destinations: [{{name: d, registry: '{}', insecure: true, repository: 'mirrored/{{repository}}'}}]
",
            self.source.host(),
            images.join(", "),
            self.destination.host()
        );
        fs::write(self.path("mirror.yaml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The program in the directory.
    fn program(&self, arguments: &[&str]) -> Program {
        let hosts = format!("{},{}", self.source.host(), self.destination.host());
        Program::transship(arguments)
            .directory(self.directory.path())
            .environment("TRANSSHIP_INSECURE", hosts)
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        self.program(arguments).run().await
    }

    /// What the program printed, for machines.
    async fn json(&self, arguments: &[&str]) -> Value {
        let words = [arguments, &["-o", "json"]].concat();
        let finished = self.run(&words).await;
        finished.assert_success();
        serde_json::from_str(&finished.stdout).unwrap()
    }

    async fn create(&self, arguments: &[&str]) -> Value {
        let words = [&["bundle", "create", "-f", "mirror.yaml"], arguments].concat();
        self.json(&words).await
    }

    async fn load(&self, file: &str) -> Value {
        self.json(&["bundle", "load", "-f", "mirror.yaml", file])
            .await
    }

    /// Everything that the destination has under these names is whole, to the last byte.
    async fn assert_whole(&self, names: &[&str]) {
        for name in names {
            let reference = format!("{}/mirrored/{name}", self.destination.host());
            let finished = self.run(&["verify", "--deep", &reference]).await;
            finished.assert_success();
        }
    }

    async fn tags(&self, repository: &str) -> Vec<String> {
        let repository = format!("mirrored/{repository}");
        let tags = self.destination.client().tags(&repository).await;
        tags.unwrap_or_default()
    }

    /// The names in the directory.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Two platforms, an SBOM and a signature.
fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 700_000])
        .referrer("application/vnd.example.sbom")
        .signature_tag()
        .build()
}
