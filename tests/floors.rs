// SPDX-License-Identifier: Apache-2.0

//! The floors of the library: a module uses lower ones only, and no two files of a floor use each other.

#![expect(
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a test stops at the first surprise, and tables of cases are long"
)]

#[path = "floors/architecture.rs"]
mod architecture;
#[path = "floors/circles.rs"]
mod circles;
#[path = "floors/licenses.rs"]
mod licenses;
#[path = "floors/names.rs"]
mod names;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules that it may use, lowest first.
const FLOORS: [(&str, &[&str]); 16] = [
    ("oci", &[]),
    ("policy", &["oci"]),
    ("api", &["oci", "policy"]),
    ("plan", &["oci", "policy", "api"]),
    ("page", &["oci", "policy", "api", "plan"]),
    ("convert", &["oci", "policy", "api"]),
    ("events", &["oci", "api", "plan"]),
    ("registry", &["oci", "runtime"]),
    ("identity", &["oci", "registry", "runtime"]),
    ("layout", &["oci"]),
    ("signature", &["oci", "policy"]),
    (
        "copy",
        &[
            "oci",
            "api",
            "plan",
            "registry",
            "layout",
            "signature",
            "runtime",
        ],
    ),
    ("runtime", &[]),
    (
        "sync",
        &[
            "oci",
            "policy",
            "api",
            "plan",
            "registry",
            "identity",
            "layout",
            "signature",
            "copy",
            "runtime",
        ],
    ),
    (
        "controller",
        &[
            "oci",
            "policy",
            "api",
            "page",
            "plan",
            "events",
            "registry",
            "identity",
            "signature",
            "copy",
            "sync",
            "runtime",
        ],
    ),
    (
        "cli",
        &[
            "oci",
            "policy",
            "api",
            "convert",
            "page",
            "plan",
            "registry",
            "identity",
            "layout",
            "signature",
            "copy",
            "sync",
            "runtime",
            "controller",
        ],
    ),
];

/// Modules that decide and never act.
const PURE: [&str; 7] = ["oci", "policy", "api", "convert", "events", "plan", "page"];
/// What a pure module has no business with.
const EFFECTS: [&str; 6] = [
    "async fn",
    "tokio::",
    "tracing::",
    "std::fs",
    "std::env",
    "Timestamp::now",
];

fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(module);
    let mut directories = vec![root];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a module is a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("a source file");
                files.push((path, text));
            }
        }
    }
    files
}

/// The modules of this crate that a source names.
fn used(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_'))
                .next()
                .unwrap_or_default()
        })
}

#[test]
fn every_module_is_on_a_floor() {
    let library = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
        .expect("lib.rs");
    let modules: Vec<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(modules.len() >= 10, "lib.rs lists its modules");
    for module in modules {
        assert!(
            FLOORS.iter().any(|(name, _)| *name == module),
            "{module} has no floor in this test"
        );
    }
}

#[test]
fn modules_use_lower_floors_only() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (module, allowed) in FLOORS {
        for (path, text) in sources(module) {
            for used in used(&text) {
                seen += 1;
                if used != module && !allowed.contains(&used) {
                    wrong.push(format!("{} uses crate::{used}", path.display()));
                }
            }
        }
    }
    assert!(
        seen > 100,
        "only {seen} uses were found: does the test still read the sources right?"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_have_no_effects() {
    let mut wrong = Vec::new();
    for module in PURE {
        for (path, text) in sources(module) {
            for effect in EFFECTS.iter().filter(|effect| text.contains(**effect)) {
                wrong.push(format!("{} contains {effect}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The files of the library, by the parts of their paths.
fn files() -> BTreeMap<circles::Module, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    for (path, text) in FLOORS.iter().flat_map(|(module, _)| sources(module)) {
        let path = path.strip_prefix(&root).expect("a file below src");
        let mut parts: circles::Module = path
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        let last = parts.last().cloned().unwrap_or_default();
        // Their declarations name them by another path.
        if last.ends_with("_tests") {
            continue;
        }
        if last == "mod" {
            parts.pop();
        }
        files.insert(parts, text);
    }
    files
}

#[test]
fn files_of_a_floor_do_not_use_each_other() {
    let files = files();
    assert!(files.len() > 300, "only {} files were found", files.len());
    let circles = circles::find(&files);
    assert!(
        circles.is_empty(),
        "{}\nmove what ties them to a file below both",
        circles.join("\n")
    );
}
