// SPDX-License-Identifier: Apache-2.0

//! The commands for one image or repository, where both a password and a private authority are needed.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::pair::assert_arrived;
use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::{Login, docker_config};
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry};

/// Two registries with a directory that holds what a person needs for them: the file of authorities,
/// and what `docker login` left behind.
struct Lab {
    source: Registry,
    destination: Registry,
    home: TempDir,
}

impl Lab {
    async fn start(kind: Kind) -> Self {
        let options = || Registry::options(kind).tls().basic();
        let (source, destination) = tokio::join!(options().start(), options().start());
        let home = TempDir::new().unwrap();
        let authorities = [&source, &destination].map(|registry| registry.ca_pem().unwrap());
        fs::write(home.path().join("ca.pem"), authorities.concat()).unwrap();
        let (hosts, login) = ([source.host(), destination.host()], Login::valid());
        let logins = hosts.each_ref().map(|host| (host.as_str(), &login));
        fs::write(home.path().join("config.json"), docker_config(&logins)).unwrap();
        Self {
            source,
            destination,
            home,
        }
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        let finished = Program::transship(arguments)
            .argument("--ca-file")
            .argument(self.home.path().join("ca.pem"))
            .environment("DOCKER_CONFIG", self.home.path())
            .run()
            .await;
        finished.assert_success();
        finished
    }

    async fn read(&self, arguments: &[&str]) -> Value {
        let finished = self.run(&[arguments, &["-o", "json"]].concat()).await;
        serde_json::from_str(&finished.stdout).unwrap()
    }
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 9_000])
        .referrer("application/vnd.example.sbom")
        .signature_tag()
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_ls_and_inspect_behind_a_password_and_a_private_authority() {
    for kind in Kind::ALL {
        let lab = Lab::start(kind).await;
        let images = [("1.0", image(1)), ("1.1", image(2))];
        for (tag, image) in &images {
            lab.source.client().push("team/app", tag, image).await;
        }
        let from = format!("{}/team/app", lab.source.host());
        let to = |name: &str| format!("{}/{name}", lab.destination.host());

        lab.run(&["copy", &format!("{from}:1.0"), &to("one:stable")])
            .await;
        assert_arrived(&lab.destination, "one", "stable", &images[0].1).await;
        assert_eq!(lab.destination.client().tags("all").await.unwrap(), [""; 0]);

        let report = lab.read(&["copy", "-a", &from, &to("all")]).await;
        assert_eq!(report["totals"]["copied"], 2, "{kind:?}: {report:#}");
        for (tag, image) in &images {
            assert_arrived(&lab.destination, "all", tag, image).await;
        }
        let report = lab.read(&["copy", "-a", &from, &to("all")]).await;
        assert_eq!(report["totals"]["unchanged"], 2, "{kind:?}: {report:#}");

        let repositories = lab.read(&["ls", &lab.destination.host()]).await;
        let expected = serde_json::json!(["all", "one"]);
        assert_eq!(repositories["repositories"], expected, "{kind:?}");
        let rows = lab.read(&["ls", &to("all")]).await;
        for (tag, image) in &images {
            let mut rows = rows["tags"].as_array().unwrap().iter();
            let row = rows.find(|row| row["tag"] == *tag).unwrap();
            assert_eq!(row["digest"], image.digest(), "{kind:?}: {row}");
            let platforms = serde_json::json!(["linux/amd64", "linux/arm64"]);
            assert_eq!(row["platforms"], platforms, "{kind:?}: {row}");
        }

        let raw = lab.run(&["inspect", "--raw", &to("all:1.1")]).await;
        assert_eq!(raw.stdout.as_bytes(), images[1].1.root.bytes, "{kind:?}");
        let shown = lab.read(&["inspect", &to("all:1.1")]).await.to_string();
        let referrers = images[1].1.referrers.iter();
        for part in referrers.map(|referrer| &referrer.manifest.digest) {
            assert!(shown.contains(part), "{kind:?}: {part} is not in {shown}");
        }
    }
}
