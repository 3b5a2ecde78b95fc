// SPDX-License-Identifier: Apache-2.0

//! What is downloaded: the archive, and what package managers read about it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use transship::oci::Digest;

use super::helm::{NAMESPACE, project, read, render};
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;

/// Where the release would be.
const REPOSITORY: &str = "https://example.com/acme/transship";
/// What stands in an archive besides the pages of commands.
const FILES: [&str; 8] = [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "completions/_transship",
    "completions/transship.bash",
    "completions/transship.fish",
    "man/transship.1",
    "transship",
];

/// The types of a chart as an artifact (<https://helm.sh/docs/topics/registries/>).
const CHART: [&str; 2] = [
    "application/vnd.cncf.helm.config.v1+json",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
];

async fn run(script: &str, arguments: &[&str]) {
    let program = Program::at(&project(script), arguments);
    program.run().await.assert_success();
}

/// Packs a program that says what the real one says, and is small.
async fn pack(directory: &Path, system: &str, architecture: &str) -> PathBuf {
    let program = directory.join("program");
    let script = format!(
        "#!/bin/sh\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_transship")
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let dist = directory.join("dist");
    let arguments = [
        program.to_str().unwrap(),
        system,
        architecture,
        dist.to_str().unwrap(),
    ];
    run("hack/release/archive.py", &arguments).await;
    let version = env!("CARGO_PKG_VERSION");
    dist.join(format!(
        "transship_{version}_{system}_{architecture}.tar.gz"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_has_the_program_its_pages_and_its_completions() {
    let directory = tempfile::tempdir().unwrap();
    let archive = pack(directory.path(), "linux", "amd64").await;
    let first = fs::read(&archive).unwrap();
    assert_eq!(pack(directory.path(), "linux", "amd64").await, archive);
    assert!(
        fs::read(&archive).unwrap() == first,
        "the same program gives the same bytes"
    );

    let unpacked = directory.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let arguments = ["-xzf", archive.to_str().unwrap()];
    let tar = Program::at(Path::new("/bin/tar"), &arguments).directory(&unpacked);
    tar.run().await.assert_success();
    let found = files(&unpacked, "");
    let files = FILES.map(str::to_owned).into_iter();
    let expected: BTreeSet<String> = files.chain(commands().await).collect();
    assert_eq!(found, expected);

    let mode = |name: &str| {
        let metadata = fs::metadata(unpacked.join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!([mode("transship"), mode("LICENSE")], [0o755, 0o644]);
    for name in found.iter().filter(|name| name.starts_with("man/")) {
        let page = fs::read_to_string(unpacked.join(name)).unwrap();
        assert!(page.contains(".TH transship"), "{name} is a page");
    }
    for (name, word) in [
        ("_transship", "#compdef transship"),
        ("transship.bash", "complete "),
        ("transship.fish", "complete -c transship"),
    ] {
        let script = fs::read_to_string(unpacked.join("completions").join(name)).unwrap();
        assert!(script.contains(word), "{name}");
    }
}

/// The pages of the commands that the program lists.
async fn commands() -> BTreeSet<String> {
    let finished = Program::transship(&["--help"]).run().await;
    finished.assert_success();
    let (_, listed) = finished.stdout.split_once("Commands:\n").unwrap();
    let listed = listed.split("\n\n").next().unwrap().lines();
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let pages: BTreeSet<String> = names
        .filter(|name| !name.is_empty() && *name != "help")
        .map(|name| format!("man/transship-{name}.1"))
        .collect();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

fn files(directory: &Path, prefix: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let names = entries.flat_map(|entry| {
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            return Vec::from_iter(files(&entry.path(), &format!("{name}/")));
        }
        vec![name]
    });
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn package_managers_get_the_digests_of_the_archives() {
    let directory = tempfile::tempdir().unwrap();
    let mut archives = Vec::new();
    for system in ["linux", "darwin"] {
        for architecture in ["amd64", "arm64"] {
            let archive = pack(directory.path(), system, architecture).await;
            // They differ, as programs do.
            let mut bytes = fs::read(&archive).unwrap();
            bytes.extend(format!("{system}{architecture}").bytes());
            fs::write(&archive, &bytes).unwrap();
            let name = archive.file_name().unwrap().to_str().unwrap().to_owned();
            let digest = Digest::sha256(&bytes).encoded().to_owned();
            archives.push((system, architecture, name, digest));
        }
    }
    let dist = directory.path().join("dist");
    run(
        "hack/release/manifests.py",
        &[dist.to_str().unwrap(), REPOSITORY],
    )
    .await;
    let written = |name: &str| fs::read_to_string(dist.join(name)).unwrap();
    let (krew, homebrew, sums) = (
        written("krew.yaml"),
        written("transship.rb"),
        written("SHA256SUMS"),
    );
    let plugin: Value = serde_saphyr::from_str(&krew).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(plugin["spec"]["version"], format!("v{version}"));
    let platforms = plugin["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 4);
    for (system, architecture, name, digest) in archives {
        let url = format!("{REPOSITORY}/releases/download/v{version}/{name}");
        let labels = serde_json::json!({"os": system, "arch": architecture});
        let platform = platforms
            .iter()
            .find(|platform| platform["selector"]["matchLabels"] == labels)
            .unwrap();
        assert_eq!(platform["uri"], url);
        assert_eq!(platform["sha256"], digest);
        assert_eq!(platform["bin"], "transship");
        let lines = format!("      url \"{url}\"\n      sha256 \"{digest}\"\n");
        assert!(homebrew.contains(&lines), "{homebrew}");
        assert!(sums.contains(&format!("{digest}  {name}\n")), "{sums}");
    }
    // krew names it after the plugin by itself.
    for name in ["kubectl-transship", "kubectl_complete-transship"] {
        let link = format!("bin.install_symlink \"transship\" => \"{name}\"\n");
        assert!(homebrew.contains(&link), "{homebrew}");
    }
    for text in [&krew, &homebrew] {
        assert!(!text.contains('@'), "a value is missing: {text}");
    }
    for (name, text) in [("krew.yaml", &krew), ("transship.rb", &homebrew)] {
        let line = format!("{}  {name}\n", Digest::sha256(text.as_bytes()).encoded());
        assert!(sums.contains(&line), "{name} is among the digests");
    }
}

async fn helm(arguments: &[&str]) -> Finished {
    let finished = Program::at(&tools::built("helm"), arguments).run().await;
    finished.assert_success();
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_is_an_artifact_that_installs_what_the_directory_does() {
    let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
    let directory = tempfile::tempdir().unwrap();
    let packed = directory.path();
    let (chart, packed) = (project("charts/transship"), packed.to_str().unwrap());
    let arguments = ["package", chart.to_str().unwrap(), "--destination", packed];
    helm(&arguments).await;
    let version = env!("CARGO_PKG_VERSION");
    let file = format!("{packed}/transship-{version}.tgz");
    let charts = format!("oci://{}/charts", registry.host());
    helm(&["push", &file, &charts, "--plain-http"]).await;

    let path = format!("/v2/charts/transship/manifests/{version}");
    let manifest = registry.client().get(&path).await.unwrap().json().unwrap();
    assert_eq!(
        [
            &manifest["config"]["mediaType"],
            &manifest["layers"][0]["mediaType"]
        ],
        CHART
    );
    let pushed = format!("{charts}/transship");
    let mut arguments = vec!["template", "transship", &pushed, "--version", version];
    arguments.extend(["--plain-http", "--namespace", NAMESPACE]);
    let rendered = helm(&arguments).await;
    assert_eq!(rendered.stdout, render("").await.yaml);
}

/// The crates of the lock file that are linked into the program, and the program itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_parts_is_that_of_the_lock_file() {
    let mut script = Program::at(
        &project("hack/release/sbom.py"),
        &["x86_64-unknown-linux-musl"],
    );
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "PATH"] {
        if let Some(value) = std::env::var_os(name) {
            script = script.environment(name, value);
        }
    }
    let finished = script.run().await;
    finished.assert_success();
    let list: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(list["bomFormat"], "CycloneDX");
    assert_eq!(list["metadata"]["component"]["name"], "transship");
    let lock = read("Cargo.lock");
    let components = list["components"].as_array().unwrap();
    for component in components {
        let (name, version) = (&component["name"], &component["version"]);
        let locked = format!("name = {name}\nversion = {version}\n");
        assert!(lock.contains(&locked), "{component}");
    }
    let has = |name: &str| components.iter().any(|component| component["name"] == name);
    assert!(has("tokio") && has("rustls"));
    assert!(!has("insta"), "what tests need is no part of the program");
}
