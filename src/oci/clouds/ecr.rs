// SPDX-License-Identifier: Apache-2.0

//! Hosts of Amazon ECR.

/// Digits of an account.
const ACCOUNT_LENGTH: usize = 12;

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
    /// That of the US government.
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

// === impl EcrHost ===

impl EcrHost {
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com` and its variants.
    pub(super) fn parse(host: &str) -> Option<Self> {
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
        let has_own_name = matches!(partition, Partition::Aws | Partition::GovCloud);
        if self.is_fips && has_own_name {
            return format!("ecr-fips.{region}.{suffix}");
        }
        format!("api.ecr{fips}.{region}.{suffix}")
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

    pub(super) fn dual_stack_suffix(self) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let ecr = EcrHost::parse(&format!("123456789012.{host}")).unwrap();
            assert_eq!(ecr.account, "123456789012");
            assert_eq!(ecr.api_host(), api);
        }
    }
}
