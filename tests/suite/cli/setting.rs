// SPDX-License-Identifier: Apache-2.0

//! Variables of the environment in files.

use super::Files;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;

const MIRROR: &str = "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: m}
spec:
  source: {registry: ${HOST}, insecure: ${INSECURE:-true}} # not ${THIS}
  images: [{repository: app, tags: [${TAG}], as: '$${NAME}'}]
  destinations: [{name: d, registry: ${HOST}, insecure: true, repository: copy}]
";

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_set_where_a_person_asks_for_it() {
    let registry = FaultRegistry::start();
    registry.load("app", "3.20", &ImageBuilder::new(1).build());
    let text = MIRROR.replace(", as: '$${NAME}'", "");
    let files = Files::new(&[("mirror.yaml", &text), ("as.yaml", MIRROR)]);
    for command in ["plan", "sync", "verify", "df"] {
        let run = files
            .transship(&[command, "--set-env", "-f", "mirror.yaml"])
            .environment("HOST", registry.host())
            .environment("TAG", "3.20");
        let finished = run.run().await;
        let expected = if command == "plan" { 2 } else { 0 };
        assert_eq!(finished.code, Some(expected), "{command}: {finished:?}");
    }
    let by_name = files
        .transship(&["verify", "-f", "mirror.yaml"])
        .environment("TRANSSHIP_SET_ENV", "true")
        .environment("HOST", registry.host())
        .environment("TAG", "3.20");
    by_name.run().await.assert_success();
    let unset = files
        .transship(&["plan", "--set-env", "-f", "mirror.yaml"])
        .environment("HOST", registry.host());
    let unset = unset.run().await;
    assert_eq!(unset.code, Some(1));
    insta::assert_snapshot!(unset.stderr, @"error: mirror.yaml:6:37: spec.images[0].tags[0]: variable TAG is not set: set it, write ${TAG:-default}, or $${ for ${ itself");
    let literal = files
        .transship(&["plan", "--set-env", "-f", "as.yaml"])
        .environment("HOST", registry.host())
        .environment("TAG", "3.20");
    let literal = literal.run().await;
    assert!(literal.stderr.contains("${NAME}"), "{}", literal.stderr);
    let off = files.transship(&["plan", "-f", "as.yaml"]).run().await;
    assert_eq!(off.code, Some(1), "{off:?}");
}
