// SPDX-License-Identifier: Apache-2.0

//! Addresses that are no registry's (IANA special-purpose address registries, and what clouds add).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cidr::Cidr;

/// What an address is that leads to no ordinary machine of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registry) enum Special {
    /// It stands for no machine, or for this one.
    Unspecified,
    /// It leads to this machine.
    Loopback,
    /// It leads to the neighbours, where clouds put what only this machine should see.
    LinkLocal,
    /// There a cloud tells who we are, with credentials.
    Metadata,
    /// It leads to many machines.
    Multicast,
    /// It leads to all machines of the network.
    Broadcast,
    /// Nobody has it.
    Reserved,
    /// It leads into the own site, by a rule that is given up.
    SiteLocal,
    /// A gateway translates it into an address that cannot be told.
    Translated,
}

/// First match wins: the metadata services have addresses of larger blocks.
const SPECIAL: [(Cidr, Special); 26] = [
    // AWS, GCP, Azure, OpenStack and most others.
    (Cidr::v4([169, 254, 169, 254], 32), Special::Metadata),
    // The credentials of tasks and pods (AWS).
    (Cidr::v4([169, 254, 170, 2], 32), Special::Metadata),
    (Cidr::v4([169, 254, 170, 23], 32), Special::Metadata),
    // Tencent, Scaleway.
    (Cidr::v4([169, 254, 0, 23], 32), Special::Metadata),
    (Cidr::v4([169, 254, 42, 42], 32), Special::Metadata),
    (Cidr::v4([169, 254, 0, 0], 16), Special::LinkLocal),
    // Alibaba, Azure, Oracle, Equinix.
    (Cidr::v4([100, 100, 100, 200], 32), Special::Metadata),
    (Cidr::v4([168, 63, 129, 16], 32), Special::Metadata),
    (Cidr::v4([192, 0, 0, 192], 32), Special::Metadata),
    (Cidr::v4([192, 80, 8, 124], 32), Special::Metadata),
    (Cidr::v4([0, 0, 0, 0], 8), Special::Unspecified),
    (Cidr::v4([127, 0, 0, 0], 8), Special::Loopback),
    (Cidr::v4([224, 0, 0, 0], 4), Special::Multicast),
    (Cidr::v4([255, 255, 255, 255], 32), Special::Broadcast),
    (Cidr::v4([240, 0, 0, 0], 4), Special::Reserved),
    (Cidr::v6(0, 128), Special::Unspecified),
    (Cidr::v6(1, 128), Special::Loopback),
    // AWS, GCP, Scaleway, Oracle, Akamai.
    (Cidr::v6(0xfd00_0ec2 << 96, 32), Special::Metadata),
    (
        Cidr::v6(0xfd20_00ce_0000_0000_0000_0000_0000_0254, 128),
        Special::Metadata,
    ),
    (
        Cidr::v6(0xfd00_0042_0000_0000_0000_0000_0000_0042, 128),
        Special::Metadata,
    ),
    (
        Cidr::v6(0xfd00_00c1_0000_0000_0000_0000_a9fe_a9fe, 128),
        Special::Metadata,
    ),
    (Cidr::v6(0xfd00_a9fe_a9fe << 80, 48), Special::Metadata),
    (Cidr::v6(0xfe80 << 112, 10), Special::LinkLocal),
    (Cidr::v6(0xfec0 << 112, 10), Special::SiteLocal),
    (Cidr::v6(0xff00 << 112, 8), Special::Multicast),
    (Cidr::v6(0x0064_ff9b_0001 << 80, 48), Special::Translated),
];

/// Where addresses of IPv6 contain one of IPv4.
struct Embedding {
    block: Cidr,
    /// How many bits stand behind the embedded address.
    shift: u32,
    /// Whether its bits are inverted.
    is_inverted: bool,
}

const EMBEDDINGS: [Embedding; 7] = [
    // Compatible (RFC 4291, deprecated), mapped (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052).
    Embedding::at_the_end(Cidr::v6(0, 96)),
    Embedding::at_the_end(Cidr::v6(0xffff << 32, 96)),
    Embedding::at_the_end(Cidr::v6(0xffff << 48, 96)),
    Embedding::at_the_end(Cidr::v6(0x0064_ff9b << 96, 96)),
    // 6to4 (RFC 3056): behind the prefix.
    Embedding {
        block: Cidr::v6(0x2002 << 112, 16),
        shift: 80,
        is_inverted: false,
    },
    // Teredo (RFC 4380): the server behind the prefix, the client at the end.
    Embedding {
        block: TEREDO,
        shift: 64,
        is_inverted: false,
    },
    Embedding {
        block: TEREDO,
        shift: 0,
        is_inverted: true,
    },
];

const TEREDO: Cidr = Cidr::v6(0x2001 << 112, 32);

// === impl Special ===

impl Special {
    /// What is special about an address, or about one of IPv4 inside of it.
    pub(in crate::registry) fn of(address: IpAddr) -> Option<Self> {
        let itself = SPECIAL
            .iter()
            .find(|(block, _)| block.contains(address))
            .map(|(_, special)| *special);
        itself.or_else(|| embedded(address).find_map(Self::of))
    }
}

/// The addresses of IPv4 that an address of IPv6 contains.
pub(super) fn embedded(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let address = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(address),
    };
    address.into_iter().flat_map(|address| {
        let inside = EMBEDDINGS.iter();
        inside.filter_map(move |embedding| Some(embedding.extract(address)?.into()))
    })
}

impl fmt::Display for Special {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unspecified => "an address that stands for no machine",
            Self::Loopback => "an address of the machine itself",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the metadata service of a cloud",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Reserved => "a reserved address",
            Self::SiteLocal => "a site-local address",
            Self::Translated => "an address that a gateway translates",
        })
    }
}

// === impl Embedding ===

impl Embedding {
    const fn at_the_end(block: Cidr) -> Self {
        Self {
            block,
            shift: 0,
            is_inverted: false,
        }
    }

    fn extract(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        if !self.block.contains(address.into()) {
            return None;
        }
        let bits = address.to_bits() >> self.shift & u128::from(u32::MAX);
        let bits = u32::try_from(bits).ok()?;
        Some(Ipv4Addr::from_bits(if self.is_inverted {
            !bits
        } else {
            bits
        }))
    }
}
