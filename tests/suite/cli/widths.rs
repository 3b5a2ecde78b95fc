// SPDX-License-Identifier: Apache-2.0

//! What people see in windows of 80, 100 and 200 columns, with names as long as those of clouds.

use std::fmt::Write as _;

use regex::Regex;
use serde_json::json;

use crate::support::content::{Image, ImageBuilder};
use crate::support::http::Reply;
use crate::support::named::NamedRegistry;

const SOURCE: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
const DESTINATION: &str = "europe-west3-docker.pkg.example.dev";
const REPOSITORY: &str = "platform/payments/order-service";

/// The lines that are typed; `FROM` and `TO` stand for repositories at the source and at the destination.
const LINES: [&str; 24] = [
    "ls SOURCE",
    "ls FROM",
    "ls --by-digest FROM",
    "search SOURCE/order",
    "digest FROM:1.4.0",
    "history --platform linux/amd64 FROM:1.4.0",
    "inspect --platform linux/amd64 FROM:1.4.0",
    "diff FROM:1.4.0 FROM:1.5.0-rc.1.20260201",
    "verify FROM:1.4.0",
    "df FROM",
    "df SOURCE",
    "copy --dry-run FROM:1.4.0 TO",
    "copy FROM:1.4.0 TO:stable",
    "copy FROM:9.9.9 TO",
    "delete --dry-run FROM:1.4.0",
    "plan -f mirror.yaml",
    "plan -f mirror.yaml --changes-only",
    "sync -q -f mirror.yaml --state state.json",
    "sync -q -f mirror.yaml --state state.json",
    "prune -f narrow.yaml --state state.json",
    "prune -f narrow.yaml --state state.json --in-use-from used.txt --delete",
    "restore --state state.json -f narrow.yaml",
    "verify -f mirror.yaml",
    "sync -q -f gone.yaml",
];

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64", "linux/arm/v7"])
        .layers(&[800_000, 20_000])
        .label(
            "org.opencontainers.image.source",
            "https://git.example.com/payments/order-service",
        )
        .created("2026-02-01T00:00:00Z")
        .build()
}

fn mirror(tags: &str) -> String {
    format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: order-service-to-europe, namespace: payments}}
spec:
  source: {{registry: {SOURCE}}}
  images: [{{repository: {REPOSITORY}, tags: [{tags}]}}]
  destinations: [{{name: europe, registry: {DESTINATION}, repository: 'mirror/{{repository}}'}}]
  prune: {{mode: Delete, grace: 0s, maxPercent: 100}}
"
    )
}

fn lab() -> NamedRegistry {
    let lab = NamedRegistry::start(&[SOURCE, DESTINATION]);
    for (tag, seed) in [("1.4.0", 1), ("stable", 1), ("1.5.0-rc.1.20260201", 2)] {
        lab.registry.load(REPOSITORY, tag, &image(seed));
    }
    let hits = json!({"results": [{
        "name": REPOSITORY, "star_count": 3, "is_official": false,
        "description": "Takes orders of all shops, checks them, and hands them on to whoever delivers",
    }]});
    lab.registry
        .on("GET", "/v1/search")
        .responds(Reply::json(200, &hits));
    lab.write("mirror.yaml", &mirror("'*'"));
    lab.write("narrow.yaml", &mirror("'1.4.0'"));
    lab.write("gone.yaml", &mirror("'9.9.9'"));
    lab.write("used.txt", "registry.example.com/other:1\n");
    lab
}

/// Everything that the lines print, each below its line.
async fn transcript(columns: usize) -> String {
    let lab = lab();
    let from = format!("{SOURCE}/{REPOSITORY}");
    let to = format!("{DESTINATION}/copies/order-service");
    let mut text = String::new();
    for line in LINES {
        let typed = line
            .replace("FROM", &from)
            .replace("SOURCE", SOURCE)
            .replace("TO", &to);
        let words: Vec<&str> = typed.split(' ').collect();
        let finished = lab
            .transship(&words)
            .environment("COLUMNS", columns.to_string())
            .run()
            .await;
        let code = finished.code.expect("an exit code");
        let printed = finished.stderr + &finished.stdout;
        writeln!(text, "$ transship {line}\n{printed}[{code}]\n").unwrap();
    }
    settled(&text)
}

/// The same without what differs from run to run.
fn settled(text: &str) -> String {
    let seconds = Regex::new(r"\d+\.\d+s\b").unwrap();
    let text = seconds.replace_all(text, "0.1s");
    let plan = Regex::new(r"--approve sha256:[0-9a-f]{64}").unwrap();
    let text = plan.replace_all(&text, "--approve PLAN");
    let time = Regex::new(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let text = time.replace_all(&text, |found: &regex::Captures<'_>| match &found[0] {
        "2026-02-01T00:00:00Z" => found[0].to_owned(),
        _ => "2026-11-27T10:00:00Z".to_owned(),
    });
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// The rows of tables: they are what has to fit.
fn tables(text: &str) -> impl Iterator<Item = &str> {
    let heading = Regex::new(r"^ *[A-Z][A-Z ]+   +[A-Z]").unwrap();
    let mut is_table = false;
    text.lines().filter(move |line| {
        is_table = heading.is_match(line) || (is_table && line.contains("   "));
        is_table
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_the_window() {
    let (narrow, usual, wide) = tokio::join!(transcript(80), transcript(100), transcript(200));
    for (columns, text) in [(100, &usual), (200, &wide)] {
        let too_wide: Vec<&str> = tables(text)
            .filter(|line| line.chars().count() > columns)
            .collect();
        assert!(too_wide.is_empty(), "{columns}: {too_wide:#?}");
    }
    assert!(tables(&usual).count() > 40);
    insta::assert_snapshot!("at_80", narrow);
    insta::assert_snapshot!("at_100", usual);
    insta::assert_snapshot!("at_200", wide);
}
