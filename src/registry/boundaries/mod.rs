// SPDX-License-Identifier: Apache-2.0

//! Where requests may go at all, whoever asks for them: the bounds that an operator sets.
//!
//! Others write what is mirrored, and registries write where to go next. So every URL is judged
//! before its request is sent, on every hop, and every name by the addresses it turns out to have. A
//! process that works for the person who started it has no such bounds.

mod addresses;
mod cidr;
mod hosts;
pub(super) mod resolver;
mod special;

pub use addresses::{Addresses, Denied};
pub use cidr::{Cidr, CidrError};
pub use hosts::{HostGlob, HostGlobError, InsecureHost};
pub(super) use special::Special;
use url::{Host, Url};

use super::origin;
use crate::oci::Registry;

/// The bounds of a process. The default ones allow every registry, and nothing that is special.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundaries {
    /// The addresses that may be connected to.
    pub addresses: Addresses,
    /// The hosts that may be spoken to in plain HTTP.
    pub insecure_hosts: Vec<InsecureHost>,
    /// The registries that may be used.
    pub allowed_hosts: Vec<HostGlob>,
    /// The proxies that may be used.
    pub allowed_proxies: Vec<HostGlob>,
}

/// Why a request is not sent. The message names the flag that would open the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    /// A URL contains an address that is not connected to.
    #[error(
        "{0} is out of bounds: if it is meant, the operator has to open it with --allow-addresses"
    )]
    Address(Denied),
    /// A name has such an address and no other.
    #[error(
        "{name} leads to {denied}, which is out of bounds: \
         if it is meant, the operator has to open it with --allow-addresses"
    )]
    Name {
        /// The name.
        name: String,
        /// Its address.
        denied: Denied,
    },
    /// A proxy has such an address.
    #[error(
        "the proxy at {0} is out of bounds: \
         if it is meant, the operator has to open it with --allow-addresses"
    )]
    Proxy(Denied),
    /// A proxy is not among those that may be used.
    #[error(
        "the proxy {0} is out of bounds: if it is meant, the operator has to allow it with --allowed-proxies {0}"
    )]
    OtherProxy(String),
    /// What is said in plain HTTP would be said to a proxy as well.
    #[error(
        "plain HTTP through the proxy {0} is out of bounds: if it is meant, the operator has to allow it with \
         --insecure-hosts {0}"
    )]
    PlainProxy(String),
    /// Plain HTTP would be spoken to a host.
    #[error(
        "plain HTTP to {0} is out of bounds: if it is meant, the operator has to allow it with --insecure-hosts {0}"
    )]
    PlainHttp(String),
    /// The host of an address is not among those that may be used.
    #[error(
        "the host {0} is out of bounds: if it is meant, the operator has to allow it with --allowed-hosts {0}"
    )]
    Host(String),
    /// A registry is not among those that may be used.
    #[error(
        "the registry {0} is out of bounds: if it is meant, the operator has to allow it with --allowed-hosts {0}"
    )]
    Registry(Registry),
}

// === impl Boundaries ===

impl Boundaries {
    /// Whether a registry may be used whose API is at `base`.
    pub(super) fn check_registry(
        &self,
        registry: &Registry,
        base: &Url,
    ) -> Result<(), OutOfBounds> {
        if !self.has_host(registry.host(), base) {
            return Err(OutOfBounds::Registry(registry.clone()));
        }
        self.check_url(base)
    }

    /// Whether messages may be sent to an address that is no registry's, as far as the address tells.
    pub(super) fn check_address(&self, address: &Url) -> Result<(), OutOfBounds> {
        let host = address.host_str().unwrap_or_default();
        if !self.has_host(host, address) {
            return Err(OutOfBounds::Host(origin::authority(address)));
        }
        self.check_url(address)
    }

    /// Whether this host, spoken to at the port of a URL, is among those that may be used.
    fn has_host(&self, host: &str, url: &Url) -> bool {
        let port = url.port_or_known_default();
        let mut globs = self.allowed_hosts.iter();
        globs.any(|glob| glob.matches(host, port))
    }

    /// Whether a request may go to a URL, as far as the URL tells: what a name leads to turns out
    /// when it is resolved.
    pub(super) fn check_url(&self, url: &Url) -> Result<(), OutOfBounds> {
        if url.scheme() == "http" && !self.may_be_plain(url) {
            return Err(OutOfBounds::PlainHttp(origin::authority(url)));
        }
        self.judge_literal(url).map_err(OutOfBounds::Address)
    }

    /// Whether a proxy may be used, which then connects in our place: to whatever it takes a name for.
    pub(super) fn check_proxy(&self, proxy: &Url) -> Result<(), OutOfBounds> {
        let (host, port) = (
            proxy.host_str().unwrap_or_default(),
            proxy.port_or_known_default(),
        );
        let mut globs = self.allowed_proxies.iter();
        if !globs.any(|glob| glob.matches(host, port)) {
            return Err(OutOfBounds::OtherProxy(origin::authority(proxy)));
        }
        self.judge_literal(proxy).map_err(OutOfBounds::Proxy)
    }

    /// Whether a request may go through a proxy that may be used. What is encrypted is so on its way through it.
    pub(super) fn check_way(&self, url: &Url, proxy: &Url) -> Result<(), OutOfBounds> {
        if url.scheme() == "http" && !self.may_be_plain(proxy) {
            return Err(OutOfBounds::PlainProxy(origin::authority(proxy)));
        }
        Ok(())
    }

    /// Whether a host may see what is not encrypted.
    fn may_be_plain(&self, host: &Url) -> bool {
        self.insecure_hosts.iter().any(|known| known.matches(host))
    }

    /// Judges an address in a URL: those are connected to without the resolver.
    fn judge_literal(&self, url: &Url) -> Result<(), Denied> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.addresses.judge(address.into()),
            Some(Host::Ipv6(address)) => self.addresses.judge(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

impl Default for Boundaries {
    fn default() -> Self {
        Self {
            addresses: Addresses::default(),
            insecure_hosts: Vec::new(),
            allowed_hosts: vec![HostGlob::any()],
            allowed_proxies: vec![HostGlob::any()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_and_urls_against_bounds() {
        let boundaries = Boundaries {
            addresses: Addresses {
                allow: vec!["127.0.0.1".parse().unwrap()],
                deny: Vec::new(),
            },
            insecure_hosts: vec![
                "plain.test:5000".parse().unwrap(),
                "127.0.0.2".parse().unwrap(),
            ],
            allowed_hosts: vec!["*.test".parse().unwrap(), "127.*".parse().unwrap()],
            ..Boundaries::default()
        };
        let cases = [
            ("r.test", "https://r.test"),
            ("plain.test:5000", "http://plain.test:5000"),
            ("plain.test", "http://plain.test"),
            ("r.example", "https://r.example"),
            ("127.0.0.1:5000", "https://127.0.0.1:5000"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("127.0.0.2:5000", "http://127.0.0.2:5000"),
        ];
        let shown = cases.map(|(registry, base)| {
            let checked =
                boundaries.check_registry(&registry.parse().unwrap(), &base.parse().unwrap());
            match checked {
                Ok(()) => format!("{base}: good"),
                Err(error) => format!("{base}: {error}"),
            }
        });
        insta::assert_snapshot!(shown.join("\n"), @r"
        https://r.test: good
        http://plain.test:5000: good
        http://plain.test: plain HTTP to plain.test is out of bounds: if it is meant, the operator has to allow it with --insecure-hosts plain.test
        https://r.example: the registry r.example is out of bounds: if it is meant, the operator has to allow it with --allowed-hosts r.example
        https://127.0.0.1:5000: good
        http://127.0.0.1:5000: plain HTTP to 127.0.0.1:5000 is out of bounds: if it is meant, the operator has to allow it with --insecure-hosts 127.0.0.1:5000
        http://127.0.0.2:5000: 127.0.0.2 (an address of the machine itself) is out of bounds: if it is meant, the operator has to open it with --allow-addresses
        ");
    }
}
