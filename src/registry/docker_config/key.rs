// SPDX-License-Identifier: Apache-2.0

//! What an entry of a Docker config is for.

use crate::oci::{Registry, Repository};

/// What a credential is for: a registry or several, and the repositories below a path.
#[derive(Debug)]
pub(super) struct Key {
    /// As it is written.
    pub(super) text: String,
    host: Host,
    /// No slashes at the ends; empty means every repository.
    path: String,
}

#[derive(Debug)]
enum Host {
    Registry(Registry),
    /// With `*` in labels, as the kubelet understands it.
    Pattern(String),
}

// === impl Key ===

impl Key {
    /// Reads `host`, `host/path` or a URL, which may end in the version of the API.
    pub(super) fn parse(text: String) -> Option<Self> {
        let rest = text
            .split_once("://")
            .map_or(text.as_str(), |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_matches('/');
        let path = match path.split_once('/') {
            Some(("v1" | "v2", path)) => path,
            None if matches!(path, "v1" | "v2") => "",
            Some(_) | None => path,
        };
        Some(Self {
            host: Host::parse(host)?,
            path: path.to_owned(),
            text,
        })
    }

    /// Whether an entry with this key is for a repository, or for the registry as a whole.
    pub(super) fn matches(&self, registry: &Registry, repository: Option<&Repository>) -> bool {
        let Some(repository) = repository else {
            return self.is_registry(registry);
        };
        let behind_path = repository.as_str().strip_prefix(self.path.as_str());
        let is_below = self.path.is_empty()
            || behind_path.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below && self.host.matches(registry)
    }

    /// Whether an entry with this key is for a registry as a whole.
    pub(super) fn is_registry(&self, registry: &Registry) -> bool {
        self.path.is_empty() && self.host.matches(registry)
    }

    /// Whether an entry with this key is for a registry, or for a part of it.
    pub(super) fn is_of(&self, registry: &Registry) -> bool {
        self.host.matches(registry)
    }

    /// Whose credential counts of those that match.
    pub(super) fn rank(&self) -> (usize, bool, usize) {
        let is_exact = matches!(self.host, Host::Registry(_));
        (self.path.len(), is_exact, self.text.len())
    }
}

// === impl Host ===

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if text.contains('*') {
            // Registries are known without the port of HTTPS.
            let text = text.strip_suffix(":443").unwrap_or(text);
            return Some(Self::Pattern(text.to_ascii_lowercase()));
        }
        text.parse().ok().map(Self::Registry)
    }

    fn matches(&self, registry: &Registry) -> bool {
        match self {
            // A registry in plain HTTP is known without the port of HTTP.
            Self::Registry(own) => own == registry || own.in_plain_http() == *registry,
            Self::Pattern(pattern) => [registry.as_str(), registry.api_host()]
                .into_iter()
                .any(|host| host_matches(pattern, host)),
        }
    }
}

/// Whether the ports are equal and each label of the host matches.
fn host_matches(pattern: &str, host: &str) -> bool {
    let split = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.to_owned()),
        None => (text.to_owned(), String::new()),
    };
    let ((pattern, pattern_port), (host, port)) = (split(pattern), split(host));
    let (patterns, labels) = (pattern.split('.'), host.split('.'));
    pattern_port == port
        && patterns.clone().count() == labels.clone().count()
        && patterns
            .zip(labels)
            .all(|(pattern, label)| label_matches(pattern, label))
}

/// Whether a label matches a pattern in which `*` stands for any text.
pub(super) fn label_matches(pattern: &str, label: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else {
        return pattern == label;
    };
    let Some(mut rest) = label.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = others.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}
