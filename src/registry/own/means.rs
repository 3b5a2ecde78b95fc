// SPDX-License-Identifier: Apache-2.0

//! Which registry does by which API what the distribution specification has no way to. Pure.

use crate::oci::{CloudRegistry, Registry};

/// How a registry deletes a tag and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registry) enum Means {
    /// `DELETE` of the manifest by the name of the tag, as the specification says, or not at all. Google and quay.io
    /// do it (their own clients do it so: gcrane, and quay's `endpoints/v2/manifest.py`), as do Harbor and GitLab.
    Specified,
    /// Azure: `DELETE /acr/v1/NAME/_tags/TAG`. By the specification it deletes manifests alone.
    Acr,
    /// Docker Hub: `hub.docker.com`. The registry itself answers 405 to every `DELETE`.
    DockerHub,
    /// GitHub Packages: a version goes with all of its tags. The registry itself answers 405.
    GitHub {
        /// The host of the API.
        api: String,
    },
    /// Amazon ECR: a call that is signed with the keys of an identity. The registry itself answers 405.
    Signed,
}

/// Where the repositories of a registry are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registry) enum Catalog {
    /// `/v2/_catalog`, as distribution has it. Harbor and GitLab show it to administrators or to nobody.
    Specified,
    /// Docker Hub, by namespaces.
    DockerHub,
    /// GitHub Packages, by owners.
    GitHub {
        /// The host of the API.
        api: String,
    },
    /// quay.io: the catalog, and what is public by namespaces.
    Quay,
    /// Amazon ECR: for whoever signs, else the catalog.
    Signed,
}

// === impl Catalog ===

impl Catalog {
    /// That of a registry.
    pub(in crate::registry) fn of(registry: &Registry) -> Self {
        match Means::of(registry) {
            Means::DockerHub => Self::DockerHub,
            Means::GitHub { api } => Self::GitHub { api },
            Means::Signed => Self::Signed,
            Means::Specified if registry.as_str() == "quay.io" => Self::Quay,
            Means::Specified | Means::Acr => Self::Specified,
        }
    }
}

// === impl Means ===

impl Means {
    /// Those of a registry.
    pub(in crate::registry) fn of(registry: &Registry) -> Self {
        if registry.is_docker_hub() {
            return Self::DockerHub;
        }
        if let Some(api) = github(registry) {
            return Self::GitHub { api };
        }
        match CloudRegistry::of(registry) {
            Some(CloudRegistry::Ecr(_) | CloudRegistry::EcrPublic) => Self::Signed,
            Some(CloudRegistry::Azure(_)) => Self::Acr,
            Some(CloudRegistry::Google | CloudRegistry::Quay) | None => Self::Specified,
        }
    }
}

/// The host of GitHub's API for a registry of its packages: that of everybody, and those of companies whose data stay
/// in one region
/// (<https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom>).
fn github(registry: &Registry) -> Option<String> {
    if registry.port().is_some() {
        return None;
    }
    if registry.host() == "ghcr.io" {
        return Some("api.github.com".to_owned());
    }
    let company = registry.host().strip_prefix("containers.")?;
    let name = company.strip_suffix(".ghe.com")?;
    let is_name = !name.is_empty() && !name.contains('.');
    is_name.then(|| format!("api.{company}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_registry_deletes_tags_how() {
        let github = |api: &str| Means::GitHub {
            api: api.to_owned(),
        };
        let cases = [
            ("docker.io", Means::DockerHub),
            ("ghcr.io", github("api.github.com")),
            ("containers.octo.ghe.com", github("api.octo.ghe.com")),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                Means::Signed,
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                Means::Signed,
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                Means::Signed,
            ),
            (
                "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
                Means::Signed,
            ),
            (
                "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                Means::Signed,
            ),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", Means::Signed),
            ("public.ecr.aws", Means::Signed),
            ("team.azurecr.io", Means::Acr),
            ("team.azurecr.cn", Means::Acr),
            ("team.azurecr.us", Means::Acr),
            ("europe-docker.pkg.dev", Means::Specified),
            ("eu.gcr.io", Means::Specified),
            ("quay.io", Means::Specified),
            ("registry.gitlab.com", Means::Specified),
            ("registry.example.com", Means::Specified),
            // What only looks like one of them.
            ("docker.io.evil.test", Means::Specified),
            ("ghcr.io.evil.test", Means::Specified),
            ("ghcr.io:5000", Means::Specified),
            ("evilghcr.io", Means::Specified),
            ("containers.a.b.ghe.com", Means::Specified),
            ("containers.ghe.com", Means::Specified),
            ("containers.evil.test", Means::Specified),
            ("a.b.azurecr.io", Means::Specified),
            ("team.azurecr.io.evil.test", Means::Specified),
            ("team.azurecr.io:5000", Means::Specified),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.test",
                Means::Specified,
            ),
            ("127.0.0.1:5000", Means::Specified),
        ];
        for (registry, expected) in cases {
            let found = Means::of(&registry.parse().unwrap());
            assert_eq!(found, expected, "{registry}");
        }
    }
}
