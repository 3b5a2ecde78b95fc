// SPDX-License-Identifier: Apache-2.0

//! The license of each source file, as a line that programs read.

use std::fs;
use std::path::{Path, PathBuf};

/// Where sources are.
const DIRECTORIES: [&str; 5] = ["src", "tests", "benches", "fuzz/fuzz_targets", "hack"];

/// The sources below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let files = entries.flat_map(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return sources(&path);
        }
        let is_source = ["rs", "go", "sh", "py"].iter().any(|known| {
            path.extension()
                .is_some_and(|extension| extension == *known)
        });
        Vec::from_iter(is_source.then_some(path))
    });
    files.collect()
}

#[test]
fn every_source_names_its_license() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = DIRECTORIES.map(|directory| sources(&root.join(directory)));
    let files = files.concat();
    assert!(files.len() > 500, "only {} sources were found", files.len());
    let has_none = |path: &&PathBuf| {
        let text = fs::read_to_string(path).expect("a source file");
        let mut lines = text.lines().take(2);
        !lines.any(|line| line.ends_with(" SPDX-License-Identifier: Apache-2.0"))
    };
    let without: Vec<&PathBuf> = files.iter().filter(has_none).collect();
    assert!(
        without.is_empty(),
        "run hack/license-headers.sh: {without:#?}"
    );
}
