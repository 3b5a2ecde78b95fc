// SPDX-License-Identifier: Apache-2.0

//! What an operator lets mirrors reach, and how.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::api::metadata::{NamespaceName, NamespaceNameError};
use crate::oci::Registry;
use crate::registry::{Addresses, Boundaries, Cidr, HostGlob, InsecureHost};

/// Boundaries of a cluster's mirrors: those of the controller, which its Jobs get as well.
#[derive(Clone, Debug, Args)]
pub struct BoundaryArgs {
    /// Connect to these addresses although they are loopback, link-local, metadata or otherwise special.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_ALLOW_ADDRESSES",
        value_name = "CIDR"
    )]
    pub allow_addresses: Vec<Cidr>,
    /// Do not connect to these addresses, such as 10.0.0.0/8; where --allow-addresses has a smaller block, that counts.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_DENY_ADDRESSES",
        value_name = "CIDR"
    )]
    pub deny_addresses: Vec<Cidr>,
    /// Speak plain HTTP to these hosts, registries and the proxies to them, where a mirror says insecure: true.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_INSECURE_HOSTS",
        value_name = "HOST[:PORT]"
    )]
    pub insecure_hosts: Vec<InsecureHost>,
    /// Use these registries only, where * stands for any characters.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_ALLOWED_HOSTS",
        value_name = "GLOB",
        default_value = "*"
    )]
    pub allowed_hosts: Vec<HostGlob>,
    /// Use these proxies only, where * stands for any characters.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_ALLOWED_PROXIES",
        value_name = "GLOB",
        default_value = "*"
    )]
    pub allowed_proxies: Vec<HostGlob>,
    /// Trust the authorities of this PEM file besides those of the system.
    #[arg(long, env = "TRANSSHIP_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send credentials to token servers on these hosts, too.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_TRUSTED_REALMS",
        value_name = "HOST[:PORT]"
    )]
    pub trusted_realms: Vec<Registry>,
    /// Let mirrors of these namespaces use the controller's own identity in the clouds; * means all [default: none].
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IDENTITY_NAMESPACES",
        value_name = "NAMESPACE"
    )]
    pub identity_namespaces: Vec<Tenants>,
}

/// Namespaces whose mirrors may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// Those of all namespaces.
    All,
    /// Those of one.
    Namespace(NamespaceName),
}

// === impl Tenants ===

impl FromStr for Tenants {
    type Err = NamespaceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::All);
        }
        text.parse().map(Self::Namespace)
    }
}

impl fmt::Display for Tenants {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("*"),
            Self::Namespace(name) => name.fmt(formatter),
        }
    }
}

// === impl BoundaryArgs ===

impl BoundaryArgs {
    /// Where requests may go, whatever mirrors say.
    pub(in crate::cli) fn boundaries(&self) -> Boundaries {
        Boundaries {
            addresses: Addresses {
                allow: self.allow_addresses.clone(),
                deny: self.deny_addresses.clone(),
            },
            insecure_hosts: self.insecure_hosts.clone(),
            allowed_hosts: self.allowed_hosts.clone(),
            allowed_proxies: self.allowed_proxies.clone(),
        }
    }

    /// Hosts that may be asked for tokens.
    pub(in crate::cli) fn realms(&self) -> Vec<String> {
        self.trusted_realms
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// The namespaces whose mirrors may use the controller's own identity.
    pub(in crate::cli) fn identity_namespaces(&self) -> Vec<String> {
        let namespaces = self.identity_namespaces.iter();
        namespaces.map(ToString::to_string).collect()
    }

    /// The same as flags, but for the file of authorities, which is not everywhere.
    pub(in crate::cli) fn flags(&self) -> Vec<String> {
        let Self {
            allow_addresses,
            deny_addresses,
            insecure_hosts,
            allowed_hosts,
            allowed_proxies,
            ca_file: _,
            trusted_realms,
            identity_namespaces,
        } = self;
        let flags = [
            flag("allow-addresses", allow_addresses),
            flag("deny-addresses", deny_addresses),
            flag("insecure-hosts", insecure_hosts),
            flag("allowed-hosts", allowed_hosts),
            flag("allowed-proxies", allowed_proxies),
            flag("trusted-realms", trusted_realms),
            flag("identity-namespaces", identity_namespaces),
        ];
        flags.into_iter().flatten().collect()
    }
}

fn flag(name: &str, values: &[impl ToString]) -> Option<String> {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    (!values.is_empty()).then(|| format!("--{name}={}", values.join(",")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        boundaries: BoundaryArgs,
    }

    #[test]
    fn what_is_handed_on_is_read_as_the_same() {
        let given = [
            "transship",
            "--allow-addresses=127.0.0.0/8,10.0.0.1",
            "--deny-addresses=10.0.0.0/8,fd00::/8",
            "--insecure-hosts=a.test,[::1]:5000",
            "--allowed-hosts=*.example.com,b.test:5000",
            "--trusted-realms=auth.test:444",
            "--identity-namespaces=a,*",
        ];
        let flags = Line::parse_from(given).boundaries.flags();
        insta::assert_snapshot!(flags.join("\n"));
        let program = std::iter::once("transship".to_owned());
        let again = Line::parse_from(program.chain(flags.clone()));
        assert_eq!(again.boundaries.flags(), flags);
    }
}
