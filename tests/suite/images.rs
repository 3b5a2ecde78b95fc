// SPDX-License-Identifier: Apache-2.0

//! `transship images`: of what charts render, every image that a node would pull, and nothing else.
//!
//! ```text
//! === title
//! what helm template prints, in the form of a public chart
//! +++
//! an image, as it is printed
//! left out: a part of why a field for an image names none
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use transship::api::document::{self, Resource};
use transship::plan;

use crate::support::program::{Finished, Program};

/// The files with cases, and how many: a case that is not read is not tested.
const FILES: [(&str, usize); 2] = [("custom.txt", 26), ("workloads.txt", 19)];

struct Case {
    title: String,
    manifests: String,
    images: Vec<String>,
    left_out: Vec<String>,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/images");
    let mut cases = Vec::new();
    for (file, count) in FILES {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let before = cases.len();
        for part in text.split("=== ").skip(1) {
            let (title, rest) = part.split_once('\n').unwrap();
            let (manifests, expected) = rest.split_once("\n+++\n").expect(title);
            let is_left_out = |line: &&str| line.starts_with("left out: ");
            let lines = expected.lines().filter(|line| !line.is_empty());
            let (left_out, images): (Vec<&str>, Vec<&str>) = lines.partition(is_left_out);
            cases.push(Case {
                title: title.to_owned(),
                manifests: format!("{manifests}\n"),
                images: images.into_iter().map(str::to_owned).collect(),
                left_out: left_out.into_iter().map(str::to_owned).collect(),
            });
        }
        assert_eq!(cases.len() - before, count, "{file}");
    }
    cases
}

async fn images(arguments: &[&str], manifests: &str) -> Finished {
    let words = [&["images"], arguments].concat();
    Program::transship(&words).input(manifests).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_image_that_a_node_would_pull_and_nothing_else() {
    for case in cases() {
        let title = &case.title;
        let finished = images(&["-", "-o", "json"], &case.manifests).await;
        assert_eq!(finished.code, Some(0), "{title}: {}", finished.stderr);
        let list: Value = serde_json::from_str(&finished.stdout).unwrap();
        let rows = list["images"].as_array().unwrap();
        let found: Vec<&str> = rows
            .iter()
            .map(|row| row["image"].as_str().unwrap())
            .collect();
        assert_eq!(found, case.images, "{title}");

        let told = finished.stderr.lines();
        let told: Vec<&str> = told.filter(|line| line.starts_with("left out: ")).collect();
        assert_eq!(told.len(), case.left_out.len(), "{title}: {told:#?}");
        for line in &case.left_out {
            let why = line.trim_start_matches("left out: ");
            assert!(
                told.iter().any(|told| told.contains(why)),
                "{title}: {told:#?}"
            );
        }
    }
}

/// What all of the cases name together, as mirrors: valid, and each image in one of them.
#[tokio::test(flavor = "multi_thread")]
async fn mirrors_for_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected = BTreeSet::new();
    for (index, case) in cases().into_iter().enumerate() {
        let ending = if case.manifests.starts_with('{') {
            "json"
        } else {
            "yaml"
        };
        let name = format!("{index}.{ending}");
        fs::write(directory.path().join(name), case.manifests).unwrap();
        expected.extend(case.images);
    }
    let program = Program::transship(&[
        "images",
        "-q",
        "-o",
        "mirror",
        "--scoped",
        "--to",
        "mirror.test/all",
        "-f",
    ]);
    let finished = program.argument(directory.path()).run().await;
    finished.assert_success();
    assert_eq!(finished.stderr, "");
    let mut found = BTreeSet::new();
    for written in document::parse(&finished.stdout, "mirrors")
        .unwrap()
        .documents
    {
        let Resource::ImageMirror(mirror) = written.resource else {
            panic!("no mirror: {}", finished.stdout);
        };
        plan::validate(&mirror, &[]).unwrap();
        let registry = &mirror.spec.source.registry;
        for entry in &mirror.spec.images {
            let name = format!("{registry}/{}", entry.repository);
            let tags = entry.tags.iter();
            found.extend(tags.map(|tag| format!("{name}:{tag}")));
            let digests = entry.digests.iter();
            found.extend(digests.map(|digest| format!("{name}@{digest}")));
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_the_result() {
    let chart = cases().swap_remove(0);
    let mut text = String::new();
    for arguments in [
        &["-"][..],
        &["-", "-o", "wide"],
        &["-", "-o", "name"],
        &["-", "-o", "yaml"],
        &["-", "-o", "mirror", "--to", "registry.example.com/mirror"],
        &["-", "-o", "mirror", "--to", "quay.io", "--scoped"],
        &["-", "--field", "externalUrl,storage"],
    ] {
        let words = [&["images"], arguments].concat();
        let program = Program::transship(&words).input(chart.manifests.clone());
        let finished = program.environment("COLUMNS", "100").run().await;
        let words = words.join(" ");
        writeln!(
            text,
            "$ transship {words}\n{}{}",
            finished.stdout, finished.stderr
        )
        .unwrap();
    }
    insta::assert_snapshot!(text);
}

/// A pod of an operator that is told what to run, in so many arguments.
fn operator(arguments: usize) -> String {
    let arguments = (0..arguments).map(|number| format!("--run=quay.io/acme/agent:v{number}"));
    let arguments: Vec<String> = arguments.collect();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: operator}}\nspec: {{containers: [{{name: a, image: \"quay.io/acme/agent:v0\", \
         args: [{}]}}, {{name: sidecar}}]}}\n",
        arguments.join(", ")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_arguments_name_is_told_and_not_counted() {
    let finished = images(&["-", "-o", "name"], &operator(3)).await;
    assert_eq!(finished.stdout, "quay.io/acme/agent:v0\n");
    let told = finished.stderr.lines();
    let told: Vec<&str> = told
        .filter(|line| line.starts_with("not counted"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    not counted, but reads as an image: stdin: document 1: Pod operator: spec.containers[0].args[1]: quay.io/acme/agent:v1
    not counted, but reads as an image: stdin: document 1: Pod operator: spec.containers[0].args[2]: quay.io/acme/agent:v2
    ");
    let many = images(&["-", "-o", "name"], &operator(20)).await.stderr;
    assert_eq!(many.matches("not counted").count(), 6, "{many}");
    assert!(
        many.contains("not counted, but reads as an image: 14 more"),
        "{many}"
    );
    let quiet = images(&["-", "-q"], &operator(3)).await;
    assert_eq!(quiet.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_say_what_is_in_none_of_them() {
    let finished = images(&["-", "-q", "-o", "mirror", "--to", "b.test"], &operator(0)).await;
    finished.assert_success();
    insta::assert_snapshot!(finished.stdout, @r#"
    # left out: stdin: document 1: Pod operator: spec.containers[1].image: it names no image: whatever makes the pod puts one in
    apiVersion: transship.dev/v1alpha1
    kind: ImageMirror
    metadata: {name: quay-io}
    spec:
      source: {registry: quay.io}
      images: [{repository: acme/agent, tags: [v0]}]
      destinations: [{name: b, registry: b.test}]
    "#);
    let url = images(&["-", "-o", "mirror", "--to", "https://b.test/a"], "").await;
    assert_eq!(url.code, Some(2));
    assert!(
        url.stderr.contains(
            r#"registry "https://b.test/a" starts with "https://": write the host without it"#
        ),
        "{}",
        url.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_rendered_first() {
    let chart = tempfile::tempdir().unwrap();
    let templates = chart.path().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(chart.path().join("Chart.yaml"), "name: shop\n").unwrap();
    let template = templates.join("web.yaml");
    fs::write(&template, "{{- if .Values.web }}\nkind: Pod\n{{- end }}\n").unwrap();
    let name = chart.path().to_str().unwrap();
    for path in [chart.path(), &templates, &template] {
        let finished = Program::transship(&["images"]).argument(path).run().await;
        assert_eq!(finished.code, Some(2), "{}", finished.stdout);
        let told = finished.stderr.replace(name, "CHART");
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @"error: CHART is a Helm chart: `helm template CHART | transship images -` lists the images of what it makes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_names_file_document_and_field() {
    let pod = |image: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\n\
             spec: {{template: {{spec: {{containers: [{{name: a, image: {image}}}]}}}}}}\n"
        )
    };
    let good = pod("a");
    let cases = [
        format!("{good}---\n# nothing\n---\n{}", pod("'a:1:2'")),
        format!("{good}---\n{}", pod("{repository: a, tag: b}")),
        pod("1.25"),
        pod("{{ .Values.image }}"),
        "image: {repository: a}\n".to_owned(),
        format!("{good}---\nreplicaCount: 1\n"),
        "just text".to_owned(),
        String::new(),
        "# nothing\n".to_owned(),
        "[1, 2".to_owned(),
        r#"{"apiVersion": "v1", "kind": "PodList", "metadata": {"continue": "x"}, "items": []}"#
            .to_owned(),
        r#"{"apiVersion": "meta.k8s.io/v1", "kind": "Table", "rows": []}"#.to_owned(),
        "apiVersion: v1\nkind: Config\nclusters: []\n".to_owned(),
        format!("{good}a: &a [*a]\n"),
        "a: ".to_owned() + &"[".repeat(5000),
        format!("{good}# {}\n", "x".repeat(33 * 1024 * 1024)),
    ];
    let mut text = String::new();
    for manifests in cases {
        let finished = images(&["-"], &manifests).await;
        assert_eq!(finished.code, Some(2), "{}", finished.stdout);
        assert_eq!(finished.stdout, "");
        text.push_str(&finished.stderr);
    }
    for arguments in [
        &["images"][..],
        &["images", "missing.yaml"],
        &["images", "-", "-o", "mirror"],
        &["images", "-", "-o", "jsn"],
    ] {
        let finished = Program::transship(arguments)
            .input(good.clone())
            .run()
            .await;
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stdout);
        text.push_str(&finished.stderr);
    }
    insta::assert_snapshot!(text);
}
