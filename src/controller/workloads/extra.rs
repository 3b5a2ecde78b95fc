// SPDX-License-Identifier: Apache-2.0

//! Kinds that an operator adds to those that are listed: `ConfigMaps`, nodes, and custom resources.

use std::fmt;
use std::str::FromStr;

/// A kind of objects whose strings may name images, such as `scaledjobs.keda.sh` or `configmaps`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extra {
    /// The name of many, such as `scaledjobs`.
    resource: String,
    /// Empty for that of Kubernetes' own first kinds.
    group: String,
}

/// Why a text is no kind to list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtraError {
    /// It is not of the form `resource[.group]`.
    #[error(
        "{0:?} is no kind to list: write the plural and the group as kubectl api-resources prints them, such as \
         configmaps or scaledjobs.keda.sh"
    )]
    Form(String),
    /// What stands in a Secret is encoded, and would not be found.
    #[error("secrets are not listed: what stands in them is encoded, and must not be read")]
    Secrets,
}

// === impl Extra ===

impl Extra {
    /// The group, empty for the core group.
    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// Where the API server says which versions there are. None for the core group, which has one.
    pub(super) fn versions_path(&self) -> Option<String> {
        let Self { group, .. } = self;
        (!group.is_empty()).then(|| format!("/apis/{group}"))
    }

    /// The group and version, such as `keda.sh/v1alpha1`.
    pub(super) fn api_version(&self, version: &str) -> String {
        let Self { group, .. } = self;
        if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        }
    }

    /// Where the API server lists those of all namespaces.
    pub(super) fn path(&self, version: &str) -> String {
        let Self { resource, group } = self;
        if group.is_empty() {
            format!("/api/{version}/{resource}")
        } else {
            format!("/apis/{group}/{version}/{resource}")
        }
    }
}

impl FromStr for Extra {
    type Err = ExtraError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let is_group = group.is_empty() && !text.contains('.') || group.split('.').all(is_label);
        if !is_label(resource) || !is_group || text.len() > 253 {
            return Err(ExtraError::Form(text.to_owned()));
        }
        if resource == "secrets" && group.is_empty() {
            return Err(ExtraError::Secrets);
        }
        Ok(Self {
            resource: resource.to_owned(),
            group: group.to_owned(),
        })
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, group } = self;
        if group.is_empty() {
            return formatter.write_str(resource);
        }
        write!(formatter, "{resource}.{group}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_as_kubectl_writes_them() {
        for (text, path) in [
            ("configmaps", "/api/v2/configmaps"),
            ("scaledjobs.keda.sh", "/apis/keda.sh/v2/scaledjobs"),
            (
                "services.serving.knative.dev",
                "/apis/serving.knative.dev/v2/services",
            ),
            ("secrets.corp", "/apis/corp/v2/secrets"),
        ] {
            let extra: Extra = text.parse().unwrap();
            assert_eq!(
                (extra.to_string(), extra.path("v2")),
                (text.to_owned(), path.to_owned())
            );
        }
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a/b",
            "ConfigMap",
            "a b",
            "../x",
            "a..b",
            "a?b",
            "a%2f",
        ] {
            let refused = text.parse::<Extra>();
            assert_eq!(refused, Err(ExtraError::Form(text.to_owned())), "{text}");
        }
        assert_eq!("secrets".parse::<Extra>(), Err(ExtraError::Secrets));
        assert!("a".repeat(64).parse::<Extra>().is_err());
    }
}
