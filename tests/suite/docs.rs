// SPDX-License-Identifier: Apache-2.0

//! The documentation: what it shows can be used, what it says of names and versions is so.

pub(crate) mod examples;
mod flags;
mod links;
mod monitoring;
mod questions;
mod reasons;
mod resources;
mod transcripts;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A page of `docs`.
fn page(name: &str) -> String {
    read(&root().join("docs").join(name))
}

/// The files below a directory with this ending.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                return files(&path, ending);
            }
            let is_wanted = path.extension().is_some_and(|found| found == ending);
            Vec::from_iter(is_wanted.then_some(path))
        })
        .collect()
}

/// All pages that people read.
fn pages() -> Vec<PathBuf> {
    let names = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ];
    let mut pages: Vec<PathBuf> = names.iter().map(|name| root().join(name)).collect();
    pages.extend(files(&root().join("docs"), "md"));
    pages
}

/// The rows of the table with this header; each a list of cells without backticks.
fn rows(text: &str, header: &str) -> Vec<Vec<String>> {
    let (_, table) = text.split_once(header).expect(header);
    let lines = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let line = line.replace(r"\|", "\0");
            let cells = line.trim_matches('|').split('|');
            cells
                .map(|cell| cell.trim().replace('`', "").replace('\0', "|"))
                .collect()
        })
        .collect()
}

/// The parts of a page, by their headings of the second level.
fn sections(text: &str) -> BTreeMap<&str, &str> {
    let sections = text.split("\n## ").skip(1);
    sections
        .filter_map(|section| section.split_once('\n'))
        .collect()
}

fn matches(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern
        .captures_iter(text)
        .map(|captures| captures[1].to_owned())
        .collect()
}
