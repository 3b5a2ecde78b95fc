// SPDX-License-Identifier: Apache-2.0

//! What machines read: every document has the kind and the fields that the schema says.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::Files;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;

/// Where the schema is for who reads documents.
const PAGE: &str = "docs/schema/cli.json";

/// What the plugin of kubectl prints.
const OF_CLUSTERS: [&str; 4] = ["MirrorList", "ImageAnswer", "MirrorTree", "RestorableTags"];

/// Every command with documents, as it does what it should, and as it fails.
const COMMANDS: [(&str, i32); 35] = [
    ("search HOST/app", 0),
    ("sync -f mirror.yaml --dry-run", 0),
    ("plan -f mirror.yaml", 2),
    ("sync -f mirror.yaml --state state.json", 0),
    ("sync -f narrow.yaml --state state.json", 0),
    ("bundle create -f mirror.yaml out.tar", 0),
    ("bundle verify out.tar", 0),
    ("sync -f broken.yaml", 1),
    ("plan -f mirror.yaml", 0),
    ("plan -f policy.yaml", 0),
    ("prune -f narrow.yaml --state state.json", 2),
    ("prune -f narrow.yaml --state state.json --delete", 0),
    ("restore -f narrow.yaml --state state.json", 0),
    ("restore -f narrow.yaml --state state.json HOST/copy:2", 0),
    ("copy HOST/app:1 HOST/other:1", 0),
    ("copy HOST/app:1 HOST/app:again", 0),
    ("copy HOST/gone:1 HOST/other:1", 1),
    ("images pod.yaml", 0),
    ("images --from-cluster --kubeconfig cluster.yaml", 1),
    ("ls HOST", 0),
    ("ls HOST/app", 0),
    ("ls -q HOST/app", 0),
    ("ls HOST/gone", 1),
    ("digest HOST/app:1", 0),
    ("inspect HOST/app:1", 0),
    ("inspect HOST/gone:1", 1),
    ("history HOST/app:1", 0),
    ("diff HOST/app:1 HOST/app:2", 2),
    ("diff HOST/app:1 HOST/app:1", 0),
    ("verify HOST/app:1", 0),
    ("verify HOST/gone:1", 1),
    ("verify -f mirror.yaml --state state.json", 0),
    ("df HOST/app", 0),
    ("df --tags HOST", 0),
    ("delete --yes HOST/other:1", 0),
];

fn mirror(host: &str, fields: &str) -> String {
    format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{host}', insecure: true}}
  destinations: [{{name: d, registry: '{host}', repository: copy, insecure: true}}]
  prune: {{mode: Delete, grace: 0s, inUse: Ignore, maxPercent: 100}}
  {fields}
"
    )
}

fn files(host: &str) -> Files {
    let policy = "---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: p}
spec: {select: {include: ['.*'], exclude: ['2']}, require: {denyTags: ['1']}}
";
    let selecting = mirror(host, "images: [{repository: app, policyRefs: [{name: p}]}]");
    Files::new(&[
        (
            "mirror.yaml",
            &mirror(host, "images: [{repository: app, tags: ['1', '2']}]"),
        ),
        (
            "narrow.yaml",
            &mirror(host, "images: [{repository: app, tags: ['1']}]"),
        ),
        (
            "broken.yaml",
            &mirror(host, "images: [{repository: gone, tags: ['1']}]"),
        ),
        ("policy.yaml", &format!("{selecting}{policy}")),
        (
            "pod.yaml",
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: a}, {image: ''}]}}",
        ),
        (
            "cluster.yaml",
            "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], \
             clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]}",
        ),
    ])
}

#[test]
fn the_schema_that_people_read_is_the_one_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let schema = transship::cli::output_schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let text = serde_json::to_string_pretty(&schema).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let page: Value = serde_json::from_str(&text).unwrap();
    assert!(
        page == schema,
        "write {PAGE} anew: run this test with UPDATE_SCHEMA=1"
    );
    jsonschema::meta::validate(&schema).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_is_as_the_schema_says() {
    let registry = FaultRegistry::start();
    for (tag, seed) in [("1", 1), ("2", 2)] {
        let image = ImageBuilder::new(seed).platforms(&["linux/amd64", "linux/arm64"]);
        registry.load("app", tag, &image.referrer("application/x.sbom").build());
    }
    let host = registry.host();
    let files = files(&host);
    let schema = jsonschema::validator_for(&transship::cli::output_schema()).unwrap();
    let mut kinds = BTreeSet::new();
    let mut wrong = Vec::new();
    for (command, code) in COMMANDS {
        let words = command.replace("HOST", &host);
        let mut words: Vec<&str> = words.split(' ').collect();
        words.extend(["-o", "json"]);
        let finished = files.run(&words).await;
        let told = format!("{command}: {}\n{}", finished.stdout, finished.stderr);
        if finished.code != Some(code) {
            wrong.push(told);
            continue;
        }
        let document: Value = serde_json::from_str(&finished.stdout).expect(&told);
        let faults: Vec<String> = schema
            .iter_errors(&document)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        if !faults.is_empty() {
            wrong.push(format!("{faults:#?}\n{told}"));
        }
        kinds.insert(document["kind"].as_str().unwrap().to_owned());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let named = transship::cli::output_schema();
    let named = named["anyOf"].as_array().unwrap();
    let named: BTreeSet<String> = named
        .iter()
        .map(|kind| kind["title"].as_str().unwrap().to_owned())
        // Real signatures are looked at where they are made, and clusters where one is.
        .filter(|kind| kind != "Signatures" && !OF_CLUSTERS.contains(&kind.as_str()))
        .collect();
    assert_eq!(kinds, named);
}
