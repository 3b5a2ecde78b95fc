// SPDX-License-Identifier: Apache-2.0

//! The definitions of the custom resources: the committed files are what the program prints.

use std::fs;
use std::path::PathBuf;

use crate::support::program::Program;

/// The largest object that `kubectl apply` can put into its annotation of the last configuration.
const CLIENT_SIDE_APPLY: usize = 262_144;

const NAMES: [&str; 5] = [
    "imagemirrors",
    "imagenotifications",
    "imagepolicies",
    "imagereceivers",
    "mirroredrepositories",
];

async fn printed(arguments: &[&str]) -> String {
    let words = [&["crds"], arguments].concat();
    let finished = Program::transship(&words).run().await;
    finished.assert_success();
    finished.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committed_files_are_what_is_printed() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut all = Vec::new();
    for name in NAMES {
        let path = directory.join(name).with_extension("yaml");
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let expected = printed(&[name]).await;
        assert!(committed == expected, "{name} has changed: run make crds");
        assert!(expected.len() < CLIENT_SIDE_APPLY, "{name}");
        all.push(expected);
    }
    assert_eq!(printed(&[]).await, all.join("---\n"));
    assert_eq!(fs::read_dir(directory).unwrap().count(), NAMES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_found_by_its_names() {
    for (name, printed_name) in [
        ("imir", "imagemirrors"),
        ("ImagePolicy", "imagepolicies"),
        ("mrepo", "mirroredrepositories"),
    ] {
        assert_eq!(printed(&[name]).await, printed(&[printed_name]).await);
    }
    let finished = Program::transship(&["crds", "pods"]).run().await;
    assert_eq!(finished.code, Some(2));
    insta::assert_snapshot!(finished.stderr, @r#"error: there is no custom resource "pods": there are imagemirrors, imagenotifications, imagepolicies, imagereceivers, mirroredrepositories"#);
}
