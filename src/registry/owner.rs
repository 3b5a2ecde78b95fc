// SPDX-License-Identifier: Apache-2.0

//! Who has a host, as far as its name tells.

use psl::Psl as _;
use url::{Host, Url};

/// Domains below which every name may have an owner of its own, besides those of the public suffix list, whose
/// section of private domains is for cookies: the registries of clouds are missing there. The names at which a
/// registry and its token server are one and the same are here, and not those where they differ.
const SHARED: [&str; 17] = [
    // Azure
    "azurecr.io",
    "azurecr.cn",
    "azurecr.us",
    "azurecr.de",
    // AWS
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    // Google
    "pkg.dev",
    "gcr.io",
    // Artifactory, Cloudsmith, Harbor
    "jfrog.io",
    "cloudsmith.io",
    "container-registry.com",
    "container-registry.ovh.net",
    "container-registry.ovh.us",
    // Tencent, Huawei
    "tencentcloudcr.com",
    "myhuaweicloud.com",
];

/// Whether two hosts have the same owner, as far as can be told by their names. Addresses, and the names of this
/// machine, tell nothing.
pub(super) fn is_same(one: &Url, other: &Url) -> bool {
    let (Some(Host::Domain(one)), Some(Host::Domain(other))) = (one.host(), other.host()) else {
        return false;
    };
    let owned = |name| (!is_this_machine(name)).then(|| domain(name)).flatten();
    owned(one).is_some_and(|domain| owned(other) == Some(domain))
}

/// Whether a name leads to this machine.
pub(super) fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// The part of a host name that one owner has.
///
/// Services of a Kubernetes cluster belong to their namespace: `cluster.local` has many owners.
fn domain(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if SHARED.iter().any(|shared| is_below(name, shared)) {
        return Some(name);
    }
    let domain = psl::List.domain(name.as_bytes())?;
    let registrable = || std::str::from_utf8(domain.as_bytes()).ok();
    if domain.suffix().is_known() {
        return registrable();
    }
    namespace_domain(name).or_else(registrable)
}

/// Whether a name is a domain or below it.
fn is_below(name: &str, domain: &str) -> bool {
    let above = name.strip_suffix(domain);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// `namespace.svc` and what follows, of the name of a service.
fn namespace_domain(name: &str) -> Option<&str> {
    let (end, _) = name.match_indices(".svc").find(|(start, label)| {
        name.get(start + label.len()..)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })?;
    let start = name.get(..end)?.rfind('.').map_or(0, |dot| dot + 1);
    name.get(start..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_one_owner_and_of_several() {
        let cases = [
            ("registry-1.docker.io", "auth.docker.io", true),
            ("registry.gitlab.com", "gitlab.com", true),
            ("r.example.co.uk", "auth.example.co.uk", true),
            ("r.example.com", "r.example.com.", true),
            ("r.corp.internal", "minio.corp.internal", true),
            ("a.azurecr.io", "a.azurecr.io", true),
            ("a.azurecr.io.", "a.azurecr.io", true),
            ("notazurecr.io", "auth.notazurecr.io", true),
            ("r.a.svc", "auth.a.svc", true),
            ("a.co.uk", "b.co.uk", false),
            ("a.github.io", "b.github.io", false),
            ("r.a.svc.cluster.local", "r.b.svc.cluster.local", false),
            ("localhost", "localhost", false),
            ("10.0.0.1", "10.0.0.1", false),
            ("registry", "auth", false),
            ("victim.azurecr.io", "evil.azurecr.io", false),
            ("victim.azurecr.io", "azurecr.io", false),
            ("victim.azurecr.io", "evil.victim.azurecr.io", false),
            ("victim.azurecr.cn", "evil.azurecr.cn", false),
            ("victim.jfrog.io", "evil.jfrog.io", false),
            ("us-docker.pkg.dev", "evil.pkg.dev", false),
            ("docker.cloudsmith.io", "evil.cloudsmith.io", false),
            (
                "1.dkr.ecr.us-east-1.amazonaws.com",
                "2.dkr.ecr.us-east-1.amazonaws.com",
                false,
            ),
            (
                "1.dkr.ecr.us-east-1.amazonaws.com",
                "evil.execute-api.us-east-1.amazonaws.com",
                false,
            ),
            (
                "1.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "evil.cn-north-1.amazonaws.com.cn",
                false,
            ),
            ("a.tencentcloudcr.com", "b.tencentcloudcr.com", false),
            (
                "a.gra7.container-registry.ovh.net",
                "b.gra7.container-registry.ovh.net",
                false,
            ),
        ];
        for (one, other, expected) in cases {
            let url = |host: &str| format!("https://{host}/").parse().unwrap();
            assert_eq!(is_same(&url(one), &url(other)), expected, "{one} {other}");
            assert_eq!(is_same(&url(other), &url(one)), expected, "{other} {one}");
        }
    }
}
