// SPDX-License-Identifier: Apache-2.0

//! Files that use each other, told by their text.
//!
//! A file uses another one where a path in it leads to something that the other one defines. Paths are followed
//! through re-exports, so a face (`mod.rs`, or a file with a folder of its name) counts for what it defines itself
//! only. Tests are left out, and methods are not seen: a type may have its methods in files above it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

/// A file, by the parts of its path without `mod.rs` and the extension.
pub(crate) type Module = Vec<String>;
/// What each file uses of which others.
type Uses = BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>;

static USE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?use ([^;]+);"));
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"\b[a-z_]\w*(?:::\w+)+"));
static TEST_FILE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"#\[cfg\(test\)\]\n(?:pub\([^)]*\) )?mod (\w+);"));
static TESTS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"#\[cfg\(test\)\]\n(?:pub\([^)]*\) )?mod \w+ \{"));

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// The files of a tree, and what they import under which names.
struct Tree<'a> {
    files: &'a BTreeMap<Module, String>,
    imports: BTreeMap<&'a Module, BTreeMap<String, Module>>,
}

/// The circles among files, each with what ties it.
pub(crate) fn find(files: &BTreeMap<Module, String>) -> Vec<String> {
    let tests = test_files(files);
    let is_test = |module: &Module| tests.iter().any(|test| module.starts_with(test));
    let files = files.iter().filter(|(module, _)| !is_test(module));
    let files = &files
        .map(|(module, text)| (module.clone(), code(text)))
        .collect();
    let tree = Tree::new(files);
    let uses: Uses = files
        .keys()
        .map(|module| (module.clone(), tree.uses(module)))
        .collect();
    let ahead: BTreeMap<&Module, BTreeSet<Module>> = uses
        .keys()
        .map(|module| (module, reached(&uses, module)))
        .collect();
    let leads_to =
        |from: &Module, to: &Module| ahead.get(from).is_some_and(|ahead| ahead.contains(to));
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for (module, ahead) in ahead.iter().filter(|(module, _)| !module.is_empty()) {
        let circle: Vec<&Module> = ahead
            .iter()
            .filter(|other| leads_to(other, module))
            .collect();
        if ahead.contains(*module)
            && seen.insert(circle.clone().into_iter().cloned().collect::<Vec<_>>())
        {
            circles.push(describe(&uses, &circle));
        }
    }
    circles
}

/// Every file that is used by a file, and what those use.
fn reached(uses: &Uses, from: &Module) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for used in uses.get(module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(used.clone()) {
                next.push(used);
            }
        }
    }
    reached
}

fn describe(uses: &Uses, circle: &[&Module]) -> String {
    let names: Vec<String> = circle.iter().map(|module| module.join("/")).collect();
    let mut text = format!("a circle of {}", names.join(", "));
    for module in circle {
        for (used, what) in uses.get(*module).into_iter().flatten() {
            if circle.contains(&used) {
                let what: Vec<&str> = what.iter().map(String::as_str).collect();
                let line = format!(
                    "\n  {} uses {}: {}",
                    module.join("/"),
                    used.join("/"),
                    what.join(", ")
                );
                text.push_str(&line);
            }
        }
    }
    text
}

/// The files that are there for tests only.
fn test_files(files: &BTreeMap<Module, String>) -> Vec<Module> {
    let declared = files.iter().flat_map(|(module, text)| {
        let names = TEST_FILE
            .captures_iter(text)
            .map(|found| found[1].to_owned());
        names.map(|name| [module.as_slice(), &[name]].concat())
    });
    declared.collect()
}

/// A source without comments and tests.
fn code(text: &str) -> String {
    let end = TESTS.find(text).map_or(text.len(), |found| found.start());
    let lines = text[..end].lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The single paths of a `use`, with the names that they bring.
fn expand(text: &str, prefix: &str, found: &mut Vec<(String, String)>) {
    let text = text.trim();
    let Some((head, group)) = text.split_once('{') else {
        let (path, name) = text.split_once(" as ").unwrap_or((text, ""));
        let path = format!("{prefix}{}", path.trim());
        let path = path.strip_suffix("::self").unwrap_or(&path).to_owned();
        let last = path.rsplit("::").next().unwrap_or_default().to_owned();
        let name = if name.is_empty() {
            last
        } else {
            name.trim().to_owned()
        };
        if !path.is_empty() {
            found.push((path, name));
        }
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let mut depth = 0_usize;
    for part in group.split(|sign| {
        match sign {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        sign == ',' && depth == 0
    }) {
        if !part.trim().is_empty() {
            expand(part, &prefix, found);
        }
    }
}

// === impl Tree ===

impl<'a> Tree<'a> {
    fn new(files: &'a BTreeMap<Module, String>) -> Self {
        let mut tree = Self {
            files,
            imports: BTreeMap::new(),
        };
        for (module, text) in files {
            let mut found = Vec::new();
            for statement in USE.captures_iter(text) {
                expand(&statement[1].replace('\n', " "), "", &mut found);
            }
            let imports = found
                .into_iter()
                .filter_map(|(path, name)| Some((name, tree.absolute(module, &path)?)))
                .collect();
            tree.imports.insert(module, imports);
        }
        tree
    }

    /// A path from the root of the crate, where it leads to this crate.
    fn absolute(&self, module: &Module, path: &str) -> Option<Module> {
        let mut parts = path.split("::").map(str::to_owned).peekable();
        let mut base = match parts.peek()?.as_str() {
            "crate" => Vec::new(),
            "super" | "self" => module.clone(),
            first => {
                let child = [module.as_slice(), &[first.to_owned()]].concat();
                let is_child = self.files.contains_key(&child);
                return is_child.then(|| module.iter().cloned().chain(parts).collect());
            }
        };
        if parts.peek().is_some_and(|part| part == "crate") {
            parts.next();
        }
        while let Some(part) = parts.next_if(|part| part == "super" || part == "self") {
            if part == "super" {
                base.pop();
            }
        }
        base.extend(parts);
        Some(base)
    }

    /// The file that a path leads into, and the name that it has there.
    fn split(&self, path: &[String]) -> Option<(Module, Vec<String>)> {
        let lengths = (1..=path.len()).rev();
        let mut splits = lengths.map(|length| path.split_at(length));
        let (module, rest) = splits.find(|(module, _)| self.files.contains_key(*module))?;
        Some((module.to_vec(), rest.to_vec()))
    }

    /// The file that defines what a path leads to, and what it is called there.
    fn home(&self, path: &[String]) -> Option<(Module, String)> {
        let mut path = path.to_vec();
        // More re-exports of re-exports than this are no path.
        for _ in 0..16 {
            let (module, rest) = self.split(&path)?;
            let name = rest.first()?;
            match self
                .imports
                .get(&module)
                .and_then(|imports| imports.get(name))
            {
                Some(target) if *target != path => {
                    path = [target.as_slice(), rest.get(1..)?].concat();
                }
                _ => return Some((module, name.clone())),
            }
        }
        None
    }

    /// What a file uses of others.
    fn uses(&self, module: &Module) -> BTreeMap<Module, BTreeSet<String>> {
        let text = self
            .files
            .get(module)
            .map(String::as_str)
            .unwrap_or_default();
        let imports = &self.imports[module];
        let mut paths: Vec<Module> = imports.values().cloned().collect();
        for found in PATH.find_iter(&USE.replace_all(text, "")) {
            let (head, rest) = found
                .as_str()
                .split_once("::")
                .expect("a path has two parts");
            match imports.get(head) {
                Some(target) if self.files.contains_key(target) => {
                    paths.push(
                        target
                            .iter()
                            .cloned()
                            .chain(rest.split("::").map(str::to_owned))
                            .collect(),
                    );
                }
                _ => paths.extend(self.absolute(module, found.as_str())),
            }
        }
        let mut uses: BTreeMap<Module, BTreeSet<String>> = BTreeMap::new();
        for (used, name) in paths.iter().filter_map(|path| self.home(path)) {
            if used != *module {
                uses.entry(used).or_default().insert(name);
            }
        }
        uses
    }
}

/// Paths of files and their text.
type Sources<'a> = &'a [(&'a str, &'a str)];

#[test]
fn circles_are_found() {
    let cases: [(&str, Sources<'_>, usize); 10] = [
        (
            "none",
            &[("a/x", "use super::y::Y;"), ("a/y", "struct Y;")],
            0,
        ),
        (
            "two",
            &[("a/x", "use super::y::Y;"), ("a/y", "use super::x::X;")],
            1,
        ),
        (
            "over a third",
            &[
                ("a/x", "use super::y::Y;"),
                ("a/y", "use crate::a::z::{Z, other};"),
                ("a/z", "fn f(x: super::x::X) {}"),
            ],
            1,
        ),
        (
            "through a face",
            &[
                ("a", "mod x;\nmod y;\npub use x::X;\npub use self::y::Y;"),
                ("a/x", "use super::Y;"),
                ("a/y", "struct Y;"),
            ],
            0,
        ),
        (
            "two through a face",
            &[
                ("a", "pub use x::X;\npub use y::Y;"),
                ("a/x", "use super::Y;"),
                ("a/y", "use crate::a::{X};"),
            ],
            1,
        ),
        (
            "with a face",
            &[
                ("a", "mod x;\npub struct A;\nfn f() { x::g(); }"),
                ("a/x", "use super::A;\nfn g() {}"),
            ],
            1,
        ),
        (
            "by the name of a module",
            &[
                ("a/x", "use super::{y};\nfn f() { y::g(); }"),
                ("a/y", "fn g() -> crate::a::x::X {}"),
            ],
            1,
        ),
        (
            "in tests and comments only",
            &[
                ("a/x", "use super::y::Y;"),
                (
                    "a/y",
                    "// super::x::X\n#[cfg(test)]\nmod tests {\n use super::super::x::X;\n}",
                ),
            ],
            0,
        ),
        (
            "in a file of tests only",
            &[
                ("a", "#[cfg(test)]\nmod y;"),
                ("a/x", "use super::y::z::Y;"),
                ("a/y/z", "use crate::a::x::X;"),
            ],
            0,
        ),
        (
            "beside tests in a file of their own",
            &[
                ("a/x", "#[cfg(test)]\nmod tests;\nuse super::y::Y as Z;"),
                ("a/y", "use super::x::X;"),
            ],
            1,
        ),
    ];
    for (name, files, expected) in cases {
        let files = files.iter().map(|(path, text)| {
            (
                path.split('/').map(str::to_owned).collect(),
                (*text).to_owned(),
            )
        });
        let found = find(&files.collect());
        assert_eq!(found.len(), expected, "{name}: {found:?}");
    }
}
