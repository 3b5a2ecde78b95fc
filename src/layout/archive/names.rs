// SPDX-License-Identifier: Apache-2.0

//! What images in archives are called.

use std::path::PathBuf;

/// The two kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An image layout.
    Oci,
    /// An image layout with the `manifest.json` that `docker load` reads, as `docker save` writes it since 25.0.
    Docker,
}

/// An image that is to be packed: a layout with nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The layout.
    pub directory: PathBuf,
    /// Its full name, such as `docker.io/library/alpine:3.20`; none where it only has a digest.
    pub name: Option<String>,
}

/// The path that a link leads to.
pub(super) fn follow(link: &str, target: &str) -> String {
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    // A hard link names a path from the root of the archive, a symbolic one goes from where it stands.
    let is_relative = target.starts_with("../") || target.starts_with("./");
    if !is_relative && target.contains('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A name as Docker writes it: without what it adds by itself.
pub(in crate::layout) fn familiar(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_other_files() {
        for (link, target, expected) in [
            ("b/layer.tar", "../a/layer.tar", "a/layer.tar"),
            ("b/layer.tar", "a/layer.tar", "a/layer.tar"),
            ("b/layer.tar", "other.tar", "b/other.tar"),
            ("b.tar", "a.tar", "a.tar"),
            ("b/c", "../../../etc/passwd", "etc/passwd"),
        ] {
            assert_eq!(follow(link, target), expected, "{link} -> {target}");
        }
    }

    #[test]
    fn names_as_docker_writes_them() {
        for (name, expected) in [
            ("docker.io/library/alpine:3", "alpine:3"),
            ("docker.io/bitnami/nginx:1", "bitnami/nginx:1"),
            (
                "registry.example.com/library/a:1",
                "registry.example.com/library/a:1",
            ),
        ] {
            assert_eq!(familiar(name), expected);
        }
    }
}
