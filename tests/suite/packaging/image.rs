// SPDX-License-Identifier: Apache-2.0

//! The container image: what it is built from. That the file it holds runs on nothing, `make static` shows.

use std::fs;
use std::path::Path;

use regex::Regex;

use super::helm::{documents, project, read, render};
use crate::support::program::Program;

/// The paths that `.dockerignore` lets into the build.
fn context() -> Vec<String> {
    let text = read(".dockerignore");
    assert!(
        text.lines().any(|line| line == "*"),
        "everything else is out"
    );
    let kept = text.lines().filter_map(|line| line.strip_prefix('!'));
    kept.map(str::to_owned).collect()
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_build_gets_all_that_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    for path in context() {
        copy(&project(&path), &directory.path().join(&path));
    }
    let cargo = Path::new(env!("CARGO"));
    let arguments = [
        "metadata",
        "--no-deps",
        "--offline",
        "--locked",
        "--format-version=1",
    ];
    let mut program = Program::at(cargo, &arguments).directory(directory.path());
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            program = program.environment(name, value);
        }
    }
    program.run().await.assert_success();
    let mut included = Vec::new();
    let include = Regex::new(r#"include_(?:str|bytes)!\("(\.\.[^"]*)"\)"#).unwrap();
    for path in sources(&directory.path().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        included.extend(
            include
                .captures_iter(&text)
                .map(|found| path.with_file_name(&found[1])),
        );
    }
    assert!(included.iter().all(|path| path.is_file()), "{included:?}");
}

fn sources(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

#[test]
fn it_is_built_with_the_pinned_toolchain_by_the_same_script() {
    let file = read("Containerfile");
    let pinned = Regex::new(r#"channel = "([^"]+)""#).unwrap();
    let pinned = &pinned.captures(&read("rust-toolchain.toml")).unwrap()[1].to_owned();
    let base = format!(
        r"(?m)^FROM \S+/rust:{}-[a-z-]+@sha256:[0-9a-f]{{64}} AS build$",
        regex::escape(pinned)
    );
    assert!(Regex::new(&base).unwrap().is_match(&file), "{base}");
    assert!(file.contains("hack/static.sh") && read("Makefile").contains("hack/static.sh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_as_the_user_that_the_chart_says() {
    let file = read("Containerfile");
    let rendered = render("").await;
    let user = &rendered.pod()["spec"]["securityContext"]["runAsUser"];
    assert!(file.contains(&format!("USER {user}:{user}\n")), "{user}");
    let base = file.lines().rfind(|line| line.starts_with("FROM "));
    assert_eq!(base, Some("FROM scratch"));
    assert!(!documents(&rendered.yaml).is_empty());
}
