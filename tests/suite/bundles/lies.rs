// SPDX-License-Identifier: Apache-2.0

//! Bundles whose index says what is not so.

use std::fs;

use serde_json::{Value, json};

use super::forged::Members;
use super::{Gap, image};

type Lie = fn(&mut Value);

/// The entry of the image in the only repository.
fn entry(index: &mut Value) -> &mut Value {
    let entries = index["repositories"][0]["entries"].as_array_mut().unwrap();
    let mut entries = entries.iter_mut();
    entries.find(|entry| entry["origins"].is_array()).unwrap()
}

fn remove_manifest(index: &mut Value, is_it: impl Fn(usize, &Value) -> bool) {
    let manifests = &mut index["repositories"][0]["manifests"];
    let listed = manifests.as_array().unwrap().iter().enumerate();
    let kept = listed.filter(|(place, one)| !is_it(*place, one));
    *manifests = kept.map(|(_, one)| one.clone()).collect();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_says_what_is_not_so_is_found_out() {
    let gap = Gap::new().await;
    let image = image(1);
    gap.source.client().push("app", "1", &image).await;
    gap.create(&["out.tar"]).await;
    let whole = fs::read(gap.path("out.tar")).unwrap();
    let lies: [(&str, Lie); 11] = [
        (
            "but says application/vnd.oci.image.index.v1+json of itself",
            |index| {
                let docker = "application/vnd.docker.distribution.manifest.list.v2+json";
                entry(index)["mediaType"] = json!(docker);
            },
        ),
        ("as the size of sha256:", |index| {
            let size = entry(index)["size"].as_u64().unwrap();
            entry(index)["size"] = json!(size + 1);
        }),
        (", which is not listed", |index| {
            let roots = index["repositories"][0]["entries"].clone();
            let is_root = |one: &Value| {
                let mut roots = roots.as_array().unwrap().iter();
                roots.any(|root| root["digest"] == one["digest"])
            };
            remove_manifest(index, |_, one| !is_root(one));
        }),
        (", which is not listed", |index| {
            let root = entry(index)["digest"].clone();
            remove_manifest(index, |_, one| one["digest"] == root);
        }),
        (", which is not listed", |index| {
            index["repositories"][0]["blobs"] = json!([]);
        }),
        ("/app:1 for mirror default/m", |index| {
            let mut other = entry(index).clone();
            other["tag"] = json!("another");
            other["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
            let entries = &mut index["repositories"][0]["entries"];
            entries.as_array_mut().unwrap().push(other);
        }),
        (" of a mirror has no tag", |index| {
            entry(index).as_object_mut().unwrap().remove("tag");
        }),
        ("it has the repository ", |index| {
            let twice = index["repositories"][0].clone();
            let repositories = index["repositories"].as_array_mut().unwrap();
            repositories.push(twice);
        }),
        ("which is no repository", |index| {
            index["repositories"][0]["name"] = json!("registry.example.com/a/../b");
        }),
        ("as an artifact of another type", |index| {
            let entries = index["repositories"][0]["entries"].as_array_mut().unwrap();
            let mut entries = entries.iter_mut();
            let sbom = entries.find(|entry| entry["artifactType"].is_string());
            sbom.unwrap()["artifactType"] = json!("application/vnd.example.other");
        }),
        (
            "which is no image of a mirror and refers to none",
            |index| {
                let fields = entry(index).as_object_mut().unwrap();
                fields.remove("origins");
            },
        ),
    ];
    for (expected, lie) in lies {
        let forged = Members::of(&whole).with_index(lie).pack();
        fs::write(gap.path("forged.tar"), forged).unwrap();
        let verified = gap.run(&["bundle", "verify", "forged.tar"]).await;
        assert_eq!(verified.code, Some(1), "{expected}: {}", verified.stdout);
        let said = &verified.stderr;
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let same = Members::of(&whole).with_index(|_| {}).pack();
    fs::write(gap.path("forged.tar"), same).unwrap();
    gap.json(&["bundle", "verify", "forged.tar"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_images_under_one_name_go_nowhere() {
    let gap = Gap::new().await;
    for (tag, seed) in [("1", 1), ("2", 2)] {
        gap.source.client().push("app", tag, &image(seed)).await;
    }
    gap.create(&["out.tar"]).await;
    let whole = fs::read(gap.path("out.tar")).unwrap();
    let forged = Members::of(&whole).with_index(|index| {
        let entries = index["repositories"][0]["entries"].as_array_mut().unwrap();
        let images = entries.iter_mut().filter(|one| one["origins"].is_array());
        let images: Vec<&mut Value> = images.collect();
        let source = images[0]["origins"].clone();
        for image in images {
            image["origins"] = source.clone();
        }
    });
    fs::write(gap.path("forged.tar"), forged.pack()).unwrap();
    for words in [
        &["verify", "forged.tar"][..],
        &["ls", "forged.tar"],
        &["load", "-f", "mirror.yaml", "forged.tar"],
    ] {
        let finished = gap.run(&[&["bundle"], words].concat()).await;
        assert_eq!(finished.code, Some(1), "{words:?}: {}", finished.stdout);
        let said = "app:1 for mirror default/m";
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
    }
    assert_eq!(gap.tags("app").await, [""; 0]);
}
