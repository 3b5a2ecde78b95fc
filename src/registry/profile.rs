// SPDX-License-Identifier: Apache-2.0

//! What is known of a registry by its name, as data.

use super::class::Class;
use crate::oci::CloudRegistry;

/// How the bytes of a blob are sent (distribution specification, pushing blobs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UploadMode {
    /// One PUT with the bytes.
    Put,
    /// One PATCH with the bytes, then an empty PUT.
    PatchPut,
}

/// What a registry deletes through the API of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletes {
    /// It is found out.
    Unknown,
    /// Tags and manifests: where it refuses one, that one is meant.
    Everything,
    /// Nothing: only its own API does.
    Nothing,
}

/// What is known of a registry before the first request; what it turns out to be like is kept in
/// [`Host`](super::host::Host).
#[derive(Debug)]
pub(super) struct Profile {
    /// How to tell by the host.
    hosts: Hosts,
    /// How it takes blobs.
    pub(super) upload_mode: UploadMode,
    /// How many tags are asked for at once.
    pub(super) tag_page: u32,
    /// Whether 404 to a HEAD means that there is no such manifest. Where it is not known, the
    /// first is checked with a GET.
    pub(super) trusts_head: bool,
    /// Whether it lists referrers.
    pub(super) referrers: bool,
    /// What it deletes.
    pub(super) deletes: Deletes,
    /// The actions that a token to delete is asked for.
    pub(super) delete_actions: &'static str,
    /// Requests per second, where fewer are wanted than the window lets through.
    pub(super) rates: &'static [(Class, u32)],
    /// Classes that it counts each by itself: where it refuses one of them, the others may go on.
    counted_alone: &'static [Class],
    /// Requests at a time, where fewer are wanted than the window would grow to.
    pub(super) windows: &'static [(Class, usize)],
}

/// Which hosts a profile is for. Whole names only: a name that merely contains one is another host.
#[derive(Debug)]
enum Hosts {
    /// These names.
    Named(&'static [&'static str]),
    /// Every name below this domain.
    Below(&'static str),
    /// Amazon's, with account and region in the name, in all partitions.
    Ecr,
    /// Azure's, in all of its clouds.
    Azure,
    /// All the rest.
    Any,
}

const DEFAULT: Profile = Profile {
    hosts: Hosts::Any,
    upload_mode: UploadMode::Put,
    tag_page: 1_000,
    trusts_head: false,
    referrers: true,
    deletes: Deletes::Unknown,
    delete_actions: "delete",
    rates: &[],
    counted_alone: &[],
    windows: &[],
};

/// First match wins; the last matches everything.
static PROFILES: [Profile; 9] = [
    Profile {
        hosts: Hosts::Named(&["registry-1.docker.io"]),
        trusts_head: true,
        deletes: Deletes::Nothing,
        // Its limit of pulls counts manifests that are read, and nothing else.
        counted_alone: &[Class::ManifestRead],
        windows: &[(Class::ManifestRead, 3)],
        ..DEFAULT
    },
    // 413 for pages of more than 100; two tags of one manifest at once confuse it; its token server
    // knows no action but pull and push, and gives no token where another one is asked for.
    Profile {
        hosts: Hosts::Named(&["quay.io"]),
        tag_page: 100,
        trusts_head: true,
        deletes: Deletes::Everything,
        delete_actions: "pull,push",
        windows: &[(Class::ManifestWrite, 1)],
        ..DEFAULT
    },
    // Redirects the referrers API to its web site.
    Profile {
        hosts: Hosts::Named(&["ghcr.io"]),
        trusts_head: true,
        referrers: false,
        deletes: Deletes::Nothing,
        rates: &[(Class::Lookup, 20), (Class::ManifestRead, 20)],
        ..DEFAULT
    },
    // 413 for a PUT of more than about 20 MB.
    Profile {
        hosts: Hosts::Azure,
        upload_mode: UploadMode::PatchPut,
        trusts_head: true,
        deletes: Deletes::Everything,
        ..DEFAULT
    },
    // Four fifths of the published quotas for each account.
    Profile {
        hosts: Hosts::Ecr,
        trusts_head: true,
        deletes: Deletes::Nothing,
        rates: &[
            (Class::ManifestWrite, 8),
            (Class::UploadStart, 80),
            (Class::Upload, 80),
        ],
        ..DEFAULT
    },
    Profile {
        hosts: Hosts::Below(".pkg.dev"),
        trusts_head: true,
        deletes: Deletes::Everything,
        ..DEFAULT
    },
    Profile {
        hosts: Hosts::Named(&["gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io"]),
        trusts_head: true,
        deletes: Deletes::Everything,
        ..DEFAULT
    },
    Profile {
        hosts: Hosts::Named(&["registry.gitlab.com"]),
        deletes: Deletes::Everything,
        ..DEFAULT
    },
    DEFAULT,
];

impl Profile {
    /// The profile of the registry that answers at `host`.
    pub(super) fn of(host: &str) -> &'static Self {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        PROFILES
            .iter()
            .find(|profile| profile.hosts.contain(name))
            .unwrap_or(&DEFAULT)
    }

    /// Requests per second of a class, where there is such a limit.
    pub(super) fn rate(&self, class: Class) -> Option<u32> {
        entry(self.rates, class)
    }

    /// Whether it counts a class by itself.
    pub(super) fn counts_alone(&self, class: Class) -> bool {
        self.counted_alone.contains(&class)
    }

    /// Requests at a time of a class, where there is such a limit.
    pub(super) fn window(&self, class: Class) -> Option<usize> {
        entry(self.windows, class)
    }
}

fn entry<T: Copy>(entries: &[(Class, T)], class: Class) -> Option<T> {
    entries
        .iter()
        .find(|(name, _)| *name == class)
        .map(|(_, value)| *value)
}

/// The cloud that a host is of.
fn cloud(name: &str) -> Option<CloudRegistry> {
    CloudRegistry::of(&name.parse().ok()?)
}

impl Hosts {
    fn contain(&self, name: &str) -> bool {
        match self {
            Self::Named(names) => names.contains(&name),
            Self::Below(domain) => name
                .strip_suffix(domain)
                .is_some_and(|rest| !rest.is_empty()),
            Self::Ecr => matches!(cloud(name), Some(CloudRegistry::Ecr(_))),
            Self::Azure => matches!(cloud(name), Some(CloudRegistry::Azure(_))),
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_what_is_known_of_them() {
        let cases = [
            ("quay.io", 100, UploadMode::Put),
            ("quay.io:443", 100, UploadMode::Put),
            ("team.azurecr.io", 1_000, UploadMode::PatchPut),
            ("team.azurecr.cn", 1_000, UploadMode::PatchPut),
            ("azurecr.io", 1_000, UploadMode::Put),
            ("team.azurecr.io.evil.test", 1_000, UploadMode::Put),
            ("[::1]:5000", 1_000, UploadMode::Put),
        ];
        for (host, tag_page, upload_mode) in cases {
            let profile = Profile::of(host);
            assert_eq!(
                (profile.tag_page, profile.upload_mode),
                (tag_page, upload_mode),
                "{host}"
            );
        }
    }

    #[test]
    fn what_hosts_are_known_to_delete() {
        let cases = [
            ("registry-1.docker.io", Deletes::Nothing, "delete"),
            ("ghcr.io", Deletes::Nothing, "delete"),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                Deletes::Nothing,
                "delete",
            ),
            ("quay.io", Deletes::Everything, "pull,push"),
            ("team.azurecr.io", Deletes::Everything, "delete"),
            ("europe-docker.pkg.dev", Deletes::Everything, "delete"),
            ("registry.gitlab.com", Deletes::Everything, "delete"),
            ("registry.example.com", Deletes::Unknown, "delete"),
        ];
        for (host, deletes, actions) in cases {
            let profile = Profile::of(host);
            assert_eq!(
                (profile.deletes, profile.delete_actions),
                (deletes, actions),
                "{host}"
            );
        }
    }

    #[test]
    fn the_quotas_of_amazon_apply_to_its_registries_only() {
        let rate = |host| Profile::of(host).rate(Class::ManifestWrite);
        for host in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "123456789012.dkr-ecr.eu-west-1.on.aws",
        ] {
            assert_eq!(rate(host), Some(8), "{host}");
        }
        for host in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.test",
            "dkr.ecr.eu-west-1.amazonaws.com",
            "evil.test",
        ] {
            assert_eq!(rate(host), None, "{host}");
        }
    }
}
