// SPDX-License-Identifier: Apache-2.0

//! The tools themselves, and what `transship plan` takes with their converted files, on the same tag lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::program::{Finished, Program};
use crate::support::tools;

/// Tags as they stand in registries of today.
pub(super) const FAMILIES: [(&str, &str); 14] = [
    (
        "library/nginx",
        "1 1.26 1.26.2 1.27 1.27.2 1.27.3 1.27.3-alpine 1.27.3-alpine-slim 1.27.3-perl alpine latest mainline stable",
    ),
    (
        "library/alpine",
        "2.7 3 3.9 3.18 3.19 3.20 3.20.3 3.21 3.21.0 20240923 edge latest",
    ),
    (
        "library/redis",
        "6.2 6.2.16 7 7.0 7.2.6 7.4 7.4.1 7.4.1-alpine 7.4-rc2 8.0-M02 latest",
    ),
    (
        "library/postgres",
        "16 16.6 16.6-alpine 16-bullseye 17 17.2 17.2-alpine3.20 17-bookworm 18beta1 latest",
    ),
    (
        "library/busybox",
        "1.36.0 1.36.1 1.36.1-glibc 1.36.1-musl 1.37.0 1.37.0-uclibc glibc latest",
    ),
    (
        "prometheus/node-exporter",
        "latest main master v0.18.1 v1.7.0 v1.8.0-rc.0 v1.8.0 v1.8.2",
    ),
    (
        "coreos/etcd",
        "latest v3.4.34 v3.5.0-beta.3 v3.5.17 v3.5.17-amd64 v3.6.0-rc.0",
    ),
    (
        "jetstack/cert-manager-controller",
        "canary v1.15.3 v1.16.0-alpha.0 v1.16.0-beta.0 v1.16.0 v1.16.2 v1.17.0-alpha.0",
    ),
    (
        "kaniko-project/executor",
        "debug latest v1.19.2 v1.20.0 v1.20.0-debug v1.23.2 v1.23.2-slim",
    ),
    (
        "argoproj/argocd",
        "latest v2.12.7 v2.13.0-rc1 v2.13.1 v2.13.2 v3.0.0-rc1",
    ),
    (
        "stefanprodan/podinfo",
        "5.0.0 5.0.3 5.1.0 5.1.0-beta.1 6.0.0 6.7.1 latest sha-abc1234",
    ),
    (
        "keycloak/keycloak",
        "25.0.6 26.0 26.0.0 26.0.7 26.0.7-0 latest nightly",
    ),
    (
        "team/app",
        "main-1a2b3c4-1731420000 main-9f8e7d6-1731430000 dev-1a2b3c4-1731440000 v0.9 v1.0 v1.0.1",
    ),
    ("team/empty", "latest"),
];

/// Files of regsync. SOURCE and TARGET are registries.
const REGSYNC: &[(&str, &str)] = &[
    (
        "all tags",
        "{source: SOURCE/library/alpine, target: TARGET/library/alpine, type: repository}",
    ),
    (
        "one image",
        "{source: 'SOURCE/library/nginx:1.27.3', target: 'TARGET/web/nginx:1.27.3', type: image}",
    ),
    (
        "an image under another tag",
        "{source: 'SOURCE/library/nginx:1.27.3', target: 'TARGET/web/nginx:stable', type: image}",
    ),
    (
        "tags by name, not all of them there",
        "{source: SOURCE/library/alpine, target: TARGET/library/alpine, type: repository, tags: {allow: [latest, edge, '3', '3.99']}}",
    ),
    (
        "an expression",
        "{source: SOURCE/library/alpine, target: TARGET/library/alpine, type: repository, tags: {allow: ['3\\.\\d+']}}",
    ),
    (
        "alternatives without a group",
        "{source: SOURCE/library/redis, target: TARGET/library/redis, type: repository, tags: {allow: ['6\\.2|7\\.4']}}",
    ),
    (
        "three alternatives",
        "{source: SOURCE/library/redis, target: TARGET/library/redis, type: repository, tags: {allow: ['6|\\.4|M02']}}",
    ),
    (
        "anchors of its own",
        "{source: SOURCE/library/redis, target: TARGET/library/redis, type: repository, tags: {allow: ['^7\\..*$']}}",
    ),
    (
        "allowed and denied",
        "{source: SOURCE/library/nginx, target: TARGET/library/nginx, type: repository, tags: {allow: ['1\\.27.*'], deny: ['.*-perl', '.*slim']}}",
    ),
    (
        "denied alone",
        "{source: SOURCE/coreos/etcd, target: TARGET/coreos/etcd, type: repository, tags: {deny: ['.*-(rc|beta).*', latest]}}",
    ),
    (
        "a class with a bar",
        "{source: SOURCE/library/busybox, target: TARGET/library/busybox, type: repository, tags: {allow: ['1\\.3[6|7]\\.[01]']}}",
    ),
    (
        "an escaped dollar and a dot",
        "{source: SOURCE/library/busybox, target: TARGET/library/busybox, type: repository, tags: {allow: ['1.36.1', 'l.test']}}",
    ),
];

/// Files of skopeo, below a registry. That of Debian does not know `images-by-semver`.
const SKOPEO: &[(&str, &str)] = &[
    ("all tags", "images: {library/alpine: []}"),
    (
        "tags by name",
        "images: {library/alpine: ['3.20', latest], library/nginx: ['1.27']}",
    ),
    (
        "an expression anywhere",
        "images-by-tag-regex: {library/redis: '6\\.2|7\\.0'}",
    ),
    (
        "an expression with anchors",
        "images-by-tag-regex: {library/nginx: '^1\\.27\\.[0-9]+$'}",
    ),
    (
        "one anchor",
        "images-by-tag-regex: {library/postgres: '^17'}",
    ),
    (
        "the other anchor",
        "images-by-tag-regex: {library/busybox: 'musl$'}",
    ),
    (
        "several of everything",
        "images: {team/app: [v1.0]}\nimages-by-tag-regex: {library/busybox: glibc}",
    ),
];

/// What `tags` of a step of regsync says, for repositories with the tags of real images.
const REGSYNC_TAGS: [&str; 19] = [
    "allow: ['.*']",
    "allow: ['v?\\d+\\.\\d+\\.\\d+']",
    "allow: ['v?\\d+\\.\\d+']",
    "allow: ['\\d+.*', 'v\\d+.*']",
    "allow: ['.*-alpine.*', '.*-slim', '.*-jdk.*']",
    "deny: ['.*-(rc|alpha|beta).*']",
    "allow: ['v?\\d+\\.\\d+\\.\\d+'], deny: ['v?0\\..*']",
    "allow: [latest, stable, '1', '2.0.0']",
    "allow: ['[0-9.]+']",
    "allow: ['v.*'], deny: ['.*0']",
    "allow: ['\\d+\\.\\d+|\\d+']",
    "allow: ['^v?\\d+\\..*$']",
    "deny: [latest, '.*-.*']",
    "allow: ['(v|)\\d+\\.\\d+\\.\\d+(-\\d+)?']",
    "allow: ['.*[02468]']",
    "allow: ['\\w+']",
    "semverRange: ['>=1.0.0']",
    "semverRange: ['>=1.0.0 <3.0.0', '>=7.0.0']",
    "semverRange: ['>=1.0.0-0']",
];

/// Expressions of skopeo, for the same repositories.
const SKOPEO_EXPRESSIONS: [&str; 24] = [
    r"^v?[0-9]+\.[0-9]+\.[0-9]+$",
    r"^[0-9]+",
    r"alpine|slim|jdk",
    r"latest",
    r"^v",
    r"[0-9]$",
    r"-",
    r"^(latest|stable)$",
    r"\.0$",
    r"rc|alpha|beta",
    r"^[^-]+$",
    r"^1\.",
    r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?(-.*)?$",
    r"2",
    r"^.{3,6}$",
    r"^[0-9]+$",
    r"^v?1\.|^v?2\.",
    r"(?i)RC|FINAL|M",
    r"\d{3}",
    r"^[0-9.]+$|^v[0-9.]+$",
    r".*",
    r"0$|latest",
    r"^\d+\.\d+\.[1-9]\d*",
    r"[.-]1",
];

/// Repositories with the tags of real images, at least.
const LISTS: usize = 60;
/// Files that are tried with each tool, at least.
const FILES: usize = 30;
/// Repositories that one file is about.
const EACH: usize = 20;

/// Tag lists of real images, as the tests of selections have them: those of one image are one list.
fn real_lists() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy/select_cases");
    let mut lists: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for block in text.split("\n\n") {
            let title = block.trim_start().lines().next().unwrap_or_default();
            let image = title.split([':', ',']).next().unwrap().to_lowercase();
            let words: Vec<&str> = image
                .split(|character: char| !character.is_ascii_alphanumeric())
                .filter(|word| !word.is_empty())
                .collect();
            let tags = block.lines().filter_map(|line| line.strip_prefix("tags"));
            let tags = tags.flat_map(str::split_whitespace);
            let tags = tags.map(|tag| tag.split('@').next().unwrap().to_owned());
            let list = lists
                .entry(format!("real/{}", words.join("-")))
                .or_default();
            // No image has a dash at its end, or a number that no program of Go reads.
            let is_usual = |tag: &String| {
                let mut numbers = tag.split(|character: char| !character.is_ascii_digit());
                !tag.starts_with("sha256-")
                    && !tag.ends_with('-')
                    && numbers.all(|number| number.len() < 19)
            };
            list.extend(tags.filter(is_usual));
        }
    }
    lists.retain(|_, tags| tags.len() > 3);
    lists
}

/// A registry with all families, one without anything, and a directory for files.
struct Bench {
    source: FaultRegistry,
    target: FaultRegistry,
    folder: TempDir,
    /// Repositories with the tags of real images.
    lists: Vec<String>,
}

/// Images that are taken: repository and tag at the source.
type Taken = BTreeSet<String>;

impl Bench {
    fn new() -> Self {
        let source = FaultRegistry::start();
        let image = ImageBuilder::new(1).build();
        for (repository, tags) in FAMILIES {
            for tag in tags.split(' ') {
                source.load(repository, tag, &image);
            }
        }
        let lists = real_lists();
        assert!(lists.len() >= LISTS, "{}", lists.len());
        for (repository, tag) in lists
            .iter()
            .flat_map(|(name, tags)| tags.iter().map(move |tag| (name, tag)))
        {
            source.load(repository, tag, &image);
        }
        Self {
            lists: lists.into_keys().collect(),
            source,
            target: FaultRegistry::start(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    async fn run(&self, program: &Path, arguments: &[&str]) -> Finished {
        Program::at(program, arguments)
            .directory(self.folder.path())
            .run()
            .await
    }

    /// What a converted file takes.
    async fn ours(&self, arguments: &[&str]) -> Taken {
        let arguments = [&["convert"], arguments].concat();
        let converted = Program::transship(&arguments)
            .directory(self.folder.path())
            .run()
            .await;
        converted.assert_success();
        self.write("ours.yaml", &converted.stdout);
        let plan = Program::transship(&["plan", "-f", "ours.yaml", "-o", "json"])
            .directory(self.folder.path())
            .run()
            .await;
        let report: serde_json::Value = serde_json::from_str(&plan.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", plan.stderr, converted.stdout));
        let mirrors = report["mirrors"].as_array().unwrap().iter();
        mirrors
            .flat_map(|mirror| mirror["tags"].as_array().unwrap())
            .filter(|tag| tag["action"] == "Planned" || tag["target"].is_string())
            .map(|tag| self.image(tag["source"].as_str().unwrap()))
            .collect()
    }

    /// Some of the repositories with real tags: others for each file.
    fn some(&self, file: usize) -> impl Iterator<Item = &String> {
        let start = file * EACH % self.lists.len();
        self.lists.iter().cycle().skip(start).take(EACH)
    }

    /// An image of the source, without its registry.
    fn image(&self, text: &str) -> String {
        let prefix = format!("{}/", self.source.host());
        text.strip_prefix(&prefix).unwrap_or(text).to_owned()
    }
}

fn told(name: &str, theirs: &Taken, ours: &Taken) -> String {
    let [missed, more]: [Vec<&String>; 2] = [
        theirs.difference(ours).collect(),
        ours.difference(theirs).collect(),
    ];
    format!(
        "{name}: of {} ours misses {missed:?} and has besides {more:?}",
        theirs.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn regsync_and_its_converted_files_take_the_same() {
    let bench = Bench::new();
    let (source, target) = (bench.source.host(), bench.target.host());
    let logins = format!(
        "creds: [{{registry: '{source}', tls: disabled}}, {{registry: '{target}', tls: disabled}}]"
    );
    let of_families = REGSYNC.iter().map(|(name, step)| {
        let step = step.replace("SOURCE", &source).replace("TARGET", &target);
        ((*name).to_owned(), format!("  - {step}\n"))
    });
    let of_lists = REGSYNC_TAGS.iter().enumerate().map(|(file, tags)| {
        let step = |name: &String| {
            format!("  - {{source: {source}/{name}, target: {target}/{name}, type: repository, tags: {{{tags}}}}}\n")
        };
        ((*tags).to_owned(), bench.some(file).map(step).collect())
    });
    let files: Vec<(String, String)> = of_families.chain(of_lists).collect();
    assert!(files.len() >= FILES, "{}", files.len());
    let mut wrong = Vec::new();
    for (name, steps) in files {
        bench.write(
            "regsync.yml",
            &format!("version: 1\n{logins}\nsync:\n{steps}"),
        );
        let check = bench
            .run(
                &tools::built("regsync"),
                &["check", "-c", "regsync.yml", "-v", "info"],
            )
            .await;
        let theirs: Taken = check
            .stderr
            .lines()
            .chain(check.stdout.lines())
            .filter(|line| line.contains("Image sync needed"))
            .filter_map(|line| line.split("source=").nth(1)?.split_whitespace().next())
            .map(|image| bench.image(image))
            .collect();
        let ours = bench.ours(&["regsync", "regsync.yml"]).await;
        if ours != theirs || theirs.is_empty() {
            wrong.push(told(&name, &theirs, &ours));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_and_its_converted_files_take_the_same() {
    let bench = Bench::new();
    let (source, target) = (bench.source.host(), bench.target.host());
    let of_families = SKOPEO.iter().map(|(name, fields)| {
        let fields = fields.replace('\n', "\n  ");
        ((*name).to_owned(), fields)
    });
    let of_lists = SKOPEO_EXPRESSIONS
        .iter()
        .enumerate()
        .map(|(file, expression)| {
            let line = |name: &String| format!("\n    {name}: '{expression}'");
            let lines: String = bench.some(file).map(line).collect();
            (
                (*expression).to_owned(),
                format!("images-by-tag-regex:{lines}"),
            )
        });
    let files: Vec<(String, String)> = of_families.chain(of_lists).collect();
    assert!(files.len() >= FILES, "{}", files.len());
    let mut wrong = Vec::new();
    for (name, fields) in files {
        bench.write(
            "sync.yaml",
            &format!("'{source}':\n  tls-verify: false\n  {fields}\n"),
        );
        let arguments = [
            "sync",
            "--dry-run",
            "--src",
            "yaml",
            "--dest",
            "docker",
            "--dest-tls-verify=false",
            "sync.yaml",
        ];
        let to = format!("{target}/mirror");
        let arguments = [&arguments[..], &[&to]].concat();
        let sync = bench.run(&tools::packaged("skopeo"), &arguments).await;
        let theirs: Taken = sync
            .stderr
            .lines()
            .chain(sync.stdout.lines())
            .filter(|line| line.contains("Would have copied image"))
            .filter_map(|line| line.split("from=\"docker://").nth(1)?.split('"').next())
            .map(|image| bench.image(image))
            .collect();
        let ours = bench.ours(&["skopeo", "sync.yaml", "--to", &to]).await;
        if ours != theirs || theirs.is_empty() {
            wrong.push(told(&name, &theirs, &ours));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_says_what_differs_and_what_cannot_be_compared() {
    let bench = Bench::new();
    let (source, target) = (bench.source.host(), bench.target.host());
    let step = |repository: &str, tags: &str| {
        format!(
            "  - {{source: {source}/{repository}, target: {target}/{repository}, type: repository, tags: {{{tags}}}}}\n"
        )
    };
    let all: String = bench
        .lists
        .iter()
        .enumerate()
        .map(|(index, name)| step(name, REGSYNC_TAGS[index % REGSYNC_TAGS.len()]))
        .collect();
    let logins = format!("creds: [{{registry: '{source}', tls: disabled}}]");
    bench.write("all.yml", &format!("{logins}\nsync:\n{all}"));
    let check = async |file: &str| {
        let arguments = ["convert", "regsync", file, "--check", "--insecure", &source];
        Program::transship(&arguments)
            .directory(bench.folder.path())
            .run()
            .await
    };
    let same = check("all.yml").await;
    assert_eq!(same.stdout.lines().count(), bench.lists.len());
    let differing: Vec<&str> = same
        .stdout
        .lines()
        .filter(|line| !line.contains(": the same "))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(same.code, Some(0), "{}", same.stderr);

    bench.write(
        "gone.yml",
        &format!("{logins}\nsync:\n{}", step("no/such", "allow: ['1']")),
    );
    let gone = check("gone.yml").await;
    assert_eq!(gone.code, Some(1), "{gone:?}");
    let told = format!("not compared: {source}/no/such: ");
    assert!(gone.stderr.contains(&told), "{}", gone.stderr);

    for text in ["sync: []", "task: another tool's"] {
        bench.write("none.yml", text);
        let none = check("none.yml").await;
        assert_eq!(none.code, Some(1), "{none:?}");
        assert!(
            none.stderr.contains("nothing to compare"),
            "{}",
            none.stderr
        );
    }
}
