// SPDX-License-Identifier: Apache-2.0

//! Blocks of addresses, as an operator writes them (RFC 4632, RFC 4291).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses such as `10.0.0.0/8` or `fd00::/8`. An address alone is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u32,
}

/// Why a text is no block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// What stands before the slash is no address.
    #[error(
        "{0:?} is not an address or a block of addresses: write 10.0.0.0/8, fd00::/8 or 10.1.2.3"
    )]
    NotAnAddress(String),
    /// What stands behind the slash is no length of a prefix.
    #[error("{text:?} has the prefix length {prefix:?}: expected a number from 0 to {most}")]
    BadPrefix {
        /// The block.
        text: String,
        /// What stands behind the slash.
        prefix: String,
        /// The bits of an address.
        most: u32,
    },
    /// The address has bits behind its prefix.
    #[error("{text:?} names an address inside of a block: write {block} for the block")]
    InsideOfBlock {
        /// The block.
        text: String,
        /// What was probably meant.
        block: Cidr,
    },
}

// === impl Cidr ===

impl Cidr {
    /// A block of IPv4. The address must have no bits behind the prefix.
    pub(super) const fn v4(network: [u8; 4], prefix: u32) -> Self {
        Self {
            network: IpAddr::V4(Ipv4Addr::from_bits(u32::from_be_bytes(network))),
            prefix,
        }
    }

    /// A block of IPv6. The address must have no bits behind the prefix.
    pub(super) const fn v6(network: u128, prefix: u32) -> Self {
        Self {
            network: IpAddr::V6(Ipv6Addr::from_bits(network)),
            prefix,
        }
    }

    /// How many bits all addresses of the block have in common.
    pub(super) fn prefix(&self) -> u32 {
        self.prefix
    }

    /// Whether it is a smaller block than another one with which it has an address in common.
    pub(super) fn is_within(&self, other: Self) -> bool {
        self.prefix > other.prefix
    }

    /// Whether the address is in the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address, self.prefix) == self.network
    }
}

/// The address with nothing but the bits of the prefix.
fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| CidrError::NotAnAddress(text.to_owned()))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(prefix) => parse_prefix(prefix, most).ok_or_else(|| CidrError::BadPrefix {
                text: text.to_owned(),
                prefix: prefix.to_owned(),
                most,
            })?,
        };
        let network = masked(address, prefix);
        let block = Self { network, prefix };
        if network != address {
            let text = text.to_owned();
            return Err(CidrError::InsideOfBlock { text, block });
        }
        Ok(block)
    }
}

fn parse_prefix(text: &str, most: u32) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|prefix| is_number && *prefix <= most)
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_and_what_is_in_them() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1/32", "127.0.0.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "ff02::1", true),
            ("::/0", "127.0.0.1", false),
            ("::1", "::1", true),
            ("::1/128", "::2", false),
            ("fd00:ec2::/32", "fd00:ec2::254", true),
            ("fd00:ec2::/32", "fd00:ec3::254", false),
        ];
        for (block, address, expected) in cases {
            let block: Cidr = block.parse().unwrap();
            let found = block.contains(address.parse().unwrap());
            assert_eq!(found, expected, "{address} in {block}");
        }
    }

    #[test]
    fn texts_that_are_no_blocks() {
        let cases = [
            "",
            "10.0.0.0/",
            "10.0.0/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.1/8",
            "[::1]",
            "localhost",
            " 10.0.0.0/8",
        ];
        let errors: Vec<_> = cases
            .into_iter()
            .map(|text| text.parse::<Cidr>().unwrap_err().to_string())
            .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        "" is not an address or a block of addresses: write 10.0.0.0/8, fd00::/8 or 10.1.2.3
        "10.0.0.0/" has the prefix length "": expected a number from 0 to 32
        "10.0.0/8" is not an address or a block of addresses: write 10.0.0.0/8, fd00::/8 or 10.1.2.3
        "10.0.0.0/33" has the prefix length "33": expected a number from 0 to 32
        "::/129" has the prefix length "129": expected a number from 0 to 128
        "10.0.0.0/+8" has the prefix length "+8": expected a number from 0 to 32
        "10.0.0.0/8/8" has the prefix length "8/8": expected a number from 0 to 32
        "10.0.0.1/8" names an address inside of a block: write 10.0.0.0/8 for the block
        "[::1]" is not an address or a block of addresses: write 10.0.0.0/8, fd00::/8 or 10.1.2.3
        "localhost" is not an address or a block of addresses: write 10.0.0.0/8, fd00::/8 or 10.1.2.3
        " 10.0.0.0/8" is not an address or a block of addresses: write 10.0.0.0/8, fd00::/8 or 10.1.2.3
        "#);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(address: IpAddr, prefix in 0u32..=128) {
            let prefix = prefix.min(if address.is_ipv4() { 32 } else { 128 });
            let block = Cidr { network: masked(address, prefix), prefix };
            prop_assert_eq!(block.to_string().parse(), Ok(block));
            prop_assert!(block.contains(address));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[0-9a-f:./]{0,40}") {
            let _ = text.parse::<Cidr>();
        }
    }
}
