// SPDX-License-Identifier: Apache-2.0

//! How close to us an address is: the rule that keeps a peer from sending us to ourselves.

use std::net::IpAddr;

use url::{Host, Url};

use super::boundaries::Special;

/// How close to us the host of a URL is. A redirect never leads closer.
///
/// Only what the URL says counts: where a name resolves to is a matter of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// A name, or any other address.
    Network,
    /// This machine.
    Machine,
    /// The network link, where clouds keep their metadata; no address at all; many addresses.
    Link,
}

impl Reach {
    /// How close the host of a URL is.
    pub(super) fn of(url: &Url) -> Self {
        match url.host() {
            Some(Host::Ipv4(address)) => Self::of_address(address.into()),
            Some(Host::Ipv6(address)) => Self::of_address(address.into()),
            Some(Host::Domain(name)) => Self::of_name(name),
            None => Self::Link,
        }
    }

    fn of_name(name: &str) -> Self {
        let name = name.trim_end_matches('.');
        if name == "localhost" || name.ends_with(".localhost") {
            Self::Machine
        } else {
            Self::Network
        }
    }

    fn of_address(address: IpAddr) -> Self {
        match Special::of(address) {
            None => Self::Network,
            Some(Special::Loopback) => Self::Machine,
            Some(
                Special::Unspecified
                | Special::LinkLocal
                | Special::Metadata
                | Special::Multicast
                | Special::Broadcast
                | Special::Reserved
                | Special::SiteLocal
                | Special::Translated,
            ) => Self::Link,
        }
    }
}
