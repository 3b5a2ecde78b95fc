//! The documentation: what it shows can be used, what it says of names and versions is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use transship::api::document::{self, Resource};
use transship::api::{ImagePolicy, Reason};
use transship::oci::Tag;
use transship::plan::{self, Policy};
use transship::policy::{Range, Version};

use crate::support::program::Program;

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

fn matches(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern
        .captures_iter(text)
        .map(|captures| captures[1].to_owned())
        .collect()
}

// === examples ===

/// The YAML that a person may take from the pages and the directory of examples, with where it stands.
pub(crate) fn examples() -> Vec<(String, String)> {
    let block = Regex::new(r"(?s)```yaml\n(.*?)```").unwrap();
    let mut examples = Vec::new();
    for path in pages() {
        let name = path.display().to_string();
        examples.extend(
            block
                .captures_iter(&read(&path))
                .map(|captures| (name.clone(), captures[1].to_owned())),
        );
    }
    for path in files(&root().join("examples"), "yaml") {
        examples.push((path.display().to_string(), read(&path)));
    }
    examples.retain(|(_, text)| {
        text.contains("kind: ImageMirror") || text.contains("kind: ImagePolicy")
    });
    examples
}

#[test]
fn every_example_is_valid() {
    let examples = examples();
    assert!(examples.len() >= 10, "{}", examples.len());
    for (name, text) in examples {
        let documents = document::parse(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        document::refuse_duplicate_objects(&documents).unwrap_or_else(|error| panic!("{error}"));
        let policies: Vec<&ImagePolicy> = documents
            .iter()
            .filter_map(|document| match &document.resource {
                Resource::ImagePolicy(policy) => Some(&**policy),
                Resource::ImageMirror(_) | Resource::Secret(_) => None,
            })
            .collect();
        for document in &documents {
            let invalid = match &document.resource {
                Resource::ImageMirror(mirror) => plan::validate(mirror, &policies).err(),
                Resource::ImagePolicy(policy) => Policy::validate(policy).err(),
                Resource::Secret(_) => None,
            };
            assert_eq!(invalid, None, "{name}:{}", document.origin.position);
        }
    }
}

// === reasons ===

#[test]
fn every_reason_that_the_program_gives_is_explained() {
    let reasons = page("reasons.md");
    let explained = matches(r"(?m)^## (\w+)$", &reasons);
    for heading in &explained {
        let reason: Result<Reason, _> = serde_json::from_value(heading.as_str().into());
        assert!(reason.is_ok(), "{heading} is no reason");
        let example = format!(": {heading}: ");
        let in_files_only = heading == Reason::DependencyNotReady.as_str();
        assert!(in_files_only || reasons.contains(&example), "{heading}");
    }
    let definition = root().join("src/api/reason.rs");
    for path in files(&root().join("src"), "rs") {
        if path == definition {
            continue;
        }
        for variant in matches(r"\bReason::([A-Z][A-Za-z]+)", &read(&path)) {
            let name = variant.replace("Tls", "TLS");
            assert!(explained.contains(&name), "{name} of {}", path.display());
        }
    }
}

// === flags ===

/// The help of the program and of each of its commands.
async fn helps() -> Vec<String> {
    let help = async |arguments: &[&str]| {
        let finished = Program::transship(arguments).run().await;
        finished.assert_success();
        finished.stdout
    };
    let program = help(&["--help"]).await;
    let commands = matches(r"(?m)^  ([a-z]+)  +[A-Z]", &program);
    assert!(commands.contains("sync"), "{program}");
    let mut helps = vec![program];
    for command in &commands {
        helps.push(help(&[command, "--help"]).await);
    }
    helps
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_and_its_environment_name_is_listed() {
    let commands = page("commands.md");
    let documented = matches("`(--[a-z][a-z-]+)", &commands);
    let mut flags = BTreeSet::new();
    for help in helps().await {
        flags.extend(matches(r"(?m)^ +(?:-\w, )?(--[a-z][a-z-]+)", &help));
        for flag in matches(r"(?m)^ +(-\w), --", &help) {
            assert!(commands.contains(&format!("`{flag}`")), "{flag}");
        }
        for name in matches(r"\[env: (\w+)=", &help) {
            assert!(commands.contains(&format!("`{name}`")), "{name}");
        }
    }
    assert_eq!(documented, flags);
}

// === versions ===

#[test]
fn tags_are_the_versions_that_the_table_says() {
    let rows = rows(
        &page("selection.md"),
        "| Tag | Version | Prerelease | Variant |",
    );
    assert!(rows.len() >= 30, "{}", rows.len());
    for row in rows {
        let [tag, version, prerelease, variant] = row.as_slice() else {
            panic!("{row:?}");
        };
        let parsed = Version::parse(&tag.parse::<Tag>().unwrap());
        if version == "no version" {
            assert_eq!(parsed, None, "{tag}");
            continue;
        }
        let parsed = parsed.expect(tag);
        assert_eq!(parsed.variant().unwrap_or_default(), variant, "{tag}");
        assert_eq!(parsed.is_prerelease(), !prerelease.is_empty(), "{tag}");
        let exactly = format!("={version}-{prerelease}");
        let exactly = Range::parse(exactly.trim_end_matches('-')).unwrap();
        assert!(exactly.contains(&parsed), "{tag} is not {exactly}");
    }
}

#[test]
fn ranges_take_the_versions_that_the_table_says() {
    let rows = rows(&page("selection.md"), "| Range | Takes | Does not take |");
    assert!(rows.len() >= 10, "{}", rows.len());
    for row in rows {
        let [range, taken, left] = row.as_slice() else {
            panic!("{row:?}");
        };
        let range = Range::parse(range).unwrap();
        for (tags, expected) in [(taken, true), (left, false)] {
            for tag in tags.split(", ").filter(|tag| !tag.is_empty()) {
                let version = Version::parse(&tag.parse::<Tag>().unwrap()).expect(tag);
                assert_eq!(range.contains(&version), expected, "{tag} in {range}");
            }
        }
    }
}

// === links ===

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    matches(r"(?m)^#+ (.*)$", &without_code(text))
        .iter()
        .map(|heading| {
            let kept = heading
                .chars()
                .filter(|character| character.is_alphanumeric() || " -_".contains(*character));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}

fn without_code(text: &str) -> String {
    let block = Regex::new(r"(?s)```.*?```").unwrap();
    block.replace_all(text, "").into_owned()
}

#[test]
fn every_link_leads_somewhere() {
    for path in pages() {
        for link in matches(r"\]\(([^)]+)\)", &without_code(&read(&path))) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.with_file_name(file)
            };
            let place = format!("{link} in {}", path.display());
            assert!(target.exists(), "{place}");
            assert!(
                anchor.is_empty() || anchors(&read(&target)).contains(anchor),
                "{place}"
            );
        }
    }
}
