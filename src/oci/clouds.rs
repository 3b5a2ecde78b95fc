//! What the host of a registry says about the cloud that it belongs to.
//!
//! The patterns are those of the clouds' own credential helpers (amazon-ecr-credential-helper, Azure's and Google's):
//! an identity of a cloud is sent to hosts that match them and to no other.

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
}

/// The host of a private registry of Amazon ECR.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EcrHost {
    /// The account: twelve digits.
    pub account: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The partition of the region.
    pub partition: Partition,
    /// Whether the validated (FIPS) endpoint is meant.
    pub is_fips: bool,
    /// Whether the endpoint with IPv6 is meant.
    pub is_dual_stack: bool,
}

/// A partition of AWS: regions that share accounts and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Partition {
    /// The public one.
    Aws,
    /// China.
    China,
    /// The European Sovereign Cloud.
    Eusc,
    /// US GovCloud.
    GovCloud,
    /// Of US agencies: `us-iso`.
    Iso,
    /// Of US agencies: `us-isob`.
    IsoB,
    /// Of UK agencies: `eu-isoe`.
    IsoE,
    /// Of US agencies: `us-isof`.
    IsoF,
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
/// Digits of an account.
const ACCOUNT_LENGTH: usize = 12;

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

// === impl EcrHost ===

impl EcrHost {
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com` and its variants.
    fn parse(host: &str) -> Option<Self> {
        let (account, rest) = host.split_once('.')?;
        let is_account =
            account.len() == ACCOUNT_LENGTH && account.bytes().all(|byte| byte.is_ascii_digit());
        let service = |name| rest.strip_prefix(name);
        let (is_fips, rest) = match service("dkr.ecr.").or_else(|| service("dkr-ecr.")) {
            Some(rest) => (false, rest),
            None => (
                true,
                service("dkr.ecr-fips.").or_else(|| service("dkr-ecr-fips."))?,
            ),
        };
        let (region, end) = rest.split_once('.')?;
        let partition = Partition::of(region)?;
        let is_dual_stack = end == partition.dual_stack_registries();
        let is_end = is_dual_stack || end == partition.suffix();
        (is_account && is_end).then(|| Self {
            account: account.to_owned(),
            region: region.to_owned(),
            partition,
            is_fips,
            is_dual_stack,
        })
    }

    /// The host of the API that gives out tokens for the registry (the SDKs' endpoint rules of `ecr`).
    pub fn api_host(&self) -> String {
        let Self {
            region, partition, ..
        } = self;
        let fips = if self.is_fips { "-fips" } else { "" };
        if self.is_dual_stack {
            return format!("ecr{fips}.{region}.{}", partition.dual_stack_suffix());
        }
        let suffix = partition.suffix();
        match partition {
            Partition::Aws | Partition::GovCloud if self.is_fips => {
                format!("ecr-fips.{region}.{suffix}")
            }
            _ => format!("api.ecr{fips}.{region}.{suffix}"),
        }
    }
}

// === impl Partition ===

impl Partition {
    /// The partition of a region; nothing where the name is none of a region.
    pub fn of(region: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !region.contains('-') || !region.bytes().all(is_word) {
            return None;
        }
        let prefixes = [
            ("cn-", Self::China),
            ("eusc-", Self::Eusc),
            ("us-gov-", Self::GovCloud),
            ("us-iso-", Self::Iso),
            ("us-isob-", Self::IsoB),
            ("eu-isoe-", Self::IsoE),
            ("us-isof-", Self::IsoF),
            ("eu-isof-", Self::IsoF),
        ];
        let found = prefixes
            .iter()
            .find(|(prefix, _)| region.starts_with(prefix));
        Some(found.map_or(Self::Aws, |(_, partition)| *partition))
    }

    /// The name in ARNs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::Eusc => "aws-eusc",
            Self::GovCloud => "aws-us-gov",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }

    /// How the hosts of its APIs and registries end.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::Eusc => "amazonaws.eu",
            Self::Iso => "c2s.ic.gov",
            Self::IsoB => "sc2s.sgov.gov",
            Self::IsoE => "cloud.adc-e.uk",
            Self::IsoF => "csp.hci.ic.gov",
        }
    }

    fn dual_stack_suffix(self) -> &'static str {
        match self {
            Self::China => "api.amazonwebservices.com.cn",
            Self::Eusc => "api.amazonwebservices.eu",
            Self::Aws | Self::GovCloud | Self::Iso | Self::IsoB | Self::IsoE | Self::IsoF => {
                "api.aws"
            }
        }
    }

    fn dual_stack_registries(self) -> &'static str {
        match self {
            Self::China => "on.amazonwebservices.com.cn",
            Self::Eusc => "on.amazonwebservices.eu",
            Self::Aws | Self::GovCloud | Self::Iso | Self::IsoB | Self::IsoE | Self::IsoF => {
                "on.aws"
            }
        }
    }
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
    fn registries_of_ecr_and_the_api_that_gives_out_their_tokens() {
        let cases = [
            (
                "dkr.ecr.eu-west-1.amazonaws.com",
                "api.ecr.eu-west-1.amazonaws.com",
            ),
            (
                "dkr.ecr-fips.us-east-1.amazonaws.com",
                "ecr-fips.us-east-1.amazonaws.com",
            ),
            (
                "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "ecr-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                "dkr.ecr.cn-north-1.amazonaws.com.cn",
                "api.ecr.cn-north-1.amazonaws.com.cn",
            ),
            (
                "dkr.ecr.eusc-de-east-1.amazonaws.eu",
                "api.ecr.eusc-de-east-1.amazonaws.eu",
            ),
            (
                "dkr.ecr.us-iso-east-1.c2s.ic.gov",
                "api.ecr.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                "api.ecr.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                "dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                "api.ecr.eu-isoe-west-1.cloud.adc-e.uk",
            ),
            (
                "dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
                "api.ecr.us-isof-south-1.csp.hci.ic.gov",
            ),
            ("dkr-ecr.eu-west-1.on.aws", "ecr.eu-west-1.api.aws"),
            (
                "dkr-ecr-fips.us-west-2.on.aws",
                "ecr-fips.us-west-2.api.aws",
            ),
            (
                "dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
                "ecr.cn-north-1.api.amazonwebservices.com.cn",
            ),
        ];
        for (host, api) in cases {
            let found = of(&format!("123456789012.{host}"));
            let Some(CloudRegistry::Ecr(ecr)) = found else {
                panic!("{host}: {found:?}")
            };
            assert_eq!(ecr.account, "123456789012");
            assert_eq!(ecr.api_host(), api);
        }
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
            "docker.io",
            "localhost:5000",
        ];
        for host in hosts {
            assert_eq!(of(host), None, "{host}");
        }
    }
}
