// SPDX-License-Identifier: Apache-2.0

//! `sync` and `plan`.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{Files, mirror};
use crate::support::content::ImageBuilder;
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};

/// The line at the end, without the time that it took.
fn last_line(finished: &Finished) -> &str {
    let line = finished.stdout.lines().last().unwrap_or_default();
    line.split(" in ").next().unwrap_or_default()
}

/// The sample that needs neither network nor registries.
fn quickstart(command: &[&str], destination: &Path) -> Program {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples = ["mirror.yaml", "source"].map(|name| root.join("examples/quickstart").join(name));
    let [file, source] = samples;
    Program::transship(command)
        .argument("--filename")
        .argument(file)
        .argument("--from-layout")
        .argument(source)
        .argument("--to-layout")
        .argument(destination)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_copies_once() {
    let directory = TempDir::new().unwrap();
    let there = directory.path().join("mirror");

    let dry = quickstart(&["sync", "--dry-run"], &there).run().await;
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    let plan = quickstart(&["plan"], &there).run().await;
    assert_eq!(plan.code, Some(2), "{}", plan.stderr);
    assert_eq!(plan.stdout, dry.stdout);
    assert_eq!(
        last_line(&plan),
        "5 to copy, 0 unchanged, 2 left out, 0 failed"
    );
    assert!(!there.exists(), "neither of the two writes");

    let first = quickstart(&["sync"], &there).run().await;
    first.assert_success();
    assert!(
        last_line(&first).starts_with("5 copied, 0 unchanged, 0 failed, "),
        "{}",
        first.stdout
    );
    let second = quickstart(&["sync"], &there).run().await;
    second.assert_success();
    assert_eq!(
        last_line(&second),
        "0 copied, 5 unchanged, 0 failed, 0 B sent"
    );
    insta::assert_snapshot!(second.stdout.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    MIRROR         SOURCE                          DESTINATION                            TAGS   COPIED   UNCHANGED   FAILED   SENT
    default/demo   source.example.com/demo/hello   mirror.example.com/mirror/demo/hello   3      0        3           0        0 B
    default/demo   source.example.com/demo/tools   mirror.example.com/mirror/demo/tools   2      0        2           0        0 B
    ");

    let plan = quickstart(&["plan"], &there).run().await;
    assert_eq!(plan.code, Some(0), "{}", plan.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_find_nothing_but_the_report_on_stdout() {
    let directory = TempDir::new().unwrap();
    let there = directory.path().join("mirror");
    for (command, counter) in [("plan", "planned"), ("sync", "copied")] {
        let json = quickstart(&[command, "-o", "json", "-vv"], &there)
            .run()
            .await;
        let report: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(report["totals"][counter], 5, "{}", json.stdout);
        assert_eq!(report["mirrors"][0]["mirror"], "default/demo");
    }
    let yaml = quickstart(&["sync", "-o", "yaml"], &there).run().await;
    let report: Value = serde_saphyr::from_str(&yaml.stdout).unwrap();
    assert_eq!(report["totals"]["unchanged"], 5, "{}", yaml.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_fails_is_named_and_the_others_are_copied() {
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    source.client().push("app", "1", &image).await;
    let both = mirror(&source, &destination).replace("'*'", "'1', missing");
    let files = Files::new(&[("mirror.yaml", &both)]);
    let finished = files.run(&["sync", "-f", "mirror.yaml", "--quiet"]).await;
    assert_eq!(finished.code, Some(1));
    let text = finished.stdout.replace(&source.host(), "source");
    let text = text.split(" sent in ").next().unwrap().to_owned();
    insta::assert_snapshot!(text, @"1 copied, 0 unchanged, 1 failed, 2.9 kB");
    let said = finished.stderr.replace(&source.host(), "source");
    assert_eq!(
        said,
        "failed: NotFound: source/app:missing does not exist\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_mirrors_are_skipped_and_said() {
    let source = Registry::start(Kind::Crane, Security::Plain).await;
    let suspended = mirror(&source, &source) + "  suspend: true\n";
    let files = Files::new(&[("mirror.yaml", &suspended)]);
    let finished = files.run(&["sync", "-f", "mirror.yaml"]).await;
    finished.assert_success();
    assert_eq!(finished.stderr, "skipped: mirror default/m is suspended\n");
    assert_eq!(source.requests().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_and_wrong_documents_end_with_2_before_anything_is_done() {
    let files = Files::new(&[
        (
            "typo.yaml",
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {name: m}\nspec:\n  source: {registry: a.test}\n  imgaes: []\n",
        ),
        (
            "secret.yaml",
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {name: m, namespace: team}\nspec:\n  source: {registry: a.test, secretRef: {name: hub}}\n  images: [{repository: app, tags: ['1']}]\n  destinations: [{name: d, registry: b.test}]\n",
        ),
        ("state.json", "{}"),
    ]);
    let mut said = Vec::new();
    for arguments in [
        &["sync", "-f", "typo.yaml"][..],
        &["plan", "-f", "secret.yaml"],
        &["sync", "-f", "none.yaml"],
        &["prune", "-f", "typo.yaml"],
        &["restore", "-f", "typo.yaml", "--all"],
        &["copy", "-a", "app:1", "b.test/app"],
        &["delete", "b.test/app"],
        &["delete", "-y", "oci-archive:a.tar:1"],
        &["inspect", "--format", "{{.Id", "b.test/app"],
        &["man", "snyc"],
        &["ls", "a.test", "--ca-file", "none.pem"],
    ] {
        let finished = files.run(arguments).await;
        // What tells drift by 2 tells everything else by 1.
        let code = if ["plan", "prune"].contains(&arguments[0]) {
            1
        } else {
            2
        };
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(code), ""),
            "{arguments:?}"
        );
        said.push(finished.stderr);
    }
    insta::assert_snapshot!(said.concat(), @r#"
    error: typo.yaml:6:3: spec: unknown field "imgaes", did you mean "images"?
    error: secret.yaml:5:48: spec.source.secretRef.name: secret "hub" of namespace "team" is not among the documents: add its file with -f, or fetch it with `kubectl get secret hub -n team -o yaml`
    error: cannot read none.yaml: No such file or directory (os error 2)
    error: transship prune works on what was written before: name the file with --state that `transship sync --state` keeps
    error: transship restore works on what was written before: name the file with --state that `transship sync --state` keeps
    error: SRC names one image, --all-tags copies all: leave out its tag or digest
    error: b.test/app names no tag: write b.test/app:TAG
    error: oci-archive:a.tar:1 is in an archive, which is not changed: write another one
    error: --format: {{ at character 1 is not closed with }}
    error: there is no command "snyc": there are init, sync, plan, prune, restore, copy, bundle, delete, ls, search, digest, manifest, config, images, inspect, history, diff, verify, df, login, logout, controller, convert, crds, schema, completions, man, help
    error: cannot read the CA file none.pem: No such file or directory (os error 2)
    "#);
}
