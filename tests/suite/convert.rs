// SPDX-License-Identifier: Apache-2.0

//! `transship convert`: files of other tools, made after those that people have, and the documents that say the same.
//!
//! `convert/FORM/NAME` is read, and `convert/snapshots/FORM-NAME.snap` shows what comes of it.

mod cases;
mod originals;

use std::fs;
use std::path::{Path, PathBuf};

use transship::api::document;
use transship::convert::{Conversion, Form, Surroundings, convert, guess};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/convert")
}

/// The files of a form.
fn files(form: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join(form)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{form} has no file");
    files
}

fn surroundings() -> Surroundings {
    Surroundings {
        from: Some("harbor.example.com".parse().unwrap()),
        to: Some("registry.example.com/mirror".parse().unwrap()),
        scoped: false,
    }
}

fn converted(form: Form, path: &Path) -> Conversion {
    let text = fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    convert(form, &text, &name, &surroundings())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All converted files, with their names.
pub(crate) fn conversions() -> Vec<(String, String)> {
    let of_form = |form: Form| {
        let one = move |path: PathBuf| (path.display().to_string(), converted(form, &path).yaml);
        files(form.name()).into_iter().map(one)
    };
    Form::ALL.into_iter().flat_map(of_form).collect()
}

#[test]
fn each_file_is_told_by_its_fields() {
    for form in Form::ALL {
        for path in files(form.name()) {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(guess(&text), Some(form), "{}", path.display());
        }
    }
}

#[test]
fn files_of_each_tool_as_documents_of_ours() {
    for form in Form::ALL {
        let name = form.name();
        for path in files(name) {
            let Conversion { yaml, gaps } = converted(form, &path);
            let gaps: Vec<String> = gaps
                .iter()
                .map(|gap| format!("not converted: {gap}\n"))
                .collect();
            let stem = path.file_stem().unwrap().to_string_lossy();
            let settings = {
                let mut settings = insta::Settings::clone_current();
                settings.set_snapshot_path(folder().join("snapshots"));
                settings.set_prepend_module_to_snapshot(false);
                settings.set_omit_expression(true);
                settings
            };
            settings.bind(|| {
                insta::assert_snapshot!(
                    format!("{name}-{stem}"),
                    format!("{yaml}\n{}", gaps.concat())
                );
            });
        }
    }
}

/// Lines that say something: neither empty nor a comment.
fn lines(text: &str) -> usize {
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    text.lines().filter(says).count()
}

/// Most lines of a converted file for one of the original, in percent.
const LENGTH: usize = 120;
/// Files that keep to that, at least.
const FILES: usize = 20;
/// Files that do not: a line for each image, and few images from each of several registries, or for each of several
/// destinations, each of which is a mirror with seven lines around its images; and collections of cases that are
/// nobody's file.
const LONGER: [&str; 7] = [
    "regsync/fan-out.yaml",
    "skopeo/sync.yaml",
    "image-syncer/cluster.yaml",
    "image-syncer/config.json",
    "image-syncer/images.yaml",
    "image-syncer/renamed.yaml",
    "oc-mirror/digests.yaml",
];

#[test]
fn a_converted_file_is_about_as_long_as_the_original_or_shorter() {
    let mut longer = Vec::new();
    let mut table = Vec::new();
    for form in Form::ALL {
        for path in files(form.name()) {
            let name = path.strip_prefix(folder()).unwrap().display().to_string();
            let before = lines(&fs::read_to_string(&path).unwrap());
            let after = lines(&converted(form, &path).yaml);
            table.push(format!("{name}: {before} lines become {after}"));
            if after * 100 > before * LENGTH {
                longer.push(name);
            }
        }
    }
    let table = table.join("\n");
    println!("{table}");
    assert_eq!(longer, LONGER, "\n{table}");
    assert!(table.lines().count() - longer.len() >= FILES, "\n{table}");
}

#[test]
fn what_is_written_can_be_read_back() {
    for form in Form::ALL {
        let name = form.name();
        for path in files(name) {
            let Conversion { yaml, .. } = converted(form, &path);
            let documents = document::parse(&yaml, "converted");
            assert!(
                documents.is_ok(),
                "{}: {documents:?}\n{yaml}",
                path.display()
            );
        }
    }
}

#[test]
fn no_password_comes_along() {
    let secrets = [
        "this is a secret",
        "john",
        "eyJ1c2",
        "xxx",
        "$PASSWORD",
        "HUB_TOKEN",
        "/run/secrets",
    ];
    for form in Form::ALL {
        let name = form.name();
        for path in files(name) {
            let Conversion { yaml, gaps } = converted(form, &path);
            let text = format!("{yaml}{gaps:?}");
            let leaked = secrets.iter().find(|secret| text.contains(**secret));
            assert_eq!(leaked, None, "{}\n{text}", path.display());
        }
    }
}

#[test]
fn a_file_that_lacks_a_line_is_told_so_or_converted() {
    for form in Form::ALL {
        let name = form.name();
        for path in files(name) {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for left_out in 0..lines.len() {
                let rest = [&lines[..left_out], &lines[left_out + 1..]]
                    .concat()
                    .join("\n");
                let Ok(Conversion { yaml, .. }) = convert(form, &rest, "file", &surroundings())
                else {
                    continue;
                };
                let documents = document::parse(&yaml, "converted");
                let line = left_out + 1;
                assert!(
                    documents.is_ok(),
                    "{} without line {line}: {documents:?}\n{yaml}",
                    path.display()
                );
            }
        }
    }
}
