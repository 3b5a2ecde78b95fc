//! How close to us an address is: the rule that keeps a peer from sending us to ourselves.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

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

/// The first 96 bits of addresses that contain one of IPv4 at their end: mapped (RFC 4291),
/// compatible (the same, deprecated) and NAT64 (RFC 6052).
const EMBEDDING_PREFIXES: [u128; 3] = [0xffff, 0, 0x0064_ff9b_0000_0000_0000_0000];
/// The first 16 bits of addresses with one of IPv4 behind them: 6to4 (RFC 3056).
const SIX_TO_FOUR: u128 = 0x2002;

impl Reach {
    /// How close the host of a URL is.
    pub(super) fn of(url: &Url) -> Self {
        match url.host() {
            Some(Host::Ipv4(address)) => Self::of_v4(address),
            Some(Host::Ipv6(address)) => Self::of_v6(address),
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

    fn of_v4(address: Ipv4Addr) -> Self {
        if address.is_loopback() {
            Self::Machine
        } else if address.is_link_local()
            || address.octets()[0] == 0
            || address.is_multicast()
            || address.is_broadcast()
        {
            Self::Link
        } else {
            Self::Network
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() {
            Self::Machine
        } else if let Some(embedded) = embedded_v4(address) {
            Self::of_v4(embedded)
        } else if address.is_unicast_link_local() || address.is_multicast() {
            Self::Link
        } else {
            Self::Network
        }
    }
}

/// The IPv4 address inside one of IPv6.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    let embedded = if EMBEDDING_PREFIXES.contains(&(bits >> 32)) {
        bits & u128::from(u32::MAX)
    } else if bits >> 112 == SIX_TO_FOUR {
        bits >> 80 & u128::from(u32::MAX)
    } else {
        return None;
    };
    u32::try_from(embedded).ok().map(Ipv4Addr::from_bits)
}
