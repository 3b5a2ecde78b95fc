// SPDX-License-Identifier: Apache-2.0

//! What the host of a registry says about the cloud that it belongs to.
//!
//! The patterns are those of the clouds' own credential helpers (amazon-ecr-credential-helper, Azure's and Google's):
//! an identity of a cloud is sent to hosts that match them and to no other.

mod ecr;
mod queue;

pub use self::ecr::{EcrHost, Partition};
pub use self::queue::{Queue, QueueError, SqsQueue, Subscription};
use super::names::Registry;

/// A registry of a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CloudRegistry {
    /// A private registry of Amazon ECR.
    Ecr(EcrHost),
    /// `public.ecr.aws`.
    EcrPublic,
    /// Google's Artifact Registry, or `gcr.io`.
    Google,
    /// Azure Container Registry, in one of its clouds.
    Azure(AzureCloud),
    /// Quay. Red Hat's has a name that says so; of others only their operators know.
    Quay,
}

/// One of Azure's clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AzureCloud {
    /// The public one.
    Public,
    /// China.
    China,
    /// The US government's.
    UsGovernment,
}

/// The host of ECR's public registry, and the same with IPv6.
const ECR_PUBLIC: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];
/// The host of Red Hat's Quay.
const QUAY: &str = "quay.io";

// === impl CloudRegistry ===

impl CloudRegistry {
    /// The cloud that a registry belongs to; nothing where its name says none. One with a port is of no cloud.
    pub fn of(registry: &Registry) -> Option<Self> {
        if registry.port().is_some() {
            return None;
        }
        let host = registry.host();
        if ECR_PUBLIC.contains(&host) {
            return Some(Self::EcrPublic);
        }
        if host == QUAY {
            return Some(Self::Quay);
        }
        if is_google(host) {
            return Some(Self::Google);
        }
        EcrHost::parse(host)
            .map(Self::Ecr)
            .or_else(|| AzureCloud::of(host).map(Self::Azure))
    }
}

/// `gcr.io`, `eu.gcr.io`, `europe-docker.pkg.dev`.
fn is_google(host: &str) -> bool {
    let is_label = |name: &str| !name.is_empty() && !name.contains('.');
    host == "gcr.io"
        || host.strip_suffix(".gcr.io").is_some_and(is_label)
        || host.strip_suffix("-docker.pkg.dev").is_some_and(is_label)
}

// === impl AzureCloud ===

impl AzureCloud {
    /// `NAME.azurecr.io` and its like.
    fn of(host: &str) -> Option<Self> {
        let (name, end) = host.split_once('.')?;
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match end {
            "azurecr.io" if is_name => Some(Self::Public),
            "azurecr.cn" if is_name => Some(Self::China),
            "azurecr.us" if is_name => Some(Self::UsGovernment),
            _ => None,
        }
    }

    /// The server of Entra that knows the identities of this cloud.
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com/",
            Self::China => "https://login.chinacloudapi.cn/",
            Self::UsGovernment => "https://login.microsoftonline.us/",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str) -> Option<CloudRegistry> {
        CloudRegistry::of(&host.parse().unwrap())
    }

    #[test]
    fn registries_of_other_clouds() {
        let azure = |cloud| Some(CloudRegistry::Azure(cloud));
        let cases = [
            ("public.ecr.aws", Some(CloudRegistry::EcrPublic)),
            ("gcr.io", Some(CloudRegistry::Google)),
            ("eu.gcr.io", Some(CloudRegistry::Google)),
            ("europe-west3-docker.pkg.dev", Some(CloudRegistry::Google)),
            ("us-docker.pkg.dev", Some(CloudRegistry::Google)),
            ("team.azurecr.io", azure(AzureCloud::Public)),
            ("team-a1b2.azurecr.cn", azure(AzureCloud::China)),
            ("team.azurecr.us", azure(AzureCloud::UsGovernment)),
            ("quay.io", Some(CloudRegistry::Quay)),
        ];
        for (host, expected) in cases {
            assert_eq!(of(host), expected, "{host}");
        }
    }

    #[test]
    fn what_only_looks_like_a_cloud_is_none() {
        let hosts = [
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
            "a23456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.test",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
            "123456789012.dkr.ecr.evil.test.amazonaws.com",
            "123456789012.dkr.ecr.evil.amazonaws.com",
            "123456789012.dkr.s3.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:5000",
            "evil.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "api.ecr.eu-west-1.amazonaws.com",
            "evilpublic.ecr.aws",
            "evilgcr.io",
            "a.b.gcr.io",
            "gcr.io.evil.test",
            "pkg.dev",
            "europe-npm.pkg.dev",
            "a.europe-docker.pkg.dev",
            "azurecr.io",
            "a.b.azurecr.io",
            "teamazurecr.io",
            "quay.io.evil.test",
            "evilquay.io",
            "quay.example.com",
            "docker.io",
            "localhost:5000",
        ];
        for host in hosts {
            assert_eq!(of(host), None, "{host}");
        }
    }
}
