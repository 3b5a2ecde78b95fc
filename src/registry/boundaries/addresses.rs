// SPDX-License-Identifier: Apache-2.0

//! Which addresses are connected to: the rule that keeps a peer from sending us to ourselves, to the
//! neighbours, or to where a cloud tells who we are.

use std::net::IpAddr;

use super::cidr::Cidr;
use super::special::{Special, embedded};

/// The addresses that may be connected to: all but the special ones and those that the operator closed. Those of
/// private networks are not special.
///
/// An address is judged after it was parsed or resolved. No spelling and no name hides it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Special or closed addresses that may be connected to all the same.
    pub allow: Vec<Cidr>,
    /// Addresses that may not be connected to, also where one of IPv6 contains them. Where a block of `allow`
    /// has an address too, the smaller block of both counts, and this one if they are equal.
    pub deny: Vec<Cidr>,
}

/// An address that is not connected to, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} ({ground})")]
pub struct Denied {
    address: IpAddr,
    ground: Ground,
}

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Ground {
    /// What it is.
    #[error("{0}")]
    Special(Special),
    /// The operator closed it.
    #[error("in {0}, which is closed with --deny-addresses")]
    Closed(Cidr),
}

// === impl Addresses ===

impl Addresses {
    /// Whether an address may be connected to.
    pub fn judge(&self, address: IpAddr) -> Result<(), Denied> {
        // A mapped address leads where the one inside of it leads.
        let address = address.to_canonical();
        let allowed = smallest(&self.allow, address);
        let is_opened = |block: Cidr| allowed.is_some_and(|allowed| allowed.is_within(block));
        let closed = smallest(&self.deny, address).filter(|block| !is_opened(*block));
        // What opens the address around it does not open the one inside of it.
        let closed = closed.or_else(|| {
            embedded(address).find_map(|inside| smallest(&self.deny, inside.to_canonical()))
        });
        let special = Special::of(address).filter(|_| allowed.is_none());
        let ground = closed.map(Ground::Closed).or(special.map(Ground::Special));
        match ground {
            Some(ground) => Err(Denied { address, ground }),
            None => Ok(()),
        }
    }
}

/// The smallest of the blocks that have an address.
fn smallest(blocks: &[Cidr], address: IpAddr) -> Option<Cidr> {
    let found = blocks.iter().filter(|block| block.contains(address));
    found.max_by_key(|block| block.prefix()).copied()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;
    use url::{Host, Url};

    use super::*;

    fn addresses(allow: &[&str], deny: &[&str]) -> Addresses {
        let [allow, deny] =
            [allow, deny].map(|blocks| blocks.iter().map(|block| block.parse().unwrap()).collect());
        Addresses { allow, deny }
    }

    /// What an address is, as the host of a URL.
    fn judged(host: &str, allow: &[&str]) -> Result<(), Special> {
        let url: Url = format!("https://{host}/").parse().unwrap();
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) | None => panic!("{host} is no address"),
        };
        let judged = addresses(allow, &[]).judge(address);
        judged.map_err(|denied| match denied.ground {
            Ground::Special(special) => special,
            Ground::Closed(block) => panic!("{host} is closed by {block}"),
        })
    }

    #[test]
    fn addresses_of_public_and_private_networks_are_connected_to() {
        for host in [
            "93.184.216.34",
            "10.0.0.1",
            "10.96.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.199",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "223.255.255.255",
            "1.0.0.0",
            "[2606:4700::1111]",
            "[fd00::1]",
            "[fd00:ec1::254]",
            "[fd00:42::43]",
            "[fc00::1]",
            "[fe00::1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::808:808]",
            "[2002:808:808::1]",
            "[2001:0:808:808::f7f7:f7f7]",
        ] {
            assert_eq!(judged(host, &[]), Ok(()), "{host}");
        }
    }

    #[test]
    fn special_addresses_in_any_spelling_are_not() {
        use Special::{
            Broadcast, LinkLocal, Loopback, Metadata, Multicast, Reserved, SiteLocal, Translated,
            Unspecified,
        };
        let cases = [
            ("127.0.0.1", Loopback),
            ("127.255.255.255", Loopback),
            ("127.1", Loopback),
            ("127.0.1", Loopback),
            ("2130706433", Loopback),
            ("0x7f000001", Loopback),
            ("0x7f.1", Loopback),
            ("0X7F.0.0.1", Loopback),
            ("0177.0.0.1", Loopback),
            ("017700000001", Loopback),
            ("127.0.0.1.", Loopback),
            ("①②⑦.⓪.⓪.①", Loopback),
            ("１２７.０.０.１", Loopback),
            ("127。0。0。1", Loopback),
            ("%31%32%37.0.0.1", Loopback),
            ("[::1]", Loopback),
            ("[0:0:0:0:0:0:0:1]", Loopback),
            ("[0000::0001]", Loopback),
            ("[::ffff:127.0.0.1]", Loopback),
            ("[::FFFF:7F00:1]", Loopback),
            ("[::127.0.0.1]", Loopback),
            ("[::7f00:1]", Loopback),
            ("[::ffff:0:127.0.0.1]", Loopback),
            ("[64:ff9b::127.0.0.1]", Loopback),
            ("[64:ff9b::7f00:1]", Loopback),
            ("[2002:7f00:1::]", Loopback),
            ("[2002:7f00:0001:1::1]", Loopback),
            ("[2001:0:7f00:1::]", Loopback),
            ("[2001:0:808:808::80ff:fffe]", Loopback),
            ("169.254.169.254", Metadata),
            ("2852039166", Metadata),
            ("0xa9fea9fe", Metadata),
            ("0xa9.0xfe.0xa9.0xfe", Metadata),
            ("0251.0376.0251.0376", Metadata),
            ("169.254.43518", Metadata),
            ("[::ffff:169.254.169.254]", Metadata),
            ("[::ffff:a9fe:a9fe]", Metadata),
            ("[::a9fe:a9fe]", Metadata),
            ("[64:ff9b::a9fe:a9fe]", Metadata),
            ("[2002:a9fe:a9fe::]", Metadata),
            ("[2001:0:a9fe:a9fe::]", Metadata),
            ("[2001:0:808:808::5601:5601]", Metadata),
            ("100.100.100.200", Metadata),
            ("[::ffff:100.100.100.200]", Metadata),
            ("168.63.129.16", Metadata),
            ("192.0.0.192", Metadata),
            ("[fd00:ec2::254]", Metadata),
            ("[fd00:ec2::23]", Metadata),
            ("[fd20:ce::254]", Metadata),
            ("[fd00:42::42]", Metadata),
            ("[fd00:42:0:0:0:0:0:42]", Metadata),
            ("[fd00:c1::a9fe:a9fe]", Metadata),
            ("[fd00:c1::169.254.169.254]", Metadata),
            ("[fd00:a9fe:a9fe::1]", Metadata),
            ("192.80.8.124", Metadata),
            ("0xc050087c", Metadata),
            ("[64:ff9b::192.80.8.124]", Metadata),
            ("169.254.42.42", Metadata),
            ("169.254.0.23", Metadata),
            ("169.254.170.2", Metadata),
            ("169.254.170.23", Metadata),
            ("[::ffff:169.254.170.2]", Metadata),
            ("[fe80::a9fe:a9fe]", LinkLocal),
            ("169.254.0.1", LinkLocal),
            ("169.254.255.255", LinkLocal),
            ("[fe80::1]", LinkLocal),
            ("[febf:ffff::1]", LinkLocal),
            ("[2002:a9fe:1::1]", LinkLocal),
            ("[::ffff:169.254.1.1]", LinkLocal),
            ("0.0.0.0", Unspecified),
            ("0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("[::]", Unspecified),
            ("[::ffff:0.0.0.0]", Unspecified),
            ("[64:ff9b::]", Unspecified),
            ("224.0.0.1", Multicast),
            ("239.255.255.255", Multicast),
            ("[ff02::1]", Multicast),
            ("[::ffff:224.0.0.1]", Multicast),
            ("255.255.255.255", Broadcast),
            ("0xffffffff", Broadcast),
            ("240.0.0.1", Reserved),
            ("254.255.255.255", Reserved),
            ("[64:ff9b::f000:1]", Reserved),
            ("[fec0::1]", SiteLocal),
            ("[feff::1]", SiteLocal),
            ("[64:ff9b:1::a9fe:a9fe]", Translated),
            ("[64:ff9b:1:a9fe:a9:fe00::]", Translated),
        ];
        for (host, special) in cases {
            assert_eq!(judged(host, &[]), Err(special), "{host}");
        }
    }

    #[test]
    fn what_the_operator_opens_is_connected_to_and_nothing_else() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", false),
            ("127.0.0.2", "127.0.0.0/8", true),
            ("[::ffff:127.0.0.1]", "127.0.0.0/8", true),
            ("[::1]", "127.0.0.0/8", false),
            ("[::1]", "::1", true),
            ("[64:ff9b::7f00:1]", "127.0.0.0/8", false),
            ("[64:ff9b::7f00:1]", "64:ff9b::/96", true),
            ("169.254.169.254", "169.254.0.0/16", true),
            ("10.0.0.1", "127.0.0.1", true),
        ];
        for (host, allow, expected) in cases {
            assert_eq!(
                judged(host, &[allow]).is_ok(),
                expected,
                "{host} with {allow}"
            );
        }
    }

    #[test]
    fn what_the_operator_closes_is_not_connected_to() {
        let private: &[&str] = &["10.0.0.0/8", "fd00::/8"];
        let cases: [(&str, &[&str], &[&str], bool); 17] = [
            ("10.0.0.1", &[], private, false),
            ("11.0.0.1", &[], private, true),
            ("[::ffff:10.0.0.1]", &[], private, false),
            ("[64:ff9b::10.0.0.1]", &[], private, false),
            ("[2002:a00:1::1]", &[], private, false),
            ("[2001:0:a00:1::]", &[], private, false),
            ("[fd12::1]", &[], private, false),
            ("[2606:4700::1111]", &[], private, true),
            ("10.1.2.3", &["10.1.2.0/24"], private, true),
            ("10.1.3.3", &["10.1.2.0/24"], private, false),
            ("[64:ff9b::10.1.2.3]", &["64:ff9b::/96"], private, false),
            ("10.1.2.3", &["10.0.0.0/8"], private, false),
            ("10.1.2.3", &["0.0.0.0/0"], private, false),
            ("127.0.0.5", &["127.0.0.0/8"], &["127.0.0.5"], false),
            ("127.0.0.6", &["127.0.0.0/8"], &["127.0.0.5"], true),
            ("93.184.216.34", &[], &["0.0.0.0/0"], false),
            ("93.184.216.34", &["93.184.216.34"], &["0.0.0.0/0"], true),
        ];
        for (host, allow, deny, expected) in cases {
            let url: Url = format!("https://{host}/").parse().unwrap();
            let address: IpAddr = match url.host().unwrap() {
                Host::Ipv4(address) => address.into(),
                Host::Ipv6(address) => address.into(),
                Host::Domain(name) => panic!("{name} is no address"),
            };
            let judged = addresses(allow, deny).judge(address);
            assert_eq!(judged.is_ok(), expected, "{host}: {judged:?}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_judged_inside_of_another_one_as_well(bits: u32) {
            let addresses = Addresses::default();
            let judge = |address: IpAddr| addresses.judge(address).map_err(|denied| denied.ground);
            let itself = judge(Ipv4Addr::from_bits(bits).into());
            let wide = u128::from(bits);
            let embeddings = [
                0xffff << 32 | wide,
                0x64_ff9b << 96 | wide,
                0x2002 << 112 | wide << 80,
                0x2001 << 112 | wide << 64 | u128::from(!0x0808_0808_u32),
                0x2001 << 112 | 0x0808_0808 << 64 | u128::from(!bits),
            ];
            for embedding in embeddings {
                prop_assert_eq!(judge(Ipv6Addr::from_bits(embedding).into()), itself);
            }
        }
    }
}
