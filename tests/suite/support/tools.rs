// SPDX-License-Identifier: Apache-2.0

//! Where the real programs are that the tests run against.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The list `make tools` builds from: one source for both.
const VERSIONS: &str = include_str!("../../../hack/tools.versions");

/// Where Debian has the plugins that give pods a network.
pub const NETWORK_PLUGINS: &str = "/usr/lib/cni";

/// The path of a program that `make tools` built.
///
/// # Panics
/// If it is not there: a test that needs it must not pass without it.
pub fn built(name: &str) -> PathBuf {
    find_built(name).unwrap_or_else(|| panic!("{name} is missing: run `make tools`"))
}

/// The same for one that `make tools` builds where it can be used only.
pub fn find_built(name: &str) -> Option<PathBuf> {
    let path = cache().join(format!("{name}-{}", version(name))).join(name);
    path.is_file().then_some(path)
}

/// The path of what was installed together with such a program.
///
/// # Panics
/// If it is not there.
pub fn beside(name: &str, path: &str) -> PathBuf {
    let path = built(name).with_file_name(path);
    assert!(
        path.is_file(),
        "{} is missing: run `make tools`",
        path.display()
    );
    path
}

/// The path of a program that comes as a Debian package.
///
/// # Panics
/// If neither a directory of `PATH` nor that of servers has it.
pub fn packaged(name: &str) -> PathBuf {
    find_packaged(name).unwrap_or_else(|| panic!("{name} is not installed: run `make tools`"))
}

/// The same for one that `make tools` installs where it can be used only. Those of the network's plugins are looked
/// for where Debian has them.
pub fn find_packaged(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", NETWORK_PLUGINS].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// Says that a test did not run, at the end of all tests too, where a file for that is named.
#[expect(
    clippy::print_stderr,
    reason = "whoever reads what a run printed is to see it"
)]
pub fn say_not_run(test: &str, why: &str) {
    let line = format!("{test}: {why}\n");
    eprint!("did not run: {line}");
    if let Some(path) = std::env::var_os("TRANSSHIP_NOT_RUN") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("a file for what did not run");
    }
}

fn version(name: &str) -> &'static str {
    VERSIONS
        .lines()
        .map(str::split_whitespace)
        .find_map(|mut words| (words.next() == Some(name)).then(|| words.next()).flatten())
        .unwrap_or_else(|| panic!("hack/tools.versions has no {name}"))
}

/// The directory of what `make tools` built.
pub fn cache() -> PathBuf {
    let directory = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    directory("TRANSSHIP_TOOLS").unwrap_or_else(|| {
        directory("XDG_CACHE_HOME")
            .or_else(|| Some(directory("HOME")?.join(".cache")))
            .unwrap_or_else(|| Path::new("/").to_path_buf())
            .join("transship-tools")
    })
}
